"""Total-Text ground truth of polygons: ``poly_gt_imgN.mat`` or ``poly_gt_imgN.txt`` (``gt_imgN`` too) for ``imgN.jpg``.

A ``.mat`` holds ``polygt``, a cell array of rows ``'x:', [xs], 'y:', [ys], text, orientation``. A text file holds the
same as ``x: [[xs]], y: [[ys]], ornt: [u'c'], transcriptions: [u'TEXT']``, where long rows of numbers wrap over lines.
Orientation is c (curved), h (horizontal), m (other directions) or #. Don't-care is ``#``, as text or as orientation:
the two go together in the data set, the official script looks at the orientation, most others at the text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.formats.mat5 import MatFile, texts_in
from ppocr_pse.data.formats.picture_folder import PictureFolder
from ppocr_pse.data.formats.records import Item, Reading, Text, each_picture, make_text, numbers, picture_items
from ppocr_pse.data.formats.sources import Source, decode
from ppocr_pse.data.formats.writing import Written, whole_numbers, write_each
from ppocr_pse.data.labels import LabelError
from ppocr_pse.types import Annotation

NAMES = re.compile(r"(?!rect_)(?P<prefix>(?:poly_)?gt_)?(?P<stem>.+)\.(?P<kind>mat|txt)", re.IGNORECASE)
MARK = "#"
_VARIABLE, _COLUMNS = "polygt", 6
_RECORD = re.compile(
    r"x:\s*\[+([^\]]*)\]+\s*,\s*y:\s*\[+([^\]]*)\]+\s*,\s*ornt:\s*(\[.*?\])\s*,\s*transcriptions:\s*(\[.*\])\s*",
    re.DOTALL,
)


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read ground truth, picture by picture.

    Args:
        labels: folder or zip of ``.mat`` or ``.txt`` files, or one such file.
        data_dir: folder of the pictures, or the folder above Train and Test.

    Raises:
        LabelError: if there is nothing of this format.
    """
    pictures = PictureFolder(data_dir)

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        reading = _read_mat(source) if match["kind"].lower() == "mat" else _read_text(source)
        return picture_items(pictures.find(match["stem"]), reading, f"{source.place}:1")

    return each_picture(labels, NAMES, "poly_gt_NAME.mat or poly_gt_NAME.txt", items)


def _read_text(source: Source) -> Reading:
    reading = Reading([], [])
    records: list[tuple[str, list[bytes]]] = []
    for place, line in source.lines():
        if line.lstrip().startswith(b"x:") or not records:
            records.append((place, []))
        records[-1][1].append(line)
    for place, lines in records:
        try:
            reading.texts.append(_parse_record(decode(b"\n".join(lines), place)))
        except LabelError as error:
            message = str(error)
            where = "" if message.startswith(place) else f"{place}: "
            reading.faults.append(LabelError(f"{where}{message}; this text is left out"))
    return reading


def _parse_record(record: str) -> Text:
    found = _RECORD.fullmatch(record.strip())
    if found is None:
        raise LabelError(
            f"{record[:60]!r} is not of the form x: [[...]], y: [[...]], ornt: [u'c'], transcriptions: [u'TEXT']"
        )
    xs, ys = (numbers(found[group].replace(",", " ").split()) for group in (1, 2))
    return _make(xs, ys, _literal(found[4]), _literal(found[3]))


def _literal(written: str) -> str:
    """The text in a Python list of literals such as ``[u'TEXT']``; "" for an empty list."""
    try:
        values = ast.literal_eval(written.replace("\n", " "))
    except (ValueError, SyntaxError):
        raise LabelError(f"{written[:60]!r}, expected a text in brackets such as [u'TEXT']") from None
    return " ".join(str(value) for value in values)


def _make(xs: Any, ys: Any, transcription: str, orientation: str) -> Text:
    if len(xs) != len(ys):
        raise LabelError(f"{len(xs)} values of x and {len(ys)} of y, expected as many")
    return make_text(np.stack([xs, ys], axis=1), transcription, MARK in (transcription, orientation))


def _read_mat(source: Source) -> Reading:
    content = source.content()
    mat = MatFile(lambda: BytesIO(content), source.place)
    if _VARIABLE not in mat:
        raise LabelError(f"there is no {_VARIABLE} in it; only the ground truth of polygons is read")
    reading = Reading([], [])
    shape = mat.shape(_VARIABLE)
    if 0 in shape:  # a picture without text
        return reading
    if len(shape) != 2 or shape[1] < _COLUMNS or mat.count(_VARIABLE) != shape[0] * shape[1]:
        raise LabelError(f"{_VARIABLE} is of shape {shape}, expected rows of x:, [xs], y:, [ys], text, orientation")
    cells = list(mat.cells(_VARIABLE))  # MATLAB goes down the columns
    for row in range(shape[0]):
        _, xs, _, ys, transcription, orientation = cells[row :: shape[0]][:_COLUMNS]
        try:
            texts = ("".join(texts_in(cell)) for cell in (transcription, orientation))
            text = _make(_values(xs), _values(ys), *texts)
        except LabelError as error:
            reading.faults.append(LabelError(f"{source.place}:{row + 1}: {error}; this text is left out"))
        else:
            reading.texts.append(text)
    return reading


def _values(cell: Any) -> np.ndarray:
    if not isinstance(cell, np.ndarray):
        raise LabelError(f"{str(cell)[:60]}, expected numbers")
    return cell.ravel()


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write ``poly_gt_NAME.txt`` files, coordinates rounded to whole pixels.

    Args:
        annotations: what to write.
        target: a folder, or a file that ends in ``.zip``.
        data_dir: not looked at: the format has names only.
        fit: of no consequence here: every polygon fits.
    """
    return write_each(annotations, target, lambda stem: f"poly_gt_{stem}.txt", _line_of, MARK, MARK.__eq__)


def _line_of(text: Text) -> str:
    values = whole_numbers(text.polygon)
    xs, ys = (" ".join(map(str, values[axis::2])) for axis in (0, 1))
    return f"x: [[{xs}]], y: [[{ys}]], ornt: [u'{_orientation(text)}'], transcriptions: [u{text.transcription!r}]"


def _orientation(text: Text) -> str:
    if text.ignored:
        return MARK
    if len(text.polygon) > 4:
        return "c"
    (x0, y0), (x1, y1) = text.polygon[:2]
    return "h" if abs(y1 - y0) <= 0.1 * abs(x1 - x0) else "m"
