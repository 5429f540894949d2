"""Spoils a data set on purpose: some pictures and some labels, each fault another one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spoilt:
    """What was spoilt.

    Attributes:
        pictures: files that cannot be used though they exist.
        missing: files that are named and do not exist.
        lines: numbers of label lines, from 1, of which nothing can be used.
        texts: numbers of label lines of which one text cannot be used.
    """

    pictures: tuple[str, ...]
    missing: tuple[str, ...]
    lines: tuple[int, ...]
    texts: tuple[int, ...]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:60])


PICTURE_FAULTS = (
    _truncate,
    lambda file: file.write_bytes(b""),
    lambda file: file.write_text("<html>404 not found</html>"),
    lambda file: file.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(8) + b"\x08\x02\x00\x00\x00"),  # 0 x 0
    lambda file: file.write_bytes(bytes(range(256)) * 4),
)

GOOD = {"transcription": "good", "points": [[1, 1], [40, 1], [40, 20], [1, 20]]}
TEXT_FAULTS = (
    {"transcription": "line", "points": [[1, 1], [40, 1]]},
    {"transcription": "nan", "points": [[1, 1], [40, 1], [float("nan"), 20]]},
    {"transcription": "infinite", "points": [[1, 1], [40, 1], [float("inf"), 20]]},
    {"transcription": "words", "points": [["a", 1], [40, 1], [40, 20]]},
    {"transcription": "none"},
)

LINE_FAULTS = (
    lambda name: f"{name}\t[{{'transcription': 'single quotes', 'points': [[1, 1], [2, 1], [2, 2]]}}]",
    lambda name: f"{name} []",  # a space for the TAB
    lambda name: f'{name}\t[{{"transcription": "cut of',
    lambda name: f'{name}\t{{"points": []}}',
    lambda name: "\t[]",
)


def spoil(label: Path, every: int = 50) -> Spoilt:
    """Spoil a picture or a label line of each ``every`` lines in turn, and a text of one line in four times as many.

    Args:
        label: a label file beside its pictures; both are written over.
        every: from 2.
    """
    lines = label.read_text(encoding="utf-8").splitlines()
    pictures, missing, broken, texts = [], [], [], []
    for i in range(every // 2, len(lines), every):
        number = i // every
        name, entries = lines[i].split("\t")
        if number % 2:
            lines[i] = LINE_FAULTS[number // 2 % len(LINE_FAULTS)](name)
            broken.append(i + 1)
        elif number % 12 == 10:
            (label.parent / name).unlink()
            missing.append(name)
        else:
            PICTURE_FAULTS[number // 2 % len(PICTURE_FAULTS)](label.parent / name)
            pictures.append(name)
    for number, i in enumerate(range(every // 4, len(lines), 4 * every)):
        name, entries = lines[i].split("\t")
        faulty = TEXT_FAULTS[number % len(TEXT_FAULTS)]
        lines[i] = f"{name}\t{json.dumps([*json.loads(entries), GOOD, faulty])}"
        texts.append(i + 1)
    label.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Spoilt(tuple(pictures), tuple(missing), tuple(broken), tuple(texts))
