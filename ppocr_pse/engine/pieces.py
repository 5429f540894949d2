"""A picture file to what the network takes: page by page, and large pictures tile by tile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from ppocr_pse.data.line_names import page_name, printable, written_name
from ppocr_pse.data.pictures import Frame, size_of
from ppocr_pse.data.preprocess import Image, ImageError, NetworkInput, Preprocess
from ppocr_pse.engine.tiling import Tile, cut_tile, plan_tiles


@dataclass(frozen=True)
class Timing:
    """Seconds spent on one picture."""

    read: float = 0.0
    preprocess: float = 0.0
    network: float = 0.0
    postprocess: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        """Add stage by stage."""
        return Timing(*(a + b for a, b in zip(astuple(self), astuple(other), strict=False)))


@dataclass(frozen=True)
class Limits:
    """What a predictor may take for one call of the network, and for all that it works on.

    Args:
        batch: pictures, or tiles, of one size that go through the network together, when as many are waiting.
        tile_pixels: height x width of a network input above which a picture goes through in tiles; 0 for never.
        memory: bytes of decoded pictures that may be held at once; a picture that takes more is refused; 0 for no
            limit.
    """

    batch: int = 1
    tile_pixels: int = 0
    memory: int = 0


NO_LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class Piece:
    """A picture, or a tile of one, on its way to the network.

    Attributes:
        path: of the file.
        frame: the picture that it is a part of.
        ready: what the network takes; None when there is nothing to detect on.
        tile: where it lies in the picture; None for the whole.
        last: whether no other piece of the picture follows.
        timing: seconds that reading and preprocessing took.
        error: what is wrong with the picture, or "".
    """

    path: Path
    frame: Frame | None
    ready: NetworkInput | None
    tile: Tile | None
    last: bool
    timing: Timing
    error: str = ""


class PieceReader:
    """Reads files piece by piece.

    Args:
        preprocess: decode, resize, normalise.
        limits: on memory, and from which size on there are tiles.
    """

    def __init__(self, preprocess: Preprocess, limits: Limits) -> None:
        self._preprocess = preprocess
        self._limits = limits

    def read(self, path: Path, pages: bool, expected: int = 0) -> Iterator[Piece]:
        """Read a file, one network input after the other.

        Args:
            path: the file.
            pages: all pages and frames, or the first only.
            expected: bytes that its first picture is going to take, when there is a limit on them.

        Yields:
            At least one piece; what cannot be read is a piece with an error and without input.
        """
        if expected > self._limits.memory:
            error = (
                f"{printable(path)}: takes {expected >> 20} MB to decode, more than the limit of "
                f"{self._limits.memory >> 20} MB; raise --max_memory"
            )
            yield Piece(path, None, None, None, True, Timing(), error)
            return
        frames = self._preprocess.decode.frames(path) if pages else self._only(path)
        while True:
            start = time.perf_counter()
            try:
                frame = next(frames)
            except StopIteration:
                return
            except ImageError as error:
                yield Piece(path, None, None, None, True, Timing(time.perf_counter() - start), str(error))
                return
            yield from self.cut(path, frame, time.perf_counter() - start)

    def _only(self, path: Path) -> Iterator[Frame]:
        yield Frame(1, True, self._preprocess.decode(path))

    def cut(self, path: Path, frame: Frame, seconds: float = 0.0) -> Iterator[Piece]:
        """The network inputs of one picture: the whole, or tiles of it."""
        image = frame.pixels
        if image is None:
            yield Piece(path, frame, None, None, True, Timing(seconds), frame.error)
            return
        name = written_name(page_name(path, 0 if frame.single else frame.number))
        height, width = self._preprocess.resize.target_size(*image.shape[:2])
        if height * width > self._preprocess.decode.max_pixels > 0:
            error = (
                f"{name}: {image.shape[0]} x {image.shape[1]} pixels would be resized to {height} x {width} for the "
                f"network, more than the limit of {self._preprocess.decode.max_pixels} pixels; cut the picture, lower "
                "limit_side_len, or raise max_pixels"
            )
            yield Piece(path, frame, None, None, True, Timing(seconds), error)
            return
        tiles: Sequence[Tile | None] = [None]
        if self._limits.tile_pixels:
            tiles = plan_tiles(size_of(image), self._preprocess.resize, self._limits.tile_pixels) or tiles
        for number, tile in enumerate(tiles, 1):
            start = time.perf_counter()
            ready, error, last = None, frame.error, number == len(tiles)
            try:
                ready = self._preprocess.prepare(image) if tile is None else self._prepare_tile(image, tile)
            except (cv2.error, MemoryError) as fault:
                error, last = f"{name}: cannot resize the picture ({type(fault).__name__})", True
            yield Piece(path, frame, ready, tile, last, Timing(seconds, time.perf_counter() - start), error)
            if last:
                return
            seconds = 0.0

    def _prepare_tile(self, image: Image, tile: Tile) -> NetworkInput:
        room = np.empty((3, tile.height, tile.width), np.float32)
        return NetworkInput(self._preprocess.normalize.planes(cv2.split(cut_tile(image, tile)), room), tile.scale)
