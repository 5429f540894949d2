"""Pixels of any depth and number of channels to uint8 BGR as a person would see them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.pictures import Image

REACHES = (0xFF, 0x3FF, 0xFFF, 0x3FFF, 0xFFFF)  # sensors of 10, 12 and 14 bits write into 16
GROUNDS = (255, 0, 127)  # white first: it is what paper is
VANISHES = 64  # levels of grey between two that are told apart with ease


def to_eight_bits(values: npt.NDArray[Any]) -> Image:
    """Scale numbers to 0..255.

    Whole numbers from 0 to 65535 are divided by the full scale of the least of 8, 10, 12, 14 and 16 bits that holds
    them all. Floats from 0 to 1 are multiplied by 255, from 0 to 255 left as they are. Anything else is stretched from
    its least value to its largest; what is not finite becomes the least.

    Args:
        values: any shape and real type.
    """
    if values.dtype == np.uint8 or not values.size:
        return values.astype(np.uint8)
    if np.issubdtype(values.dtype, np.integer) and values.min() >= 0 and values.max() <= REACHES[-1]:
        reach = next(reach for reach in REACHES if values.max() <= reach)
        return (np.arange(reach + 1) * (255 / reach) + 0.5).astype(np.uint8)[values]
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    known = np.where(finite, values, low).astype(np.float64)
    if np.issubdtype(values.dtype, np.floating) and low >= 0 and high <= 255:
        return (known * (255 if high <= 1 else 1) + 0.5).astype(np.uint8)
    return ((known - low) * (255 / max(float(high) - float(low), 1e-300)) + 0.5).astype(np.uint8)


def on_ground(image: Image) -> Image:
    """Lay a picture with transparent parts on white, black or grey.

    It is that of the three, white before black before grey, on which the fewest pixels at the border of the opaque
    parts vanish: black letters come out on white, white ones on black, and both at once on grey.

    Args:
        image: uint8 (H, W, 4), BGRA; 255 is opaque.

    Returns:
        uint8 (H, W, 3).
    """
    colours, alpha = np.ascontiguousarray(image[:, :, :3]), image[:, :, 3]
    if not alpha.size or alpha.min() == 255:
        return colours
    clear = (alpha < 128).astype(np.uint8)
    border = (cv2.dilate(clear, np.ones((3, 3), np.uint8)) > clear) & (clear == 0)
    grey = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[border].astype(int)
    ground = min(GROUNDS, key=lambda level: int((np.abs(grey - level) < VANISHES).sum()))
    laid = np.empty_like(colours)
    for start in range(0, len(colours), 256):  # in strips: float32 takes four times the memory
        rows = slice(start, start + 256)
        share = alpha[rows, :, None].astype(np.float32) / 255
        laid[rows] = (colours[rows] * share + ground * (1 - share) + 0.5).astype(np.uint8)
    return laid


def turned(image: Image, orientation: int) -> Image:
    """Turn and mirror a picture as EXIF's orientation, 1 to 8, says; other numbers mean 1."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
