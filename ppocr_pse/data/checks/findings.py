"""What a check can find: kinds, their weight, and where they were met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ERROR, WARNING, NOTE = "error", "warning", "note"

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "unusable-file": (ERROR, "label files that training cannot begin with"),
        "no-separator": (ERROR, "lines without the delimiter between path and labels"),
        "no-path": (ERROR, "lines without a picture path"),
        "json": (ERROR, "lines whose labels are not a JSON list"),
        "label": (ERROR, "labels that the reader of this format left out"),
        "bad-points": (ERROR, "texts without points, or with points that are not pairs of numbers"),
        "not-finite": (ERROR, "texts with NaN or infinite coordinates"),
        "few-points": (ERROR, "texts with fewer than 3 points"),
        "missing": (ERROR, "pictures that do not exist"),
        "name-case": (ERROR, "picture names that differ from the file's in case or Unicode form"),
        "backslash": (ERROR, "picture paths with backslashes"),
        "empty-picture": (ERROR, "picture files of 0 bytes"),
        "truncated": (ERROR, "picture files that end too early"),
        "unreadable": (ERROR, "picture files that cannot be decoded"),
        "z-order": (ERROR, "quadrilaterals in Z order: two corners are swapped"),
        "self-crossing": (ERROR, "outlines that cross themselves"),
        "zero-area": (ERROR, "outlines without area"),
        "outside": (ERROR, "texts wholly outside their picture"),
        "far-outside": (WARNING, "texts with points far outside their picture"),
        "past-border": (NOTE, "texts with points a little outside their picture"),
        "vanishes": (WARNING, "texts that vanish at the smallest kernel, which makes them don't-care"),
        "larger-than-crop": (NOTE, "texts that no crop window holds whole"),
        "duplicate-line": (WARNING, "pictures that have more than one line"),
        "same-content": (WARNING, "pictures with the same content as another one"),
        "leak": (WARNING, "pictures that are in Train and in Eval"),
        "duplicate-text": (WARNING, "texts with the outline of another text of the picture"),
        "almost-dont-care": (WARNING, "transcriptions that look like don't-care but are read as text"),
        "exif-labels": (WARNING, "labels drawn for the picture as stored, but EXIF turns it"),
        "exif": (NOTE, "pictures that EXIF turns"),
        "all-ignored": (NOTE, "pictures with don't-care texts only"),
        "no-text": (NOTE, "pictures without text"),
        "bom": (NOTE, "label files with a byte order mark"),
        "crlf": (NOTE, "label files with CRLF line ends"),
        "listed-twice": (NOTE, "label files that are listed more than once"),
    }
)
"""kind -> (usual severity, what is counted). error: training loses something; warning: training keeps it, but it
hurts; note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: a key of ``KINDS``.
        file: the label file (or what holds the labels in another format).
        line: of that file, counted from 1; 0 when it is about the whole file.
        message: what it is, and the cure where there is one.
        text: number of the text in its line, counted from 1; 0 when it is about the whole line.
        severity: ``error``, ``warning`` or ``note``.
    """

    kind: str
    file: str
    line: int
    message: str
    text: int = 0
    severity: str = ""

    def __post_init__(self) -> None:
        if not self.severity:
            object.__setattr__(self, "severity", KINDS[self.kind][0])

    def __str__(self) -> str:
        """``FILE:LINE: text N: message``."""
        line = f":{self.line}" if self.line else ""
        text = f"text {self.text}: " if self.text else ""
        return f"{self.file}{line}: {text}{self.message}"
