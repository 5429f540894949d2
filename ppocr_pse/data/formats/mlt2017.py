"""ICDAR2017-MLT (Robust Reading Competition, Challenge 8, Task 1) ground truth.

As ICDAR2015, with the language between coordinates and transcription:
``x1,y1,x2,y2,x3,y3,x4,y4,language,transcription``. Pictures are ``img_N.jpg``, ``.png`` or ``.gif``; the one with the
name of the annotation file is meant, whatever its ending. Don't-care is exactly ``###``. The language is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.data.formats.icdar2015 import NAMES, is_mark
from ppocr_pse.data.formats.picture_folder import PictureFolder
from ppocr_pse.data.formats.records import (
    Item,
    Text,
    collect,
    each_picture,
    make_text,
    numbers,
    pairs,
    picture_items,
    read_lines,
)
from ppocr_pse.data.formats.sources import Source
from ppocr_pse.data.labels import LabelError, LabelFile

LANGUAGES = frozenset(
    ("Arabic", "Bangla", "Chinese", "Hindi", "Japanese", "Korean", "Latin", "Mixed", "None", "Symbols")
)
"""Those of MLT 2017 and, with Hindi, 2019; only for telling the format, any word is read."""


def read(labels: Path, data_dir: Path) -> LabelFile:
    """Read ground truth.

    Args:
        labels: folder or zip of ``gt_NAME.txt``, or one such file.
        data_dir: folder of the pictures, or the folder above the eight training folders.

    Raises:
        LabelError: if nothing can be used.
    """
    return collect(stream(labels, data_dir), labels)


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """The same as ``read``, picture by picture."""
    pictures = PictureFolder(data_dir)

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        return picture_items(pictures.find(match["stem"]), read_lines(source, parse), f"{source.place}:1")

    return each_picture(labels, NAMES, "gt_NAME.txt", items)


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
