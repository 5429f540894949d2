"""A contact sheet: some pictures of the run side by side, with what was found in them.

Which ones is chance, but the same chance each time: those whose names have the smallest digests. So no more than the
sheet holds are kept at any time, on disk, and a run that was stopped, resumed or worked off in another order shows the
same ones. They stand in the order of the lines.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.line_names import written_name
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.base import SHEET, Order, Output, OutputError, OutputOptions, Place, Standing, write_whole
from ppocr_pse.types import Detections
from ppocr_pse.visualize import caption, contact_sheet, draw_detections, encode_image

CELL = (240, 320)
CAPTION = 19
"""Pixels of a cell's height that the name takes."""


class Sheet(Output):
    """The sheet, made at the end of small pictures in a hidden folder."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self.file = place.file(SHEET)
        self.limit = options.sheet_pictures
        self._results = place.results
        self._folder = self.file.with_name(f".{self.file.stem}")
        self._lock = threading.Lock()
        self._kept: set[str] = set()

    def clear(self) -> None:
        """Remove the sheet of an earlier run, and its small pictures."""
        self.file.unlink(missing_ok=True)
        self.keep({}, lambda name: 0)

    def standing(self, done: Standing) -> Standing:
        """Those that are in the folder, or not among the chosen."""
        chosen = heapq.nsmallest(self.limit, (digest(name) for name in done))
        missing = {number for number in chosen if not self._cell(number).exists()}
        return {name: finished for name, finished in done.items() if digest(name) not in missing}

    def keep(self, done: Standing, order: Order) -> None:
        """Remove the small pictures of all others."""
        kept = {digest(name) for name in done}
        for file in self._folder.glob("*.jpg"):
            if file.stem not in kept:
                file.unlink()
        self._kept = {file.stem for file in self._folder.glob("*.jpg")}
        self._evict()

    def save(self, result: PictureResult) -> None:
        """Keep a small picture, if it is among the chosen so far."""
        name = written_name(result.name)
        number = digest(name)
        with self._lock:
            if len(self._kept) >= self.limit and number >= max(self._kept):
                return
        assert result.bgr is not None
        cell = caption(_small(result.bgr, result.detections), [name], CELL)
        write_whole(self._cell(number), encode_image(".jpg", cell))
        with self._lock:
            self._kept.add(number)
            self._evict()

    def close(self) -> None:
        """Make the sheet; there is none when no picture could be read.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            cells = [_read(self._cell(number)) for number in self._ordered()]
            if cells:
                write_whole(self.file, encode_image(".jpg", contact_sheet(cells, cell=CELL)))
        except OSError as error:
            raise OutputError(f"{self.file}: cannot write ({error.strerror or error})") from None

    def _evict(self) -> None:
        """Remove the largest digests beyond the limit."""
        while len(self._kept) > self.limit:
            last = max(self._kept)
            self._kept.remove(last)
            self._cell(last).unlink(missing_ok=True)

    def _ordered(self) -> list[str]:
        """The chosen ones in the order of the lines."""
        with self._results.open(encoding="utf-8") as lines:
            ordered = [digest(line.partition("\t")[0]) for line in lines]
        return [number for number in ordered if number in self._kept]

    def _cell(self, number: str) -> Path:
        return self._folder / f"{number}.jpg"


def digest(name: str) -> str:
    """What decides whether a picture is chosen: 16 hexadecimal digits, as good as chance."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]


def _small(image: npt.NDArray[np.uint8], found: Detections) -> npt.NDArray[np.uint8]:
    """The picture as large as a cell shows it, outlines drawn after resizing so that they do not vanish."""
    height, width = image.shape[:2]
    scale = min((CELL[0] - CAPTION) / height, CELL[1] / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    outlines = tuple(np.rint(polygon * scale).astype(np.int32) for polygon in found.polygons)
    return draw_detections(small, Detections(outlines, found.scores))


def _read(file: Path) -> npt.NDArray[np.uint8]:
    """One of the small pictures."""
    decoded = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise OSError(f"{file} is damaged; remove it and run again with --resume")
    return np.asarray(decoded, np.uint8)
