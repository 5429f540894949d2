"""What the tables of names share: the form of a table, order of units, folding of a bias."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.errors import ConvertError

COUNTER = ".num_batches_tracked"
BN_EPSILON = 1e-5
UNITS_PER_STAGE = {15: (3, 3, 6, 3), 11: (1, 2, 5, 3)}
"""MobileNetV3, large and small: how its units are cut into the stages that end in c2, c3, c4 and c5."""

BLOCKS_PER_STAGE = {8: (2, 2, 2, 2), 16: (3, 4, 6, 3), 33: (3, 4, 23, 3), 50: (3, 8, 36, 3)}
"""ResNet 18, 34 and 50, 101, 152."""


def _nothing_to_finish(_tensors: dict[str, Array]) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Names:
    """A table of names for one file.

    Attributes:
        places: the file's name to ours.
        reasons: the file's name to why it has no place here.
        finish: changes the renamed tensors in place where values must change; returns our names of tensors that it
            added or changed, and how.
    """

    places: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[dict[str, Array]], dict[str, str]] = _nothing_to_finish


def few(names: Sequence[str], limit: int = 5) -> str:
    """List the first names and the number of all."""
    return ", ".join(names[:limit]) + (f", ... ({len(names)} in all)" if len(names) > limit else "")


def substitute(names: Iterable[str], rules: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Apply the first rule (pattern of the whole name, replacement) that matches each name."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    places = {}
    for name in names:
        for pattern, replacement in compiled:
            match = pattern.fullmatch(name)
            if match:
                places[name] = match.expand(replacement)
                break
    return places


def mobilenet_units(count: int) -> list[str]:
    """Return our prefixes of MobileNetV3's units in order, and of the convolution that ends it.

    Raises:
        ConvertError: if neither the large nor the small model has so many units.
    """
    if count not in UNITS_PER_STAGE:
        raise ConvertError(f"a MobileNetV3 of {count} units, expected 15 (large) or 11 (small)")
    stages = UNITS_PER_STAGE[count]
    units = [f"backbone.stage{stage}.{i}" for stage, depth in enumerate(stages) for i in range(depth)]
    return [*units, f"backbone.stage3.{stages[-1]}"]


def resnet_blocks(count: int) -> list[tuple[int, int]]:
    """Return (stage, index) of a ResNet's blocks in order.

    Raises:
        ConvertError: if no ResNet has so many blocks.
    """
    if count not in BLOCKS_PER_STAGE:
        raise ConvertError(f"a ResNet of {count} blocks, expected one of {sorted(BLOCKS_PER_STAGE)}")
    return [(stage, i) for stage, depth in enumerate(BLOCKS_PER_STAGE[count]) for i in range(depth)]


def fold_neck_biases(tensors: dict[str, Array]) -> dict[str, str]:
    """Take the biases of the neck's convolutions, which ours lack, into the batch normalisation that follows.

    Normalisation subtracts the running mean, so (mean - bias) gives the same numbers, exactly in exact arithmetic.
    """
    made = {}
    for name in [name for name in tensors if name.startswith("neck.") and name.endswith(".conv.bias")]:
        mean = name.replace(".conv.bias", ".bn._mean")
        if mean in tensors:
            tensors[mean] = (tensors[mean].astype(np.float64) - tensors.pop(name)).astype(np.float32)
            made[mean] = f"running mean less the convolution's bias ({name.removesuffix('.bias')} has none here)"
    return made
