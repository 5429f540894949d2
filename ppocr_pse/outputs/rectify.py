"""Cut a text out of a picture so that it lies upright, as a recogniser wants it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.polygons import min_area_quad, order_clockwise

Image = npt.NDArray[np.uint8]
UPRIGHT = 1.5
"""A crop that is so many times as high as wide is turned."""
LARGEST = 32000
"""Pixels a side that OpenCV's warping takes (it counts in 16 bits)."""


def rectify(image: Image, polygon: npt.NDArray[Any]) -> Image:
    """Warp a text to an upright rectangle.

    Four corners are warped in perspective to width x height, each the longer of two opposite edges. An outline with
    another number of points, and one that crosses itself, stands for its rectangle of least area: curved text stays
    curved. A result 1.5 times as high as wide is turned to the left, so that text that runs downwards with its
    letters' feet to the left lies. Both are what PaddleOCR does before recognition (get_rotate_crop_image and
    get_minarea_rect_crop), and its recognisers are trained for it.

    Args:
        image: uint8 (H, W, 3).
        polygon: (N, 2), N >= 3, pixels; it may leave the picture, whose border is then repeated.

    Returns:
        uint8 (h, w, 3), at least 1 x 1.
    """
    quad = np.asarray(polygon, np.float64)
    if len(quad) != 4 or not cv2.isContourConvex(np.rint(quad).astype(np.int32)):
        quad = np.asarray(min_area_quad(quad), np.float64)
    quad = np.asarray(order_clockwise(quad), np.float64)
    edges = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)  # top, right, bottom, left
    width, height = (max(1, min(LARGEST, int(max(pair)))) for pair in (edges[0::2], edges[1::2]))
    part, corner, scale = _surroundings(image, quad)
    source = ((quad - corner) * scale).astype(np.float32)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    warped = cv2.warpPerspective(part, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    turned = np.rot90(warped) if height >= UPRIGHT * width else warped
    return np.ascontiguousarray(turned, np.uint8)


def _surroundings(image: Image, quad: npt.NDArray[np.float64]) -> tuple[Image, npt.NDArray[np.float64], float]:
    """The part of the picture that a text lies in, its top left corner, and by what it was resized.

    Two pixels all round are what cubic interpolation looks at, so the crop is that of the whole picture, which OpenCV
    does not take above 32767 pixels a side.
    """
    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(quad.min(axis=0)).astype(int) - 3, 0, size - 1)
    high = np.clip(np.ceil(quad.max(axis=0)).astype(int) + 4, low + 1, size)
    part = image[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, LARGEST / max(part.shape[:2]))
    if scale < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return part, low.astype(np.float64), scale
