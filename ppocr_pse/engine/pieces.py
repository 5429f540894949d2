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
from ppocr_pse.data.preprocess import MAX_PIXELS, Image, ImageError, NetworkInput, Preprocess
from ppocr_pse.engine.tiling import Tile, cut_tile, plan_tiles

PICTURE_BYTES = 6
"""What a pixel of a picture may take: three bytes, twice while it is turned upright or changes its colours."""
LEAST_TILE = 512 * 512
"""Pixels of the network's input that are always allowed."""


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
    """What a predictor may take at once.

    Args:
        batch: pictures, or tiles, of one size that go through the network together, when as many are waiting.
        memory: bytes for decoded pictures and the network together. A picture that is too large to go through the
            network whole goes through in tiles, one that is too large to be decoded is refused. 0 for no limit.
        network_bytes: that the network takes for a pixel of its input.
        lanes: calls of the network at the same time, among which the tiles of a picture are shared out.
    """

    batch: int = 1
    memory: int = 0
    network_bytes: int = 1200
    lanes: int = 1

    @property
    def picture(self) -> int:
        """Bytes that a decoded picture may take."""
        return self.memory - LEAST_TILE * self.network_bytes

    def network_pixels(self, pixels: int) -> int:
        """Pixels that may be in the network at once beside a decoded picture; 0 for any number.

        Args:
            pixels: height x width of the picture.
        """
        left = min(self.memory // 2, self.memory - PICTURE_BYTES * pixels)
        return max(LEAST_TILE, left // self.network_bytes) if self.memory else 0


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
        beside: pixels that may be in the network at once while it is there, itself included; 0 for any number.
    """

    path: Path
    frame: Frame | None
    ready: NetworkInput | None
    tile: Tile | None
    last: bool
    timing: Timing
    error: str = ""
    beside: int = 0


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
        if expected > self._limits.picture and self._limits.memory:
            error = (
                f"{printable(path)}: takes {expected >> 20} MB to decode, and the limit of "
                f"{self._limits.memory >> 20} MB allows {max(0, self._limits.picture) >> 20} MB; raise --max_memory"
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
        limit = self._preprocess.decode.max_pixels
        limit = max(limit, MAX_PIXELS) if limit else 0  # a lower one is for files, not for what they are enlarged to
        if height * width > limit > 0:
            error = (
                f"{name}: {image.shape[0]} x {image.shape[1]} pixels would be resized to {height} x {width} for the "
                f"network, more than the limit of {limit} pixels; cut the picture, lower "
                "limit_side_len, or raise max_pixels"
            )
            yield Piece(path, frame, None, None, True, Timing(seconds), error)
            return
        tiles: Sequence[Tile | None] = [None]
        allowed = self._limits.network_pixels(image.shape[0] * image.shape[1])
        if height * width > allowed > 0:
            share = allowed // self._limits.lanes // self._limits.batch
            tiles = plan_tiles(size_of(image), self._preprocess.resize, share) or tiles
        for number, tile in enumerate(tiles, 1):
            start = time.perf_counter()
            ready, error, last = None, frame.error, number == len(tiles)
            try:
                ready = self._preprocess.prepare(image) if tile is None else self._prepare_tile(image, tile)
            except (cv2.error, MemoryError) as fault:
                error, last = f"{name}: cannot resize the picture ({type(fault).__name__})", True
            yield Piece(path, frame, ready, tile, last, Timing(seconds, time.perf_counter() - start), error, allowed)
            if last:
                return
            seconds = 0.0

    def _prepare_tile(self, image: Image, tile: Tile) -> NetworkInput:
        room = np.empty((3, tile.height, tile.width), np.float32)
        return NetworkInput(self._preprocess.normalize.planes(cv2.split(cut_tile(image, tile)), room), tile.scale)
