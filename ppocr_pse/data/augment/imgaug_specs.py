"""imgaug's augmenters as a configuration names them: entries of IaaAugment to objects."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ppocr_pse.data.augment.imgaug_compat import load_augmenters

# Names that newer PaddleOCR files use for the same operations, with the argument that is renamed.
ALIASES = {
    "RandomScale": ("Resize", "scale_limit", "size"),
    "HorizontalFlip": ("Fliplr", "p", "p"),
    "VerticalFlip": ("Flipud", "p", "p"),
}
FIRST_ARGUMENT = {"Fliplr": "p", "Resize": "size"}
FAULTS = (TypeError, ValueError, AssertionError, AttributeError, ImportError, LookupError, ArithmeticError)


@dataclass(frozen=True)
class AugmenterSpec:
    """One entry of IaaAugment: an imgaug augmenter by name, with its arguments.

    Attributes:
        name: in ``imgaug.augmenters``.
        args: by name; lists are tuples, entries that are augmenters themselves are AugmenterSpecs.
        positional: arguments of the list form.
    """

    name: str
    args: Mapping[str, Any]
    positional: tuple[Any, ...] = ()

    @property
    def spread(self) -> tuple[float, float] | None:
        """Lowest and highest number of a Resize by one factor, a Fliplr, or an Affine that only turns.

        These three are moves that the package draws itself; None for all others, which imgaug draws.
        """
        if self.positional or len(self.args) > 1:
            return None
        if self.name == "Resize":
            return _range(self.args.get("size"))
        if self.name == "Affine":
            turn = self.args.get("rotate")
            return _range((turn, turn) if _is_number(turn) else turn)
        if self.name == "Fliplr" and set(self.args) <= {"p"} and _is_number(self.args.get("p", 1.0)):
            return 0.0, 1.0
        return None

    def check(self) -> None:
        """Look at the numbers of a move.

        Raises:
            ValueError: for a size that is not above 0 or a probability outside 0 to 1.
        """
        if self.spread is None:
            return
        if self.name == "Resize" and min(self.spread) <= 0:
            raise ValueError(f"IaaAugment: Resize: size is {list(self.spread)}, expected factors above 0")
        if self.name == "Fliplr" and not 0 <= self.args.get("p", 1.0) <= 1:
            raise ValueError(f"IaaAugment: Fliplr: p is {self.args['p']!r}, expected 0 to 1")

    def draw(self, rng: np.random.Generator) -> float:
        """Draw its number: factor, degrees, 1.0 or 0.0 for a flip or none; the seed of any other augmenter."""
        if self.spread is None:
            return float(rng.integers(2**31))
        if self.name == "Fliplr":
            return float(rng.random() < self.args.get("p", 1.0))
        return float(rng.uniform(*self.spread))


def parse_augmenter(entry: Any) -> AugmenterSpec:
    """Read ``{type: Name, args: {...}}``, or PaddleOCR's older list ``[Name, arg, ...]``.

    Arguments may hold augmenters in the same form, alone or in a list, as SomeOf, OneOf and Sometimes need. A range
    written ``( 0.5, 3 )`` inside braces, as one PaddleOCR file has it, is split by YAML at its comma; it is put
    together again.

    Raises:
        ValueError: if it has another form.
    """
    if isinstance(entry, (list, tuple)) and entry and isinstance(entry[0], str):
        name, values = entry[0], tuple(_argument(value) for value in entry[1:])
        if name in FIRST_ARGUMENT and len(values) == 1:
            return AugmenterSpec(name, {FIRST_ARGUMENT[name]: values[0]})
        return AugmenterSpec(name, {}, values)
    unknown = set(entry) - {"type", "args"} if isinstance(entry, Mapping) else {"?"}
    if unknown or "type" not in entry or not isinstance(entry.get("args") or {}, Mapping):
        raise ValueError(f"IaaAugment: augmenter_args: got {entry!r}, expected {{type: NAME, args: {{...}}}}")
    args = dict(entry.get("args") or {})
    for key, value in list(args.items()):
        ends = [other for other, nothing in args.items() if nothing is None and str(other).endswith(")")]
        if isinstance(value, str) and value.startswith("(") and len(ends) == 1:
            del args[ends[0]]
            args[key] = [float(value.strip("( ")), float(str(ends[0]).strip(") "))]
    name = str(entry["type"])
    if name in ALIASES:
        name, old, new = ALIASES[name]
        args = {new if key == old else key: value for key, value in args.items()}
    return AugmenterSpec(name, {key: _argument(value) for key, value in args.items()})


def _argument(value: Any) -> Any:
    """A YAML value as imgaug wants it: a list of numbers as a tuple, of words or augmenters as a list."""
    if isinstance(value, Mapping) and "type" in value:
        return parse_augmenter(value)
    if isinstance(value, Mapping):
        return {key: _argument(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], str) and not all(isinstance(item, str) for item in value):
            return parse_augmenter(value)
        items = [_argument(inner) for inner in value]
        return items if any(isinstance(item, (str, AugmenterSpec)) for item in items) else tuple(items)
    return value


def build_augmenter(spec: AugmenterSpec, rng: np.random.Generator) -> Any:
    """Build an imgaug augmenter, and those inside it, each with a seed of its own.

    Raises:
        ValueError: if there is no such augmenter or it refuses its arguments.
    """
    iaa = load_augmenters()
    found: Any = iaa
    for part in spec.name.split("."):
        found = getattr(found, part, None)
    if not _can_be_made(found, iaa):
        known = [name for name, kind in vars(iaa).items() if _can_be_made(kind, iaa)]
        near = difflib.get_close_matches(spec.name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"IaaAugment: imgaug has no augmenter named {spec.name!r}{hint}")
    seed = int(rng.integers(2**31))
    args = {key: _with_augmenters(value, rng) for key, value in spec.args.items()}
    try:
        return found(*(_with_augmenters(value, rng) for value in spec.positional), **args, seed=seed)
    except FAULTS as error:
        given = dict(spec.args) or list(spec.positional)
        raise ValueError(f"IaaAugment: {spec.name} refuses {given}: {str(error)[:400]}") from error


def _can_be_made(kind: Any, iaa: ModuleType) -> bool:
    return inspect.isclass(kind) and issubclass(kind, iaa.Augmenter) and not inspect.isabstract(kind)


def _with_augmenters(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, AugmenterSpec):
        return build_augmenter(value, rng)
    if isinstance(value, list):
        return [_with_augmenters(item, rng) for item in value]
    if isinstance(value, dict):
        return {key: _with_augmenters(item, rng) for key, item in value.items()}
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _range(value: Any) -> tuple[float, float] | None:
    return value if isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value)) else None
