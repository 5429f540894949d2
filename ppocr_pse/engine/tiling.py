"""Pictures too large for one call of the network: cut into tiles that overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.preprocess import STRIDE, DetResizeForTest, Image
from ppocr_pse.types import ImageScale

OVERLAP = 256
"""Pixels of the network's input that neighbouring tiles share: a word shorter than that is whole in one of them."""
EDGE = 8
"""So near to where a tile was cut, in pixels of the network's input, an outline is taken to be cut."""
FINE = 16
"""Decoders round to whole pixels; they are given pixels so many times smaller, as tiles begin between them."""


@dataclass(frozen=True)
class Tile:
    """A window of the picture as it would be resized for the network.

    Attributes:
        top: row of its first pixel, in pixels of the network's input, like left, height and width.
        left: column of its first pixel.
        height: a multiple of 32.
        width: a multiple of 32.
        size: (height, width) of the whole picture as it would be resized.
        whole: how the picture would be resized.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    whole: ImageScale

    @property
    def scale(self) -> ImageScale:
        """What makes a decoder give pixels of the source picture / FINE, counted from the tile's corner."""
        h, w = self.whole.ratio_h / FINE, self.whole.ratio_w / FINE
        return ImageScale(math.ceil(self.height / h), math.ceil(self.width / w), h, w)

    def to_source(self, polygon: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Pixels of the source picture."""
        return polygon / FINE + (self.left / self.whole.ratio_w, self.top / self.whole.ratio_h)

    def cuts(self, polygon: npt.NDArray[np.int32]) -> bool:
        """Whether an outline reaches a side of the tile that is not the picture's."""
        x, y = (polygon / FINE * (self.whole.ratio_w, self.whole.ratio_h)).T
        height, width = self.size
        return bool(
            (self.left > 0 and x.min() < EDGE)
            or (self.top > 0 and y.min() < EDGE)
            or (self.left + self.width < width and x.max() > self.width - EDGE)
            or (self.top + self.height < height and y.max() > self.height - EDGE)
        )


def plan_tiles(size: tuple[int, int], resize: DetResizeForTest, pixels: int) -> list[Tile]:
    """Tiles of one size that cover a picture; none when it goes through in one piece.

    Args:
        size: (height, width) of the source picture.
        resize: how it would be resized.
        pixels: height x width that a tile may have at most, where 128 x 128 is always allowed.
    """
    height, width = size
    full_height, full_width = resize.target_size(height, width)
    if full_height * full_width <= pixels or height + width < 2 * STRIDE:
        return []
    tile_height = min(full_height, _whole_strides(math.isqrt(pixels)))
    tile_width = min(full_width, _whole_strides(pixels // tile_height))
    tile_height = min(full_height, _whole_strides(pixels // tile_width))
    whole = ImageScale(float(height), float(width), full_height / height, full_width / width)
    return [
        Tile(top, left, tile_height, tile_width, (full_height, full_width), whole)
        for top in _starts(full_height, tile_height)
        for left in _starts(full_width, tile_width)
    ]


def _whole_strides(pixels: int) -> int:
    return max(4, pixels // STRIDE) * STRIDE


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin: the first at 0, the last ends at the end, all at multiples of the stride."""
    overlap = min(OVERLAP, tile // 2)
    count = 1 + max(0, math.ceil((length - tile) / (tile - overlap)))
    return [(length - tile) * i // max(1, count - 1) // STRIDE * STRIDE for i in range(count)]


def cut_tile(image: Image, tile: Tile) -> Image:
    """Resize the part of a picture that a tile shows; the same as that part of the picture resized bilinearly.

    Args:
        image: uint8 (H, W, 3), the whole picture.
        tile: the window.

    Returns:
        uint8 (tile.height, tile.width, 3).
    """
    rows = _samples(tile.top, tile.height, image.shape[0], tile.size[0])
    columns = _samples(tile.left, tile.width, image.shape[1], tile.size[1])
    part = image[rows.first : rows.end, columns.first : columns.end].astype(np.float32)
    down, across = rows.share[:, None, None], columns.share[:, None]
    between = part[rows.near] * (1 - down) + part[rows.far] * down
    between = between[:, columns.near] * (1 - across) + between[:, columns.far] * across
    return np.rint(between).astype(np.uint8)


@dataclass(frozen=True)
class _Samples:
    """Which source pixels a run of resized pixels lies between, counted from ``first``, and how near to the second."""

    first: int
    end: int
    near: npt.NDArray[np.int64]
    far: npt.NDArray[np.int64]
    share: npt.NDArray[np.float32]


def _samples(start: int, count: int, source: int, resized: int) -> _Samples:
    centres = np.clip((np.arange(start, start + count) + 0.5) * source / resized - 0.5, 0, source - 1)
    near = np.floor(centres).astype(np.int64)
    far = np.minimum(near + 1, source - 1)
    first = int(near[0])
    return _Samples(first, int(far[-1]) + 1, near - first, far - first, (centres - near).astype(np.float32))
