"""Parts of a network by name: which of them are frozen, and at what share of the learning rate each of them learns.

A part is a layer or a parameter with all below it: ``backbone``, ``backbone.stage0``, ``head.conv2.bias``; the shell's
wildcards join several: ``backbone.bb_[01]_*``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import paddle

BATCH_NORMS = (paddle.nn.BatchNorm2D, paddle.nn.SyncBatchNorm)


def belongs(name: str, part: str) -> bool:
    """Whether a layer or parameter is a part, or lies in it."""
    return fnmatchcase(name, part) or fnmatchcase(name, f"{part}.*")


def select(parameters: Mapping[str, Any], part: str) -> list[Any]:
    """Parameters that belong to a part.

    Args:
        parameters: by the names that they have in the network's state dict.
        part: see above.

    Raises:
        ValueError: if there are none; names near ones, and what there is at that place.
    """
    found = [parameter for name, parameter in parameters.items() if belongs(name, part)]
    if found:
        return found
    raise ValueError(f"no parameter belongs to {part!r}; {_near(part, parameters)}")


def _near(part: str, parameters: Iterable[str]) -> str:
    """Say which names are like one that does not exist, and which there are at its place."""
    known: dict[str, None] = {}
    for name in parameters:
        pieces = name.split(".")
        known.update(dict.fromkeys(".".join(pieces[: k + 1]) for k in range(len(pieces))))
    above = part.rpartition(".")[0]
    while above and above not in known:
        above = above.rpartition(".")[0]
    place = f"{above}." if above else ""
    inside = dict.fromkeys(name[len(place) :].split(".")[0] for name in known if name.startswith(place))
    like = difflib.get_close_matches(part, known, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, like))}? " if like else ""
    return f"{hint}{f'In {above} there are' if above else 'There are'} {', '.join(inside)}"


def freeze(network: paddle.nn.Layer, parts: Sequence[str]) -> list[paddle.nn.Layer]:
    """Keep parts of a network as they are: their parameters get no gradient, and so no optimizer state.

    Call it before the optimizer is made.

    Returns:
        The batch normalisation layers in these parts, whose running statistics are to be kept as well.

    Raises:
        ValueError: for a part that does not exist, or when nothing is left to train.
    """
    # Paddle counts running statistics, which have no gradient anyway, among the parameters
    parameters = {name: value for name, value in network.named_parameters() if not value.stop_gradient}
    for part in parts:
        for parameter in select(parameters, part):
            parameter.stop_gradient = True
    if all(parameter.stop_gradient for parameter in parameters.values()):
        raise ValueError(f"{', '.join(parts)}: all {len(parameters)} parameters are frozen, nothing is left to train")
    return [
        layer
        for name, layer in network.named_sublayers()
        if isinstance(layer, BATCH_NORMS) and any(belongs(name, part) for part in parts)
    ]


def scale_rates(parameters: Mapping[str, Any], rates: Mapping[str, float]) -> None:
    """Multiply the learning rate of parts; where several fit the longest name counts, elsewhere the factor is 1.

    Decoupled weight decay (AdamW) is multiplied with it, as it is part of the step.

    Args:
        parameters: by their names in the network's state dict; changed in place.
        rates: factor by part.

    Raises:
        ValueError: for a part that does not exist, or a factor that is not above 0.
    """
    for parameter in parameters.values():
        parameter.optimize_attr["learning_rate"] = 1.0
    for part in sorted(rates, key=len):
        if not (rates[part] > 0 and math.isfinite(rates[part])):
            raise ValueError(f"{part}: {rates[part]!r}, expected a factor above 0; Global.freeze keeps a part as it is")
        for parameter in select(parameters, part):
            parameter.optimize_attr["learning_rate"] = float(rates[part])
