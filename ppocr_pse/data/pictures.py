"""Where a picture comes from: its size by the header, its pixels perhaps decoded at a reduced size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
REDUCTIONS = (8, 4, 2)  # what JPEG can leave out while it decodes


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


def jpeg_size(content: npt.NDArray[np.uint8]) -> tuple[int, int] | None:
    """Height and width as a JPEG file stores them, before EXIF orientation; None for any other file.

    Args:
        content: uint8 (N,), the file.
    """
    data = content.data
    if bytes(data[:2]) != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # padding, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            return data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None
