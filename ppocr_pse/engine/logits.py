"""Logits of a network on disk, exact and within a limit, so that the decoder can be tried again without the network."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from dataclasses import astuple
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ppocr_pse.types import ImageScale

Logits = tuple[npt.NDArray[np.float32], ImageScale]
"""float32 (K, h, w), and how the picture was resized."""

_FOLDER = re.compile(r"logits-[0-9a-f]{16}")


class CacheFull(RuntimeError):
    """The logits of this run do not fit; the message gives the sizes and the cure."""


class LogitsCache:
    """One folder for each network with its preprocessing, one file for each picture.

    A file is found again as long as the picture's path, size and time of change stay. The logits are kept as they
    are, in float32: a rounded copy could move a pixel across a threshold.

    Args:
        root: where the folders lie; made if missing.
        key: what determines the logits besides the picture: bytes of the weights, architecture, transforms.
        limit: bytes that all folders below ``root`` may take; the least recently used ones make room.

    Raises:
        OSError: if ``root`` cannot be made.
    """

    def __init__(self, root: Path, key: bytes, limit: int) -> None:
        self.root = root
        self.limit = limit
        self.folder = root / f"logits-{hashlib.sha256(key).hexdigest()[:16]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        os.utime(self.folder)  # a folder's time is that of its last use
        self._own = _size(self.folder)
        others = [path for path in root.iterdir() if _FOLDER.fullmatch(path.name) and path != self.folder]
        self._others = {path: _size(path) for path in sorted(others, key=lambda path: path.stat().st_mtime)}

    def get(self, picture: Path) -> Logits | None:
        """The logits of a picture, or None when they have to be computed."""
        try:
            with np.load(self._file(picture), allow_pickle=False) as stored:
                return stored["logits"], ImageScale(*stored["scale"].tolist())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # absent, or damaged: computed again
            return None

    def put(self, picture: Path, logits: npt.NDArray[np.float32], scale: ImageScale) -> None:
        """Keep the logits of a picture.

        Args:
            picture: its file.
            logits: float32 (K, h, w).
            scale: how it was resized.

        Raises:
            CacheFull: if this folder alone would pass the limit.
            OSError: if the disk is full.
        """
        self._make_room(logits.nbytes)
        file = self._file(picture)
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.savez(out, logits=logits, scale=np.array(astuple(scale), np.float64))
        self._own += unfinished.stat().st_size
        unfinished.replace(file)

    def _file(self, picture: Path) -> Path:
        try:
            status = picture.stat()
            facts = f"{picture.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
        except OSError:
            facts = f"{picture}\nabsent"
        name = hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return self.folder / f"{name}.npz"

    def _make_room(self, needed: int) -> None:
        """Delete folders of other networks, least recently used first, until there is room for ``needed`` bytes."""
        for path in list(self._others):
            if self._own + needed + sum(self._others.values()) <= self.limit:
                break
            shutil.rmtree(path)
            del self._others[path]
        if self._own + needed > self.limit:
            count = len(list(self.folder.glob("*.npz")))
            raise CacheFull(
                f"{self.folder}: the logits of {count} pictures take {self._own / 1e9:.2f} GB, and the next would pass "
                f"the limit of {self.limit / 1e9:.2f} GB; allow more, or tune on fewer pictures"
            )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
