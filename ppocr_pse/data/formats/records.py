"""From what a format says to annotations: checked texts, named faults, and both put together."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppocr_pse.data.formats.picture_folder import PictureFolder
from ppocr_pse.data.formats.sources import Source, decode, open_sources
from ppocr_pse.data.labels import LabelError, LabelFile, parse_text
from ppocr_pse.types import Annotation, Polygon

Item = Annotation | LabelError
"""What a stream of annotations gives: a picture's texts, or what was left out and why."""


class Text(NamedTuple):
    """One text: float32 (N, 2) polygon in pixels, transcription, and whether it is don't-care."""

    polygon: Polygon
    transcription: str
    ignored: bool


class Reading(NamedTuple):
    """The usable texts of one annotation file, and the faults of the others."""

    texts: list[Text]
    faults: list[LabelError]


def make_text(points: Any, transcription: str, ignored: bool) -> Text:
    """Check a polygon.

    Args:
        points: (N, 2) numbers in pixels.
        transcription: as the data set has it.
        ignored: by the data set's rule.

    Raises:
        LabelError: if there are fewer than 3 points or they are not finite numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # gives infinity or NaN, which are refused
        polygon, text = parse_text({"points": points, "transcription": transcription})
    return Text(polygon, text, bool(ignored))


def numbers(fields: Sequence[str], what: str = "coordinates") -> list[float]:
    """Convert fields of a line to numbers.

    Raises:
        LabelError: if one is none, or not finite.
    """
    try:
        values = [float(field) for field in fields]
    except ValueError as error:
        raise LabelError(f"{what} are {','.join(fields)[:80]!r}, expected numbers ({error})") from None
    if not all(map(math.isfinite, values)):
        raise LabelError(f"{what} are {','.join(fields)[:80]!r}, expected finite numbers")
    return values


def pairs(flat: Sequence[float]) -> list[list[float]]:
    """``[x1, y1, x2, y2, ...]`` as ``[[x1, y1], [x2, y2], ...]``."""
    return [list(point) for point in zip(flat[::2], flat[1::2])]


def read_lines(source: Source, parse: Callable[[str], Text]) -> Reading:
    """Read a file with one text a line; a fault costs its line only.

    Args:
        source: the file.
        parse: makes a text of a line without its line end, or raises LabelError.

    Raises:
        LabelError: if the file cannot be read.
    """
    reading = Reading([], [])
    for place, line in source.lines():
        try:
            reading.texts.append(parse(decode(line, place)))
        except LabelError as error:
            message = str(error)
            where = "" if message.startswith(place) else f"{place}: "
            reading.faults.append(LabelError(f"{where}{message}; this text is left out"))
    return reading


def picture_items(image: Path, reading: Reading, source: str) -> Iterator[Item]:
    """What a stream gives for one picture: its faults, then its texts.

    A picture of which no text is usable is left out: it would be trained on as one without text.
    """
    yield from reading.faults
    if reading.faults and not reading.texts:
        yield LabelError(f"{source}: none of its texts can be used; the picture {image.name} is left out")
    else:
        yield annotation(image, reading.texts, source)


def annotation(image: Path, texts: Sequence[Text], source: str) -> Annotation:
    """Put the texts of a picture together."""
    return Annotation(
        image,
        tuple(text.polygon for text in texts),
        np.array([text.ignored for text in texts], bool),
        tuple(text.transcription for text in texts),
        source,
    )


def each_picture(
    labels: Path,
    pattern: re.Pattern[str],
    expected: str,
    items_of: Callable[[Source, re.Match[str]], Iterator[Item]],
) -> Iterator[Item]:
    """Go through the files of a data set that has one annotation file a picture.

    Args:
        labels: a file, a folder or a zip.
        pattern: names of annotation files; group ``stem`` is what the picture is called. Where it has a group
            ``prefix`` and some names have that prefix, the others are not of the data set and left alone.
        expected: such names in words.
        items_of: reads one file.

    Raises:
        LabelError: if no file has such a name.
    """
    with open_sources(labels) as sources:
        matches = [(source, match) for source in sources if (match := pattern.fullmatch(source.name))]
        if not matches:
            seen = ", ".join(source.name for source in sources[:3]) or "nothing"
            raise LabelError(f"{labels}: no annotation files there, expected {expected}; found {seen}")
        if any(match.groupdict().get("prefix") for _, match in matches):
            matches = [(source, match) for source, match in matches if match["prefix"]]
        taken: dict[str, str] = {}
        for source, match in matches:
            first = taken.setdefault(match["stem"], source.place)
            if first != source.place:
                yield LabelError(f"{source.place}: annotates the same picture as {first}; this file is left out")
                continue
            try:
                yield from items_of(source, match)
            except LabelError as error:
                message = str(error)
                where = "" if message.startswith(source.place) else f"{source.place}: "
                yield LabelError(f"{where}{message}; this file is left out")


def texts_by_picture(
    labels: Path,
    data_dir: Path,
    pattern: re.Pattern[str],
    expected: str,
    parse: Callable[[str], Text],
    suffix: str = ".jpg",
) -> Iterator[Item]:
    """Go through a data set that has one file a picture and one text a line.

    Args:
        labels: a file, a folder or a zip.
        data_dir: folder of the pictures, or the folder above several of them.
        pattern: names of annotation files, see `each_picture`.
        expected: such names in words.
        parse: makes a text of a line, or raises LabelError.
        suffix: ending of a picture that does not exist, for messages.

    Raises:
        LabelError: if no file has such a name.
    """
    pictures = PictureFolder(data_dir)

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        return picture_items(pictures.find(match["stem"], suffix), read_lines(source, parse), f"{source.place}:1")

    return each_picture(labels, pattern, expected, items)


def collect(items: Iterable[Item], labels: Path) -> LabelFile:
    """Gather a stream.

    Raises:
        LabelError: if nothing in it can be used.
    """
    annotations: list[Annotation] = []
    problems: list[str] = []
    for item in items:
        if isinstance(item, Annotation):
            annotations.append(item)
        else:
            problems.append(str(item))
    if not annotations:
        first = f"; the first: {problems[0]}" if problems else ""
        raise LabelError(f"{labels}: nothing usable ({len(problems)} faulty{first})")
    return LabelFile(tuple(annotations), tuple(problems))
