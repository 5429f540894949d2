"""Pure polygon maths in float pixels: no pictures, no files, no paddle.

A polygon is float32 or float64 (N, 2), x right and y down, not closed. Functions accept any winding
unless they say otherwise and never change their argument.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pyclipper

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int32]
UNCROSS_GRID = 16  # Clipper's whole numbers a pixel


def area(polygon: FloatArray) -> float:
    """Absolute shoelace sum in square pixels; a self-crossing polygon gives its signed lobes' sum."""
    points = np.asarray(polygon, np.float64)
    (x, y), (next_x, next_y) = points.T, _following(points).T
    return float(abs(np.dot(x, next_y) - np.dot(next_x, y)) / 2.0)


def perimeter(polygon: FloatArray) -> float:
    """Length of the closed outline in pixels."""
    points = np.asarray(polygon, np.float64)
    return float(np.hypot(*(_following(points) - points).T).sum())


def _following(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each point's successor on the closed outline."""
    return np.concatenate((points[1:], points[:1]))


def shrink_offset(polygon: FloatArray, ratio: float) -> float:
    """Distance in pixels by which the outline moves inward at rate ``ratio``; see ``shrink_offsets``."""
    return shrink_offsets(polygon, [ratio])[0]


def shrink_offsets(polygon: FloatArray, ratios: Sequence[float]) -> list[float]:
    """Distances in pixels by which the outline moves inward at several rates.

    PSENet (Wang et al., CVPR 2019), section 3.4, equation 1: d = area * (1 - r^2) / perimeter.
    """
    inside, outline = area(polygon), perimeter(polygon) + 1e-6
    return [inside * (1.0 - ratio * ratio) / outline for ratio in ratios]


def shrink(polygon: FloatArray, offset: float) -> list[IntArray]:
    """Move the outline inward by ``offset`` pixels with rounded joins; see ``shrink_levels``."""
    return shrink_levels(polygon, [offset])[0]


def shrink_levels(polygon: FloatArray, offsets: Sequence[float]) -> list[list[IntArray]]:
    """Move the outline inward by several distances, with rounded joins.

    Args:
        polygon: float (N, 2), pixels. Clipper works on integers, so coordinates are cut to them first,
            as PaddleOCR's targets are.
        offsets: distances in pixels, >= 0.

    Returns:
        For each distance every piece that is left, each int32 (M, 2); none when the text vanishes, several when a
        polygon with a narrow waist falls apart.
    """
    clipper = pyclipper.PyclipperOffset()
    try:
        clipper.AddPath(np.asarray(polygon, np.float64).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    except pyclipper.ClipperException:  # a path that collapses to a point or a line has no inside
        return [[] for _ in offsets]
    return [[np.array(piece, np.int32) for piece in clipper.Execute(-offset) if len(piece) >= 3] for offset in offsets]


def uncross(polygon: FloatArray) -> FloatArray:
    """Mend an outline that crosses itself; any other comes back as it is.

    Returns:
        Four points: their convex hull, since most often two corners are in the wrong order. More: the largest piece.
    """
    scaled = np.round(np.asarray(polygon, np.float64) * UNCROSS_GRID).astype(np.int64).tolist()
    pieces = [
        np.array(piece, np.float64) / UNCROSS_GRID for piece in pyclipper.SimplifyPolygon(scaled, pyclipper.PFT_NONZERO)
    ]
    if not pieces:  # all points on one line
        return polygon
    largest = max(pieces, key=area)
    if len(pieces) == 1 and abs(area(largest) - area(polygon)) <= 0.01 * area(largest):
        return polygon
    if len(polygon) == 4:
        return cv2.convexHull(np.asarray(polygon, np.float32)).reshape(-1, 2).astype(polygon.dtype)
    return largest.astype(polygon.dtype)


def clip(polygon: FloatArray, width: float, height: float) -> FloatArray:
    """Move points that lie outside [0, width] x [0, height] onto its border."""
    return np.clip(polygon, 0, np.array([width, height], np.float64)).astype(polygon.dtype)


def intersect_rectangle(polygon: FloatArray, width: float, height: float) -> npt.NDArray[np.float32] | None:
    """Cut a polygon at the borders of [0, width] x [0, height] (Sutherland and Hodgman, 1974).

    Returns:
        float32 (M, 2) with M >= 3, or None when nothing of it is left inside.
    """
    points = np.asarray(polygon, np.float64)
    for axis, limit, keep_below in ((0, 0.0, False), (0, width, True), (1, 0.0, False), (1, height, True)):
        value = points[:, axis]
        inside = value <= limit if keep_below else value >= limit
        if inside.all():
            continue
        kept: list[npt.NDArray[np.float64]] = []
        for i in range(len(points)):
            a, b = points[i - 1], points[i]
            if inside[i] != inside[i - 1]:
                t = (limit - a[axis]) / (b[axis] - a[axis])
                kept.append(a + t * (b - a))
            if inside[i]:
                kept.append(b)
        if len(kept) < 3:
            return None
        points = np.array(kept)
    return points.astype(np.float32)


def min_area_quad(points: npt.NDArray[np.floating] | IntArray) -> npt.NDArray[np.float32]:
    """Corners of the minimum-area rectangle round a point set, float32 (4, 2)."""
    return cv2.boxPoints(cv2.minAreaRect(np.asarray(points, np.float32).reshape(-1, 1, 2))).astype(np.float32)


def order_clockwise(quad: FloatArray) -> FloatArray:
    """Sort four corners clockwise (as seen with y down), starting at the top left one.

    Top left is the corner with the smallest x + y; ties go to the smaller x.
    """
    centre = quad.mean(axis=0)
    turn = np.argsort(np.arctan2(quad[:, 1] - centre[1], quad[:, 0] - centre[0]))
    ordered = quad[turn]
    start = np.lexsort((ordered[:, 0], ordered.sum(axis=1)))[0]
    return np.roll(ordered, -int(start), axis=0)


def fill(canvas: npt.NDArray[np.uint8], polygon: FloatArray | IntArray, value: int) -> None:
    """Paint the inside and the outline of a polygon on a uint8 (H, W) canvas, in place.

    Coordinates are cut to integers (towards zero), as ``cv2.fillPoly`` callers in PaddleOCR do.
    """
    cv2.fillPoly(canvas, [np.asarray(polygon).astype(np.int32).reshape(-1, 1, 2)], value)
