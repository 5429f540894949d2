"""Decoded pictures kept in memory that all reader processes share, up to a limit."""

from __future__ import annotations

import mmap
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ppocr_pse.data.pictures import Picture, PictureReader, ReductionFor

try:
    import fcntl
except ImportError:  # no fork there either, so nobody to share with
    fcntl = None  # type: ignore[assignment]

UNITS = {"": 2**20, "MB": 2**20, "GB": 2**30, "TB": 2**40}
LEVELS = 4  # reductions 1, 2, 4 and 8
_ENTRY = np.dtype([("offset", "i8"), ("shape", "i4", 2), ("size", "i4", 2), ("reduction", "i4")])
_ROW = np.dtype([("known", "i4"), ("asked", "i4", 2), ("entries", _ENTRY, LEVELS)])


def cache_bytes(cache: str | float | bool | None = None) -> int:
    """Read the value of ``Train.dataset.cache``.

    Args:
        cache: ``2GB``, ``500MB``, a number of MB, or ``off`` (YAML reads that as false).

    Returns:
        Bytes; 0 for off.

    Raises:
        ValueError: for anything else.
    """
    if cache is None or cache is False or cache == "off":
        return 0
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT]B|)\s*", str(cache).upper())
    if found is None:
        raise ValueError(f"cache is {cache!r}, expected a size such as 2GB or 500MB, a number of MB, or off")
    return int(float(found[1]) * UNITS[found[2]])


class PictureCache:
    """A picture reader that remembers: the first pictures to come stay until the memory is full.

    Nothing is thrown out to make room, since every epoch asks for every picture once: whatever was thrown out would
    be asked for again before anything else was. What is handed out is what the reader itself would have given, at the
    same reduction, so that samples do not depend on the cache.

    Make it before the reader processes are forked. The memory is one shared mapping of the whole limit, of which the
    system gives out pages as they are first written to; it cannot grow.

    Args:
        read: the reader behind it.
        paths: all pictures that may be asked for.
        limit: bytes of pictures and of their list.

    Raises:
        ValueError: if the limit has no room for a picture, or the system cannot give as much.
    """

    def __init__(self, read: PictureReader, paths: Iterable[Path], limit: int) -> None:
        self.read = read
        self._asked = self._answered = 0
        self._row_of = {path: row for row, path in enumerate(dict.fromkeys(paths))}
        table = len(self._row_of) * _ROW.itemsize
        head = -(-(table + 8) // 64) * 64
        if limit <= head:
            raise ValueError(f"cache is {limit} bytes, but the list of {len(self._row_of)} pictures alone takes {head}")
        try:
            memory = np.frombuffer(mmap.mmap(-1, limit), np.uint8)
        except OSError as error:
            raise ValueError(f"cache is {limit / 2**20:.0f} MB, which this system does not give ({error})") from None
        self._rows = memory[:table].view(_ROW)
        self._used = memory[table : table + 8].view(np.int64)
        self._pixels = memory[head:]
        # a lock of the system's, since that ends with a process that is killed
        self._lock_file = None if fcntl is None else tempfile.TemporaryFile()  # noqa: SIM115  open as long as the cache

    def __call__(self, path: Path, reduction_for: ReductionFor) -> Picture:
        """Read a picture, from memory if it is there.

        Raises:
            ImageError: as the reader behind it.
        """
        self._asked += 1
        row = self._row_of.get(path)
        if row is None:
            return self.read(path, reduction_for)
        with self._locked():
            kept = self._look_up(row, reduction_for)
        if kept is not None:
            self._answered += 1
            return kept
        asked: list[tuple[int, int, int]] = []

        def ask(height: int, width: int) -> int:
            reduction = reduction_for(height, width)
            asked.append((height, width, reduction))
            return reduction

        picture = self.read(path, ask)
        with self._locked():
            self._keep(row, picture, asked[-1] if asked else (0, 0, 1))
        return picture

    def take_counts(self) -> tuple[int, int]:
        """How many pictures this process asked for and got from memory, since it was last asked."""
        counts = self._asked, self._answered
        self._asked = self._answered = 0
        return counts

    def _look_up(self, row: int, reduction_for: ReductionFor) -> Picture | None:
        record = self._rows[row]
        if not record["known"]:
            return None
        height, width = record["asked"].tolist()
        entry = record["entries"][_level(reduction_for(height, width) if height else 1)]
        if not entry["offset"]:
            return None
        shape = (*entry["shape"].tolist(), 3)
        start = int(entry["offset"]) - 1
        pixels = self._pixels[start : start + int(np.prod(shape))].reshape(shape)
        pixels.flags.writeable = False
        size = entry["size"].tolist()
        return Picture(pixels, (size[0], size[1]), int(entry["reduction"]))

    def _keep(self, row: int, picture: Picture, asked: tuple[int, int, int]) -> None:
        height, width, reduction = asked
        record = self._rows[row]
        entry = record["entries"][_level(reduction)]
        start, size = int(self._used[0]), picture.pixels.nbytes
        if entry["offset"] or start + size > len(self._pixels):
            return
        self._pixels[start : start + size].reshape(picture.pixels.shape)[:] = picture.pixels
        self._used[0] = start + size
        # offset + 1, so that fresh memory, all zeros, is an empty table
        entry["shape"], entry["size"], entry["reduction"] = picture.pixels.shape[:2], picture.size, picture.reduction
        entry["offset"] = start + 1
        record["asked"], record["known"] = (height, width), 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if fcntl is None or self._lock_file is None:
            yield
            return
        fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock_file, fcntl.LOCK_UN)


def _level(reduction: int) -> int:
    return min(LEVELS, max(1, reduction).bit_length()) - 1
