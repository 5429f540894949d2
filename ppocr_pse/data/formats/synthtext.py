"""SynthText in the Wild: ``gt.mat`` with ``imnames``, ``wordBB`` and ``txt``, one cell a picture.

``wordBB`` holds the corners of N words as 2 x 4 x N (x and y, corners clockwise from the top left of the word; 2 x 4
when N is 1). ``txt`` holds blocks of text; its words, split at blanks and line breaks, belong to the boxes in order.
Nothing is don't-care.

The file has 858,750 pictures and unpacks to gigabytes. ``stream`` reads it cell by cell, in little memory; ``read``
keeps the annotations of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.formats.mat5 import MatFile, texts_in
from ppocr_pse.data.formats.records import Item, Reading, make_text, picture_items
from ppocr_pse.data.labels import LabelError

VARIABLES = ("imnames", "wordBB", "txt")
_FILE = "gt.mat"


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read ground truth, picture by picture, in little memory; places are ``FILE:NUMBER`` of the picture.

    Args:
        labels: ``gt.mat``, or the folder with it.
        data_dir: the folder with the numbered folders of pictures.

    Raises:
        LabelError: if there is nothing of this format.
    """
    mat = MatFile.at(labels / _FILE if labels.is_dir() else labels)
    missing = [name for name in VARIABLES if name not in mat]
    if missing:
        raise LabelError(f"{mat.place}: no {', '.join(missing)} in it, expected {', '.join(VARIABLES)}")
    counts = [mat.count(name) for name in VARIABLES]
    if len(set(counts)) != 1:
        raise LabelError(f"{mat.place}: {', '.join(VARIABLES)} have {counts} cells, expected as many")
    number = 0
    try:
        for number, (name, boxes, blocks) in enumerate(zip(*map(mat.cells, VARIABLES)), 1):
            place = f"{mat.place}:{number}"
            try:
                image = data_dir / "".join(texts_in(name)).rstrip()
                reading = _read_words(boxes, " ".join(texts_in(blocks)).split(), place)
            except LabelError as error:
                yield LabelError(f"{place}: {error}; this picture is left out")
                continue
            yield from picture_items(image, reading, place)
    except LabelError as error:
        yield LabelError(f"{mat.place}:{number + 1}: {error}; {counts[0] - number} pictures are left out")


def _read_words(boxes: Any, words: list[str], place: str) -> Reading:
    if not isinstance(boxes, np.ndarray) or boxes.shape[:2] != (2, 4) or boxes.ndim > 3:
        shape = getattr(boxes, "shape", None)
        raise LabelError(f"wordBB is of shape {shape}, expected (2, 4, N)")
    corners = boxes.reshape(2, 4, -1, order="F").T  # (N, 4, 2)
    reading = Reading([], [])
    if len(words) != len(corners):
        reading.faults.append(
            LabelError(f"{place}: {len(words)} words for {len(corners)} boxes; the transcriptions are left out")
        )
        words = [""] * len(corners)
    for index, (polygon, word) in enumerate(zip(corners, words), 1):
        try:
            reading.texts.append(make_text(polygon, word, False))
        except LabelError as error:
            reading.faults.append(LabelError(f"{place}: word {index}: {error}; this text is left out"))
    return reading
