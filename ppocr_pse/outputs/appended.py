"""Files of lines that grow with the run: whole lines only, whatever stops it, and cut and sorted when it goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import NamedTuple

from ppocr_pse.outputs.base import Order, OutputError, whole_file

PAGE_MARK = "#page="


class Entry(NamedTuple):
    """What a line says: the picture's name as lines have it, and how many texts; -1 when it could not be read."""

    name: str
    texts: int


class AppendedFile:
    """A file in which each picture has lines, flushed picture by picture.

    Args:
        file: the file.
        parse: tells what a line says; ValueError for one that is not of this program.
    """

    def __init__(self, file: Path, parse: Callable[[str], Entry]) -> None:
        self.file = file
        self._parse = parse
        self._descriptor = -1
        self._order: Order | None = None

    def clear(self) -> None:
        """Begin with an empty file."""
        self._open(os.O_TRUNC)

    def entries(self) -> dict[str, int]:
        """Count the texts of each picture, in the order of the file; without an incomplete last line."""
        found: dict[str, int] = {}
        for _, entry in self._lines():
            if entry is not None:
                found[entry.name] = found.get(entry.name, 0) + entry.texts
        return found

    def keep(self, names: Container[str], order: Order | None = None) -> None:
        """Leave only the lines of these pictures; the file is sorted when it is closed, if there is an order."""
        self._order = order
        if any(entry is None or entry.name not in names for _, entry in self._lines()):
            with whole_file(self.file) as unfinished, unfinished.open("wb") as kept:
                for raw, entry in self._lines():
                    if entry is not None and entry.name in names:
                        kept.write(raw)
        self._open(0)

    def append(self, text: str) -> None:
        """Add whole lines, all of them or none.

        Raises:
            OutputError: if they cannot be written.
        """
        content = text.encode("utf-8")
        size = os.fstat(self._descriptor).st_size
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # if not, resuming the run cuts the line off
                os.ftruncate(self._descriptor, size)
            raise OutputError(
                f"{self.file}: cannot write ({error.strerror}); what was written before is kept: make room, then go "
                "on with --resume"
            ) from None

    def close(self) -> None:
        """Sort the file if it was cut, and close it.

        Raises:
            OutputError: if there is no room for sorting; all lines are there all the same.
        """
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        try:
            if self._order is not None:
                self._sort(self._order)
        except OSError as error:
            raise OutputError(
                f"{self.file}: complete, but pictures that were done later stand at its end; it cannot be written anew "
                f"in order ({error.strerror or error})"
            ) from None

    def _open(self, flag: int) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.close()
        self._descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flag, 0o666)

    def _lines(self) -> Iterator[tuple[bytes, Entry | None]]:
        """Each line with its end, and what it says."""
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            for raw in stream:
                entry = None
                if raw.endswith(b"\n"):
                    # other lines are not of this program, or what a power failure left
                    with contextlib.suppress(ValueError, RecursionError):
                        entry = self._parse(raw[:-1].decode("utf-8"))
                yield raw, entry

    def _sort(self, order: Order) -> None:
        """Write the file anew when its lines are not in order; those of one file of pictures keep theirs.

        If the last line is of a page, the lines of that file stay last: it may lack pages, and must be known by that.
        """
        found: list[tuple[int, int, int]] = []
        start, unfinished_file = 0, None
        for raw, entry in self._lines():
            if entry is not None:
                found.append((order(entry.name), start, len(raw)))
                unfinished_file = found[-1][0] if PAGE_MARK in entry.name else None
            start += len(raw)
        ordered = sorted(found, key=lambda line: (line[0] == unfinished_file, line))
        if ordered == found:
            return
        with self.file.open("rb") as stream, whole_file(self.file) as unfinished, unfinished.open("wb") as target:
            for _, start, length in ordered:
                stream.seek(start)
                target.write(stream.read(length))
