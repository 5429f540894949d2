"""The training annotations of SCUT-CTW1500: XML, read with the line of every box."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

_BARE_AMPERSAND = re.compile(rb"&(?!#?\w+;)")  # transcriptions such as "A & B" are not always escaped


@dataclass
class Box:
    """A ``<box>``: its line, and the text of its ``<label>`` and ``<segs>`` (None when it has none)."""

    line: int
    label: str | None = None
    segs: str | None = None


@dataclass
class Image:
    """An ``<image>``: its line, file name and boxes."""

    line: int
    file: str
    boxes: list[Box] = field(default_factory=list)


class Parser:
    """Collects images and boxes; what is complete before a fault in the XML is kept.

    Attributes:
        images: what was found.
        fault: (line, message), or None.
    """

    def __init__(self, content: bytes) -> None:
        self.images: list[Image] = []
        self.fault: tuple[int, str] | None = None
        self._text: list[str] = []
        self._open: Box | None = None
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text.append
        try:
            self._expat.Parse(_BARE_AMPERSAND.sub(b"&amp;", content), True)
        except expat.ExpatError as error:
            self.fault = error.lineno, expat.ErrorString(error.code)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._expat.CurrentLineNumber
        self._text.clear()
        if tag == "image":
            self.images.append(Image(line, attributes.get("file", "")))
        elif tag == "box":
            self._open = Box(line)

    def _end(self, tag: str) -> None:
        text = "".join(self._text)
        self._text.clear()
        if self._open is None:
            return
        if tag == "label":
            self._open.label = text
        elif tag == "segs":
            self._open.segs = text
        elif tag == "box":
            if self.images:
                self.images[-1].boxes.append(self._open)
            self._open = None
