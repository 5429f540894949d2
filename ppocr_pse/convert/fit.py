"""Compare translated tensors with a network: what matched, what is missing, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.names import few
from ppocr_pse.convert.translate import Translation

PARTS = ("backbone", "neck", "head")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """How a file's tensors fit a network.

    Attributes:
        matched: our names that get a tensor.
        missing: our names that the file has nothing for.
        wrong: one line a tensor of another shape.
        unplaced: tensors that are renamed but are not of this network: the file's name and ours.
        total: tensors of the network by part.
    """

    matched: list[str]
    missing: list[str]
    wrong: list[str]
    unplaced: list[str]
    total: dict[str, int]

    def verdict(self) -> str:
        """Sum up, as in ``backbone 318/318, neck and head new``."""
        counts = {part: sum(name.startswith(part + ".") for name in self.matched) for part in PARTS}
        found = [f"{part} {counts[part]}/{self.total[part]}" for part in PARTS if counts[part]]
        fresh = [part for part in PARTS if not counts[part]]
        return ", ".join(found + ([" and ".join(fresh) + " new"] if fresh else []))


def fit(network: Mapping[str, Shape], translation: Translation) -> Fit:
    """Compare names and shapes.

    Args:
        network: shapes by name, of our network.
        translation: the file's tensors under our names.
    """
    tensors = translation.tensors
    matched, wrong = [], []
    for name, shape in network.items():
        if name not in tensors:
            continue
        if tuple(tensors[name].shape) == tuple(shape):
            matched.append(name)
        else:
            theirs = translation.origins.get(name, "made")
            wrong.append(f"{name}: {tuple(tensors[name].shape)} in the file ({theirs}), {tuple(shape)} in the network")
    missing = [name for name in network if name not in tensors]
    unplaced = [f"{translation.origins.get(name, 'made')} ({name})" for name in tensors if name not in network]
    total = {part: sum(name.startswith(part + ".") for name in network) for part in PARTS}
    return Fit(matched, missing, wrong, unplaced, total)


def check(found: Fit, source: str, only_backbone: bool) -> None:
    """Refuse a file that leaves a layer without weights.

    Args:
        found: the comparison.
        source: for messages.
        only_backbone: neck and head may be missing, as a whole.

    Raises:
        ConvertError: if a tensor is missing or has another shape.
    """
    if found.wrong:
        raise ConvertError(
            f"{source}: {len(found.wrong)} tensors have another shape: {few(found.wrong)}. Is it the network that "
            "Architecture describes? Without -c it is described from the file"
        )
    present = {name.split(".")[0] for name in found.matched}
    missing = [name for name in found.missing if not only_backbone or name.split(".")[0] in present]
    if not missing and "backbone" in present:
        return
    message = f"{source}: {found.verdict()}; {len(missing)} tensors of the network are not in the file: {few(missing)}"
    if found.unplaced:
        message += f"; with no place in the network: {few(found.unplaced)}"
    if present == {"backbone"} and not only_backbone and all(not name.startswith("backbone.") for name in missing):
        message += ". It is a backbone alone; to convert it as one, add --backbone-only"
    raise ConvertError(message)
