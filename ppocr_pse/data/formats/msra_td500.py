"""MSRA-TD500 ground truth: ``IMG_NAME.gt`` beside ``IMG_NAME.JPG``.

A line is ``index difficult x y w h theta``: the rectangle with top left corner (x, y) is turned about its own centre by
theta radians, clockwise as seen (y points down). Texts are lines and have no transcriptions. ``difficult`` 1 is
don't-care.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.data.formats.records import (
    Item,
    Text,
    make_text,
    numbers,
    texts_by_picture,
)
from ppocr_pse.data.labels import LabelError

NAMES = re.compile(r"(?P<stem>.+)\.gt", re.IGNORECASE)


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read ground truth, picture by picture.

    Args:
        labels: folder or zip of ``.gt`` files, or one such file.
        data_dir: folder of the pictures; the same folder, as the data set comes.

    Raises:
        LabelError: if there is nothing of this format.
    """
    return texts_by_picture(labels, data_dir, NAMES, "NAME.gt", parse, ".JPG")


def parse(line: str) -> Text:
    """Read one line.

    Raises:
        LabelError: if it is not seven numbers, or difficult is not 0 or 1.
    """
    fields = line.split()
    if len(fields) != 7:
        raise LabelError(f"{len(fields)} fields in {line[:60]!r}, expected index difficult x y w h theta")
    _, difficult, x, y, width, height, theta = numbers(fields, "the fields")
    if difficult not in (0, 1):
        raise LabelError(f"difficult is {fields[1]}, expected 0 or 1")
    return make_text(turned_rectangle(x, y, width, height, theta), "", difficult == 1)


def turned_rectangle(x: float, y: float, width: float, height: float, theta: float) -> list[tuple[float, float]]:
    """Corners of a rectangle turned about its centre, from what was its top left corner, clockwise; pixels, radians."""
    cos, sin = math.cos(theta), math.sin(theta)
    across, down = width / 2, height / 2
    return [
        (x + across + dx * cos - dy * sin, y + down + dx * sin + dy * cos)
        for dx, dy in ((-across, -down), (across, -down), (across, down), (-across, down))
    ]
