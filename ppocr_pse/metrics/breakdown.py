"""Where the score is won and lost: by height, aspect and curvature of the text, and by picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.counts import PARTIAL_CREDIT, Counts, PictureCounts
from ppocr_pse.metrics.overlaps import PolygonLike
from ppocr_pse.polygons import area, perimeter


def _strip(polygon: PolygonLike) -> tuple[float, float]:
    """Length and height of the band with the polygon's area and perimeter, in pixels.

    A band of length l and height h along any smooth centre line has area l * h and outline 2 * (l + h),
    so l and h are the roots of t^2 - (outline / 2) * t + area. That needs no order of points and holds
    for rectangles at any angle and for arcs alike. A blob that is rounder than any band (a circle) is
    taken as a square.
    """
    half, surface = perimeter(polygon) / 2.0, area(polygon)
    root = math.sqrt(max(half * half - 4.0 * surface, 0.0))
    length = (half + root) / 2.0 if root else math.sqrt(surface)
    return length, surface / length if length else 0.0


def text_height(polygon: PolygonLike) -> float:
    """Height of a text line in pixels: the short side of its band, straight or bent."""
    return _strip(polygon)[1]


def text_aspect(polygon: PolygonLike) -> float:
    """Length over height of a text line, >= 1; infinite when it has no area."""
    length, height = _strip(polygon)
    return length / height if height else math.inf


def text_curvature(polygon: PolygonLike) -> float:
    """How far a polygon is from convex: 1 - area / area of its convex hull, 0 (straight) to 1."""
    points = np.asarray(polygon, np.float32)
    if len(points) < 3:
        return 0.0
    hull = cv2.convexHull(points.reshape(-1, 1, 2)).reshape(-1, 2)
    surface = area(np.asarray(hull, np.float32))
    return min(max(1.0 - area(points) / surface, 0.0), 1.0) if surface else 0.0


@dataclass(frozen=True)
class Measure:
    """A property to break the score down by.

    Attributes:
        of: polygon (N, 2) in pixels -> value.
        edges: ascending inner borders; a value equal to a border belongs above it.
        unit: for table heads.
    """

    of: Callable[[PolygonLike], float]
    edges: tuple[float, ...]
    unit: str


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "height": Measure(text_height, (8.0, 12.0, 16.0, 24.0, 32.0, 64.0), "px"),
        "aspect": Measure(text_aspect, (1.5, 2.0, 3.0, 5.0, 8.0), ""),
        "curvature": Measure(text_curvature, (0.02, 0.1, 0.2, 0.3), ""),
    }
)


@dataclass(frozen=True)
class Bin:
    """One row of a breakdown: texts with low <= value < high."""

    low: float
    high: float
    counts: Counts


class Breakdown:
    """Counters apart for ranges of one property.

    A text belongs to the range of its own value. A detection that matched belongs to the range of the
    first text it earned credit with, any other to the range of its own value; so every range has a
    precision, a recall and an hmean, and the ranges add up to the whole.

    Args:
        measure: a key of :data:`MEASURES`.
        edges: ascending inner borders of the ranges; the measure's own when not given.

    Raises:
        ValueError: when the measure is not known or the borders do not ascend.
    """

    def __init__(self, measure: str, edges: Sequence[float] | None = None) -> None:
        if measure not in MEASURES:
            raise ValueError(f"measure: {measure!r} is not known, expected one of {', '.join(MEASURES)}")
        self.measure = MEASURES[measure]
        self.edges = np.array(self.measure.edges if edges is None else edges, np.float64)
        if not (np.diff(self.edges) > 0).all():
            raise ValueError(f"edges: {self.edges.tolist()} do not ascend")
        self._table = np.zeros((len(self.edges) + 1, len(Counts().as_ints())), np.int64)

    def add(self, picture: PictureCounts, polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> None:
        """Add one picture.

        Args:
            picture: what the metric's ``update`` returned for it.
            polygons: its detections, arrays (N, 2), pixels.
            gt_polygons: its ground truth, arrays (N, 2), pixels.

        Raises:
            ValueError: when the polygons are not as many as those of ``picture``.
        """
        wanted = (len(picture.detection_care), len(picture.truth_care))
        if (len(polygons), len(gt_polygons)) != wanted:
            raise ValueError(
                f"{picture.source or 'picture'}: {len(polygons)} detections and {len(gt_polygons)} texts, "
                f"but its counts were taken from {wanted[0]} and {wanted[1]}"
            )
        truth_bins, detection_bins = self._bins(gt_polygons), self._bins(polygons)
        # Backwards, so that of several texts of one detection the first is written last and stays.
        for truth, detection in picture.matches[::-1]:
            detection_bins[detection] = truth_bins[truth]
        for field, bins, care, credit in (
            ("truths", truth_bins, picture.truth_care, picture.truth_credit),
            ("detections", detection_bins, picture.detection_care, picture.detection_credit),
        ):
            self._count(field, bins[care], np.ones(np.count_nonzero(care)))
            side = "recall" if field == "truths" else "precision"
            partial = credit == PARTIAL_CREDIT
            self._count(f"{side}_hits", bins[care & ~partial], credit[care & ~partial])
            self._count(f"{side}_partial", bins[care & partial], np.ones(np.count_nonzero(care & partial)))

    def rows(self) -> list[Bin]:
        """All ranges in ascending order, also empty ones."""
        borders = [-math.inf, *self.edges.tolist(), math.inf]
        return [
            Bin(low, high, Counts(*row))
            for (low, high), row in zip(pairwise(borders), self._table.tolist(), strict=True)
        ]

    def _bins(self, polygons: Sequence[PolygonLike]) -> npt.NDArray[np.int64]:
        values = np.array([self.measure.of(polygon) for polygon in polygons], np.float64)
        return np.searchsorted(self.edges, values, side="right").astype(np.int64)

    def _count(self, field: str, bins: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> None:
        column = list(Counts.__dataclass_fields__).index(field)
        sums = np.bincount(bins, weights, minlength=len(self._table))
        self._table[:, column] += np.rint(sums).astype(np.int64)


@dataclass(frozen=True)
class PictureRow:
    """One picture in a table.

    Attributes:
        source: name of the picture.
        truths: texts that count.
        detections: detections that count.
        hits: texts that were found, in whole or in part.
        misses: texts that were not.
        false_alarms: detections that matched nothing.
        dont_care: detections that a don't-care region removed.
        precision: 0 to 1.
        recall: 0 to 1.
        hmean: 0 to 1.
    """

    source: str
    truths: int
    detections: int
    hits: int
    misses: int
    false_alarms: int
    dont_care: int
    precision: float
    recall: float
    hmean: float


def picture_row(picture: PictureCounts) -> PictureRow:
    """Sum one picture up.

    A picture without texts has recall 1, and precision 1 when nothing was detected in it, else 0: the
    competition's convention for single pictures (sums over pictures do not use it).
    """
    counts = picture.counts
    found = np.zeros(len(picture.truth_care), np.bool_)
    found[picture.matches[:, 0]] = True
    scores = counts.summary()
    if counts.truths == 0:
        perfect = float(counts.detections == 0)
        scores = {"precision": perfect, "recall": 1.0, "hmean": perfect}
    return PictureRow(
        source=picture.source,
        truths=counts.truths,
        detections=counts.detections,
        hits=int(np.count_nonzero(found)),
        misses=int(np.count_nonzero(picture.truth_care & ~found)),
        false_alarms=int(np.count_nonzero(picture.detection_care & (picture.detection_credit == 0))),
        dont_care=int(np.count_nonzero(picture.detection_present & ~picture.detection_care)),
        precision=scores["precision"],
        recall=scores["recall"],
        hmean=scores["hmean"],
    )


def worst_first(rows: Iterable[PictureRow]) -> list[PictureRow]:
    """Sort pictures by hmean, low first; of equal ones that with the most misses and false alarms first."""
    return sorted(rows, key=lambda row: (row.hmean, -(row.misses + row.false_alarms), row.source))
