"""ICDAR2017-MLT (Robust Reading Competition, Challenge 8, Task 1) ground truth.

As ICDAR2015, with the language between coordinates and transcription:
``x1,y1,x2,y2,x3,y3,x4,y4,language,transcription``. Pictures are ``img_N.jpg``, ``.png`` or ``.gif``; the one with the
name of the annotation file is meant, whatever its ending. Don't-care is exactly ``###``. The language is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.data.formats.icdar2015 import NAMES, is_mark
from ppocr_pse.data.formats.records import (
    Item,
    Text,
    make_text,
    numbers,
    pairs,
    texts_by_picture,
)
from ppocr_pse.data.labels import LabelError

LANGUAGES = frozenset(
    ("Arabic", "Bangla", "Chinese", "Hindi", "Japanese", "Korean", "Latin", "Mixed", "None", "Symbols")
)
"""Those of MLT 2017 and, with Hindi, 2019; only for telling the format, any word is read."""


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read ground truth, picture by picture.

    Args:
        labels: folder or zip of ``gt_NAME.txt``, or one such file.
        data_dir: folder of the pictures, or the folder above the eight training folders.

    Raises:
        LabelError: if there is nothing of this format.
    """
    return texts_by_picture(labels, data_dir, NAMES, "gt_NAME.txt", parse)


def parse(line: str) -> Text:
    """Read one line.

    Raises:
        LabelError: if it is not 8 numbers, a language and a transcription.
    """
    fields = line.split(",", 9)
    if len(fields) < 10:
        raise LabelError(
            f"{len(fields)} fields in {line[:60]!r}, expected x1,y1,x2,y2,x3,y3,x4,y4,language,transcription"
        )
    return make_text(pairs(numbers(fields[:8])), fields[9], is_mark(fields[9]))
