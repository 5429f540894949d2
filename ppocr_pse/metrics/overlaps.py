"""Overlap areas between the detections and the ground truth of one picture.

Two conventions of the official scripts, which use the Polygon library, are kept for polygons whose
outline crosses itself: the AREA of a polygon is the absolute value of its shoelace sum (the lobes of a
bow-tie cancel), while an INTERSECTION is that of the even-odd insides (both lobes count, a doubly
wound part does not).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

FloatArray = npt.NDArray[np.float64]
PolygonLike = npt.NDArray[Any]


@dataclass(frozen=True)
class Regions:
    """The polygons of one picture, each turned into one geometry object.

    Attributes:
        shapes: object (n,), valid shapely geometries of the even-odd insides; empty ones for
            polygons without an inside.
        areas: float64 (n,), absolute shoelace sums in square pixels.
    """

    shapes: npt.NDArray[np.object_]
    areas: FloatArray


@dataclass(frozen=True)
class Overlaps:
    """All pairs of a ground truth and a detection whose bounding boxes meet.

    Attributes:
        truth: int64 (K,), ground-truth index of each pair; pairs are sorted by truth, then detection.
        detection: int64 (K,), detection index of each pair.
        area: float64 (K,), intersection area in square pixels; may be 0.
        truth_areas: float64 (n,).
        detection_areas: float64 (m,).
        present: bool (m,), false for detections taken out by :meth:`keep`.
    """

    truth: npt.NDArray[np.int64]
    detection: npt.NDArray[np.int64]
    area: FloatArray
    truth_areas: FloatArray
    detection_areas: FloatArray
    present: npt.NDArray[np.bool_]

    def keep(self, wanted: npt.NDArray[np.bool_]) -> Overlaps:
        """Leave out detections, for a threshold sweep; indices do not change.

        Args:
            wanted: bool (m,).
        """
        pairs = wanted[self.detection]
        return replace(
            self,
            truth=self.truth[pairs],
            detection=self.detection[pairs],
            area=self.area[pairs],
            present=self.present & wanted,
        )

    def select(self, pairs: npt.NDArray[np.bool_]) -> Overlaps:
        """Leave out pairs; detections stay present.

        Args:
            pairs: bool (K,).
        """
        return replace(self, truth=self.truth[pairs], detection=self.detection[pairs], area=self.area[pairs])

    def pair_greedily(self) -> list[tuple[int, int]]:
        """Take every pair whose text and detection are both still free, in order of texts, then detections.

        Returns:
            (ground-truth index, detection index) of the pairs taken.
        """
        taken: list[tuple[int, int]] = []
        truths: set[int] = set()
        detections: set[int] = set()
        for truth, detection in zip(self.truth.tolist(), self.detection.tolist(), strict=True):
            if truth not in truths and detection not in detections:
                taken.append((truth, detection))
                truths.add(truth)
                detections.add(detection)
        return taken

    def iou(self) -> FloatArray:
        """Intersection over union of each pair, float64 (K,).

        The union is area + area - intersection, so it may be zero or less when outlines cross
        themselves; a zero union gives 0, as in the official script, and a negative one a negative ratio.
        """
        union = self.truth_areas[self.truth] + self.detection_areas[self.detection] - self.area
        return _ratio(self.area, union)

    def of_truth(self) -> FloatArray:
        """Share of the ground truth's area that each pair covers, float64 (K,); 0 for zero area."""
        return _ratio(self.area, self.truth_areas[self.truth])

    def of_detection(self) -> FloatArray:
        """Share of the detection's area that each pair covers, float64 (K,); 0 for zero area."""
        return _ratio(self.area, self.detection_areas[self.detection])


def measure(detections: Sequence[PolygonLike], truths: Sequence[PolygonLike], integer: bool) -> Overlaps:
    """Intersect every detection with every ground truth near it.

    Args:
        detections: arrays (N, 2), pixels; N may differ.
        truths: arrays (N, 2), pixels; N may differ.
        integer: cut coordinates to whole pixels first (towards zero), as ``int()`` in the official scripts does.

    Raises:
        ValueError: when a polygon is not (N, 2) or holds a coordinate that is not finite.
    """
    found = make_regions(detections, integer, "detection")
    wanted = make_regions(truths, integer, "ground truth")
    if len(found.areas) and len(wanted.areas):
        # Building the index over the truths makes query() return (detection, truth) rows.
        detection, truth = shapely.STRtree(wanted.shapes).query(found.shapes)
        order = np.lexsort((detection, truth))
        truth, detection = truth[order].astype(np.int64), detection[order].astype(np.int64)
        area = shapely.area(shapely.intersection(wanted.shapes[truth], found.shapes[detection]))
    else:
        truth = detection = np.zeros(0, np.int64)
        area = np.zeros(0, np.float64)
    return Overlaps(truth, detection, area, wanted.areas, found.areas, np.ones(len(found.areas), np.bool_))


def make_regions(polygons: Sequence[PolygonLike], integer: bool, what: str = "polygon") -> Regions:
    """Turn polygons into geometry objects, all in one go.

    Args:
        polygons: arrays (N, 2), pixels. Fewer than 3 points make an empty region of zero area.
        integer: cut coordinates to whole pixels first.
        what: how messages name a polygon.

    Raises:
        ValueError: when a polygon is not (N, 2) or holds a coordinate that is not finite.
    """
    rings = [_closed(polygon, integer, what, index) for index, polygon in enumerate(polygons)]
    if not rings:
        return Regions(np.zeros(0, np.object_), np.zeros(0, np.float64))
    lengths = np.array([len(ring) for ring in rings])
    points = np.concatenate(rings)
    shapes = shapely.polygons(shapely.linearrings(points, indices=np.repeat(np.arange(len(rings)), lengths)))
    for index in np.flatnonzero(~shapely.is_valid(shapes)):
        shapes[index] = even_odd_region(rings[index])
    return Regions(shapes, _shoelace(points, lengths))


def even_odd_region(ring: FloatArray) -> Any:
    """Valid geometry of the points that a closed outline winds round an odd number of times.

    Args:
        ring: float64 (N, 2), first point repeated at the end.

    Returns:
        A shapely geometry without overlaps; empty when the outline has no inside.
    """
    # Self-union nodes the outline: it is cut wherever it meets itself, so every face lies wholly in or out.
    noded = shapely.unary_union(shapely.linestrings(ring))
    faces = shapely.get_parts(shapely.polygonize([noded]))
    inside = [face for face in faces if _is_odd(ring, shapely.get_coordinates(shapely.point_on_surface(face))[0])]
    return shapely.unary_union(inside) if inside else shapely.Polygon()


def _is_odd(ring: FloatArray, point: FloatArray) -> bool:
    """Count the edges that a ray from the point to the right crosses."""
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    crossing = (y0 > point[1]) != (y1 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        x = x0 + (point[1] - y0) * (x1 - x0) / (y1 - y0)
    return bool(np.count_nonzero(crossing & (x > point[0])) % 2)


def check_points(polygon: PolygonLike, what: str, index: int) -> FloatArray:
    """Give a polygon as float64 (N, 2).

    Args:
        polygon: array (N, 2), pixels.
        what: how messages name it.
        index: its number in the picture, for messages.

    Raises:
        ValueError: when it is not (N, 2) or holds a coordinate that is not finite.
    """
    points = np.asarray(polygon, np.float64)
    if points.size == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{what} {index}: shape {points.shape}, expected (N, 2), one row x, y a point")
    if not np.isfinite(points).all():
        raise ValueError(f"{what} {index}: coordinates {points.tolist()} are not all finite")
    return points


def _closed(polygon: PolygonLike, integer: bool, what: str, index: int) -> FloatArray:
    """Check one polygon and give it as float64 (N + 1, 2), first point repeated at the end."""
    points = check_points(polygon, what, index)
    if integer:
        points = np.trunc(points)
    if len(points) < 3:
        return np.zeros((4, 2))  # a ring of one point: no inside, zero area, meets nothing
    return np.concatenate((points, points[:1]))


def _shoelace(points: FloatArray, lengths: npt.NDArray[np.int64]) -> FloatArray:
    """Absolute areas of closed rings that lie one after another in ``points``."""
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    # Counting from each ring's own first point keeps the products small and so the sums exact, and makes
    # the step from the end of one ring (its origin again) to the next one weigh nothing.
    local = points - np.repeat(points[starts], lengths, axis=0)
    cross = np.zeros(len(points))
    cross[:-1] = local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1]
    return np.abs(np.add.reduceat(cross, starts)) / 2.0


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)
