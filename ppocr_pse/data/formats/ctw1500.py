"""SCUT-CTW1500: texts of 14 points, 7 along each long side, in the three forms in which it was published.

- Training: ``0001.xml`` with ``<image file="0001.jpg"><box ...><label>TEXT</label><segs>x1,y1,...,x14,y14</segs>``; the
  points are absolute, ``<pts>`` are centres of characters and not read.
- Test: ``0001001.txt`` (three zeros and the picture's name 1001), lines ``x1,y1,...,x14,y14,####TEXT``: the text
  begins after the four ``#``.
- First release: lines ``xmin,ymin,xmax,ymax,dx1,dy1,...,dx14,dy14``: 32 numbers, the points are relative to
  (xmin, ymin).

Don't-care is the text ``###`` (so ``#######`` ends such a line of the test form).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ppocr_pse.data.formats.ctw1500_xml import Box, Parser
from ppocr_pse.data.formats.picture_folder import PictureFolder
from ppocr_pse.data.formats.records import (
    Item,
    Reading,
    Text,
    each_picture,
    make_text,
    numbers,
    pairs,
    picture_items,
    read_lines,
)
from ppocr_pse.data.formats.sources import Source
from ppocr_pse.data.formats.writing import Written, one_line, whole_numbers, write_each
from ppocr_pse.data.labels import LabelError
from ppocr_pse.types import Annotation, Polygon

NAMES = re.compile(r"(?P<stem>.+)\.(?P<kind>txt|xml)", re.IGNORECASE)
POINTS = 14
MARK = "###"
_SEPARATOR = "####"
_TEST_NAME = re.compile(r"000(\d{4})")


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read annotations of any of the three forms, picture by picture.

    Args:
        labels: folder or zip of ``.xml`` or ``.txt`` files, or one such file.
        data_dir: folder of the pictures.

    Raises:
        LabelError: if there is nothing of this format.
    """
    pictures = PictureFolder(data_dir)

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        if match["kind"].lower() == "xml":
            return _xml_items(source, match["stem"], pictures)
        return picture_items(
            _picture_of_text_file(match["stem"], pictures), read_lines(source, parse), f"{source.place}:1"
        )

    return each_picture(labels, NAMES, "NAME.xml or NAME.txt", items)


def _picture_of_text_file(stem: str, pictures: PictureFolder) -> Path:
    image = pictures.find(stem)
    test = _TEST_NAME.fullmatch(stem)
    return pictures.find(test[1]) if test and not image.is_file() else image


def parse(line: str) -> Text:
    """Read one line of a text file.

    Raises:
        LabelError: if it is of neither form.
    """
    head, separator, transcription = line.partition("," + _SEPARATOR)
    fields = head.split(",")
    if len(fields) == 2 * POINTS:  # without #### as published for evaluation without recognition
        return make_text(pairs(numbers(fields)), transcription, transcription == MARK)
    if len(fields) == 2 * POINTS + 4 and not separator:
        values = np.array(numbers(fields)).reshape(-1, 2)
        return make_text(values[2:] + values[0], "", False)
    before = " before ####" if separator else ""
    raise LabelError(
        f"{len(fields)} fields{before} in {line[:60]!r}, expected 28 coordinates and ####TEXT, or the 32 numbers of "
        "the first release"
    )


def _xml_items(source: Source, stem: str, pictures: PictureFolder) -> Iterator[Item]:
    parser = Parser(source.content())
    if parser.fault is not None:
        line, message = parser.fault
        yield LabelError(f"{source.place}:{line}: not valid XML ({message}); what stands before it is read")
    elif not parser.images:
        yield LabelError(f"{source.place}: no <image> in it; this file is left out")
    for image in parser.images:
        reading = Reading([], [])
        for box in image.boxes:
            try:
                reading.texts.append(_parse_box(box))
            except LabelError as error:
                reading.faults.append(LabelError(f"{source.place}:{box.line}: {error}; this text is left out"))
        if parser.fault is not None and image is parser.images[-1] and not reading.texts:
            yield from reading.faults  # cut off before its first text: it is not known to be without text
            yield LabelError(f"{source.place}:{image.line}: no text of {image.file} could be read; it is left out")
            continue
        name = Path(image.file or stem)
        found = pictures.find(name.stem, name.suffix or ".jpg")
        yield from picture_items(found, reading, f"{source.place}:{image.line}")


def _parse_box(box: Box) -> Text:
    if box.segs is None:
        raise LabelError("<box> without <segs>")
    fields = box.segs.strip().strip(",").split(",")
    if len(fields) != 2 * POINTS:
        raise LabelError(f"{len(fields)} numbers in <segs>, expected {2 * POINTS}")
    transcription = box.label or ""
    return make_text(pairs(numbers(fields)), transcription, transcription == MARK)


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write text files of the test form, coordinates rounded to whole pixels.

    Args:
        annotations: what to write.
        target: a folder, or a file that ends in ``.zip``.
        data_dir: not looked at: the format has names only.
        fit: bring polygons with another number of points to 14, instead of leaving them out.
    """

    def line_of(text: Text) -> str:
        polygon = text.polygon
        if len(polygon) != POINTS:
            if not fit:
                raise LabelError(f"{len(polygon)} points, and the format holds 14; --fit brings them to 14")
            polygon = with_points(polygon)
        return ",".join([*map(str, whole_numbers(polygon)), _SEPARATOR + one_line(text.transcription)])

    def file_name(stem: str) -> str:
        return f"{'000' if re.fullmatch(r'[0-9]{4}', stem) else ''}{stem}.txt"

    return write_each(annotations, target, file_name, line_of, MARK, MARK.__eq__)


def with_points(polygon: Polygon) -> Polygon:
    """Bring a polygon to 14 points, 7 along each long side.

    As in the data set, the first half of the points is taken for one long side and the second half for the other
    (an odd number is made even in the middle of the longest edge). Points are added in the middle of the longest edges
    of a side, which leaves the shape as it is; a side of more than 7 points is sampled anew at equal distances.
    """
    points = np.asarray(polygon, np.float64)
    if len(points) % 2:
        points = _split_longest(np.vstack([points, points[:1]]))[:-1]
    half = len(points) // 2
    return np.vstack([_side(points[:half]), _side(points[half:])]).astype(np.float32)


def _side(points: np.ndarray) -> np.ndarray:
    while len(points) < POINTS // 2:
        points = _split_longest(points)
    if len(points) == POINTS // 2:
        return points
    along = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    at = np.linspace(0.0, along[-1], POINTS // 2)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _split_longest(points: np.ndarray) -> np.ndarray:
    longest = int(np.hypot(*np.diff(points, axis=0).T).argmax())
    return np.insert(points, longest + 1, (points[longest] + points[longest + 1]) / 2, axis=0)
