"""Geometric steps with their numbers drawn: where every point of a picture goes, and how large the picture becomes.

Coordinates are those of the polygons: the pixel in row i and column j covers [j, j + 1] x [i, i + 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.types import Polygon

Matrix = npt.NDArray[np.float64]
Size = tuple[int, int]


@dataclass(frozen=True)
class Move:
    """One affine step.

    Attributes:
        matrix: float64 (3, 3), old point (x, y, 1) -> new point.
        size: (height, width) of the picture afterwards.
        turned: whether it leaves corners of the new picture empty.
    """

    matrix: Matrix
    size: Size
    turned: bool = False

    def points(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Move float32 (N, 2)."""
        moved = points.astype(np.float64) @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return moved.astype(np.float32)

    def polygons(self, polygons: Sequence[Polygon]) -> tuple[Polygon, ...]:
        """Move all texts of a picture."""
        return split_like(self.points(np.concatenate(polygons)), polygons) if polygons else ()


def split_like(points: npt.NDArray[np.float32], polygons: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """Take points that were put together from polygons apart again."""
    parts, start = [], 0
    for polygon in polygons:
        parts.append(points[start : start + len(polygon)])
        start += len(polygon)
    return tuple(parts)


def stretch(size: Size, new_size: Size) -> Move:
    """Resize to a given size."""
    return Move(np.diag([new_size[1] / size[1], new_size[0] / size[0], 1.0]), new_size)


def scale_by(size: Size, factor: float) -> Move:
    """Resize by one factor, sizes cut to whole pixels as imgaug does."""
    return stretch(size, (max(1, int(size[0] * factor)), max(1, int(size[1] * factor))))


def enlarge_to(size: Size, short_side: int) -> Move | None:
    """Scale up until the short side has ``short_side`` pixels, rounding as cv2.resize does; None if it has them."""
    if min(size) >= short_side:
        return None
    factor = short_side / min(size)
    return Move(np.diag([factor, factor, 1.0]), (round(size[0] * factor), round(size[1] * factor)))


def mirror(size: Size) -> Move:
    """Flip left and right."""
    return Move(np.array([[-1.0, 0.0, size[1]], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), size)


def rotate(size: Size, degrees: float) -> Move:
    """Turn clockwise (y points down) about the centre; the picture keeps its size, corners are cut off."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = size[1] / 2.0, size[0] / 2.0
    matrix = np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0.0, 0.0, 1.0]])
    return Move(matrix, size, turned=degrees != 0.0)
