"""Where a picture comes from: its size by the header, its pixels perhaps decoded at a reduced size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
REDUCTIONS = (8, 4, 2)  # what JPEG can leave out while it decodes


class ImageError(ValueError):
    """A picture that cannot be read; the message names the file, the fault and the cure."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 (h, w, 3), never written to: a cache may hand it out again.
        size: (height, width) of the whole picture in pixels, EXIF orientation honoured.
        reduction: 1, 2, 4 or 8; a pixel of ``pixels`` stands for reduction x reduction pixels of the picture.
    """

    pixels: Image
    size: tuple[int, int]
    reduction: int = 1


@dataclass(frozen=True)
class Frame:
    """One picture of a file that may hold several: pages of a TIFF, frames of a GIF, APNG or WebP.

    Attributes:
        number: from 1.
        single: whether the file holds just this one.
        pixels: uint8 (h, w, 3); None when it cannot be decoded at all.
        error: what is wrong with it, or ""; a JPEG whose end is missing has pixels as well.
    """

    number: int
    single: bool
    pixels: Image | None
    error: str = ""


ReductionFor = Callable[[int, int], int]
"""(height, width) of the whole picture -> the largest reduction that loses nothing for what is planned."""

PictureReader = Callable[[Path, ReductionFor], Picture]
"""Reads a file; may reduce less than it is allowed to, never more. Raises ImageError."""


def size_of(image: Image) -> tuple[int, int]:
    """Height and width."""
    return image.shape[0], image.shape[1]


def whole(height: int, width: int) -> int:
    """Ask for the whole picture, whatever its size."""
    return 1
