"""ICDAR2015 Incidental Scene Text (Robust Reading Competition, Challenge 4, Task 1) ground truth.

A folder, or the zip as it is downloaded, with ``gt_img_N.txt`` for ``img_N.jpg``; a line is
``x1,y1,x2,y2,x3,y3,x4,y4,transcription``, corners clockwise from the top left of the text, and what follows the
eighth comma is the transcription, commas and quotation marks included. Files begin with a byte order mark and end
their lines with CRLF. Don't-care is exactly ``###``, also in quotation marks, as the official script reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ppocr_pse.data.formats.records import (
    Item,
    Text,
    make_text,
    numbers,
    pairs,
    texts_by_picture,
)
from ppocr_pse.data.formats.writing import Written, one_line, whole_numbers, write_each
from ppocr_pse.data.labels import LabelError
from ppocr_pse.polygons import min_area_quad, order_clockwise
from ppocr_pse.types import Annotation, Polygon

NAMES = re.compile(r"(?P<prefix>gt_)?(?P<stem>.+)\.txt", re.IGNORECASE)
MARK = "###"
_QUOTED = re.compile(r'\s*"(.*)"\s*')


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read ground truth, picture by picture.

    Args:
        labels: folder or zip of ``gt_NAME.txt``, or one such file.
        data_dir: folder of the pictures, or the folder above several of them.

    Raises:
        LabelError: if there is nothing of this format.
    """
    return texts_by_picture(labels, data_dir, NAMES, "gt_NAME.txt", parse)


def parse(line: str) -> Text:
    """Read one line.

    Raises:
        LabelError: if it is not 8 numbers and a transcription.
    """
    fields = line.split(",", 8)
    if len(fields) < 9:
        raise LabelError(f"{len(fields)} fields in {line[:60]!r}, expected x1,y1,x2,y2,x3,y3,x4,y4,transcription")
    return make_text(pairs(numbers(fields[:8])), fields[8], is_mark(fields[8]))


def is_mark(transcription: str) -> bool:
    """Whether a transcription means don't-care."""
    quoted = _QUOTED.fullmatch(transcription)
    return (quoted[1] if quoted else transcription) == MARK


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write ``gt_NAME.txt`` files, coordinates rounded to whole pixels, corners clockwise as the official script asks.

    Args:
        annotations: what to write.
        target: a folder, or a file that ends in ``.zip``.
        data_dir: not looked at: the format has names only.
        fit: write the rectangle of least area for polygons that do not have 4 points, instead of leaving them out.
    """

    def line_of(text: Text) -> str:
        polygon = text.polygon
        if len(polygon) != 4:
            if not fit:
                raise LabelError(
                    f"{len(polygon)} points, and the format holds 4; --fit writes the rectangle of least area"
                )
            polygon = order_clockwise(min_area_quad(polygon))
        elif _is_counter_clockwise(polygon):
            polygon = polygon[[0, 3, 2, 1]]
        return ",".join([*map(str, whole_numbers(polygon)), one_line(text.transcription)])

    return write_each(annotations, target, lambda stem: f"gt_{stem}.txt", line_of, MARK, is_mark)


def _is_counter_clockwise(polygon: Polygon) -> bool:
    """As seen, with y down."""
    x, y = polygon.astype(np.float64).T
    return bool(np.dot(x, np.roll(y, -1)) < np.dot(np.roll(x, -1), y))
