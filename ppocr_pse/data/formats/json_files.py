"""Annotations in JSON: loading with the line of a syntax fault, and values that must be of a kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TextIO

import numpy as np

from ppocr_pse.data.formats.sources import Source, decode
from ppocr_pse.data.labels import LabelError

JSON_NAMES = re.compile(r"(?P<stem>.+)\.json", re.IGNORECASE)
_KINDS: Mapping[type, str] = MappingProxyType(
    {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}
)


def load_json(source: Source) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        LabelError: if it cannot be read, is not JSON, or is something else than an object.
    """
    content = source.content()
    try:
        loaded = json.loads(decode(content, source.place))
    except json.JSONDecodeError as error:
        raise LabelError(f"{source.place}:{error.lineno}: not JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise LabelError(f"{source.place}: JSON nested too deeply") from None
    if not isinstance(loaded, dict):
        raise LabelError(f"{source.place}: holds {type(loaded).__name__}, expected a JSON object {{...}}")
    return loaded


def field_of(entry: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    """A value of an object.

    Raises:
        LabelError: if the object does not have it, or it is of another kind.
    """
    if not isinstance(entry, dict):
        raise LabelError(f"got {str(entry)[:60]!r}, expected an object with {key!r}")
    if not isinstance(entry.get(key), kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(_KINDS[k] for k in kinds)
        shown = f"is {str(entry[key])[:60]!r}" if key in entry else "is missing"
        raise LabelError(f"{key!r} {shown}, expected {expected}")
    return entry[key]


def flat_points(flat: Sequence[Any], what: str) -> np.ndarray:
    """``[x1, y1, x2, y2, ...]`` as (N, 2).

    Raises:
        LabelError: if they are no numbers, or not an even count of them.
    """
    try:
        values = np.array(flat, np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim != 1 or len(values) % 2:
        raise LabelError(f"{what} is {str(flat)[:60]}, expected [x1, y1, x2, y2, ...]")
    return values.reshape(-1, 2)


def box_corners(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """Corners of an upright box, clockwise from the top left."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def write_list(file: TextIO, entries: Iterable[Any]) -> None:
    """Write a JSON list, one entry a line, as the entries come."""
    separator = "[\n"
    for entry in entries:
        file.write(separator + json.dumps(entry, ensure_ascii=False))
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")
