"""MSRA-TD500: rotated rectangles, with the elastic treatment of difficult texts.

``msra_td500`` is the protocol that the data set's authors published (Yao, Bai, Liu, Ma and Tu, "Detecting
texts of arbitrary orientations in natural images", CVPR 2012, section 4.2):

1. Detections and texts are their minimum-area rectangles D and G. D' and G' are the same rectangles,
   each turned about its own centre until it is parallel to the axes (G by the lesser turn, so that
   upright text stays upright, and D the same way up); overlap = |D' & G'| / |D' | G'|.
2. They match when the overlap exceeds 0.5 and the angle between them is less than pi / 8. A rectangle
   looks the same after a quarter turn, so the side of D that points most nearly along G's is compared
   with it; this keeps nearly square texts from failing by chance.
3. A text matches once and a detection matches once, greedily in file order of texts, then of
   detections; further detections of a text are false.
4. A difficult text that is found counts; one that is missed does not. precision = hits / detections,
   recall = hits / (texts that count).

The authors ship no script. ``msra_td500_psenet`` is the one that PSENet and its successors report: IoU of
the polygons themselves >= 0.5, no angle, and a detection is not used up by a match, so that one detection
over two texts is two hits (its precision can pass 1). Difficult texts are treated in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from ppocr_pse.metrics.counts import PictureCounts, picture_from_matches
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike, check_points
from ppocr_pse.metrics.overlaps import measure as measure_overlaps
from ppocr_pse.polygons import min_area_quad

OVERLAP_THRESHOLD = 0.5
ANGLE_THRESHOLD = math.pi / 8


@dataclass(frozen=True)
class _Rectangles:
    """Rotated rectangles, each float64.

    Attributes:
        centres: (n, 2), pixels.
        sides: (n, 2), pixels, the more horizontal side first.
        angles: (n,), radians from the x axis to the first side, -pi / 4 to pi / 4.
    """

    centres: npt.NDArray[np.float64]
    sides: npt.NDArray[np.float64]
    angles: npt.NDArray[np.float64]


def measure(polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> Overlaps:
    """Overlaps of the rectangles turned parallel to the axes; pairs at too wide an angle are left out.

    Args:
        polygons: detections, arrays (N, 2), pixels.
        gt_polygons: ground truth, arrays (N, 2), pixels.

    Raises:
        ValueError: when a polygon is not (N, 2) or not finite.
    """
    found, wanted = _rectangles(polygons, "detection"), _rectangles(gt_polygons, "ground truth")
    truth = detection = np.zeros(0, np.int64)
    if len(found.angles) and len(wanted.angles):
        detection, truth = shapely.STRtree(_reach(wanted)).query(_reach(found))
        order = np.lexsort((detection, truth))
        truth, detection = truth[order].astype(np.int64), detection[order].astype(np.int64)
    quarter_turns = np.rint((wanted.angles[truth] - found.angles[detection]) / (math.pi / 2))
    off_angle = np.abs(wanted.angles[truth] - found.angles[detection] - quarter_turns * (math.pi / 2))
    swapped = (quarter_turns % 2 == 1)[:, None]
    sides = np.where(swapped, found.sides[detection][:, ::-1], found.sides[detection])
    distance = np.abs(wanted.centres[truth] - found.centres[detection])
    # Along one axis: half the sides' sum less the distance of centres, but no more than either side.
    shared = np.minimum((wanted.sides[truth] + sides) / 2 - distance, np.minimum(wanted.sides[truth], sides))
    overlaps = Overlaps(
        truth=truth,
        detection=detection,
        area=np.prod(np.maximum(shared, 0.0), axis=1),
        truth_areas=np.prod(wanted.sides, axis=1),
        detection_areas=np.prod(found.sides, axis=1),
        present=np.ones(len(found.angles), np.bool_),
    )
    return overlaps.select(off_angle < ANGLE_THRESHOLD)


def match_overlaps(overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str = "") -> PictureCounts:
    """Apply the published protocol to measured overlaps.

    Args:
        overlaps: of one picture, from :func:`measure`.
        ignored: bool (n,), the difficult texts.
        source: name of the picture.
    """
    candidates = overlaps.select(overlaps.iou() > OVERLAP_THRESHOLD)
    matches = candidates.pair_greedily()
    return picture_from_matches(matches, _elastic(ignored, matches), overlaps.present, overlaps.present, source)


def measure_psenet(polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> Overlaps:
    """Overlaps of the polygons themselves, coordinates as they are."""
    return measure_overlaps(polygons, gt_polygons, integer=False)


def match_overlaps_psenet(overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str = "") -> PictureCounts:
    """Apply the rules of the script that PSENet reports; arguments as in :func:`match_overlaps`."""
    candidates = overlaps.select(overlaps.iou() >= OVERLAP_THRESHOLD)
    truths, first = np.unique(candidates.truth, return_index=True)
    matches = list(zip(truths.tolist(), candidates.detection[first].tolist(), strict=True))
    return picture_from_matches(matches, _elastic(ignored, matches), overlaps.present, overlaps.present, source)


def match_picture(
    polygons: Sequence[PolygonLike],
    gt_polygons: Sequence[PolygonLike],
    ignored: npt.NDArray[np.bool_],
    source: str = "",
) -> PictureCounts:
    """Match the detections of one picture with its ground truth by the published protocol.

    Args:
        polygons: detections, arrays (N, 2), pixels, in file order.
        gt_polygons: ground truth, arrays (N, 2), pixels, in file order.
        ignored: bool (len(gt_polygons),), the difficult texts.
        source: name of the picture.

    Raises:
        ValueError: when a polygon is not (N, 2) or not finite.
    """
    return match_overlaps(measure(polygons, gt_polygons), ignored, source)


def _elastic(ignored: npt.NDArray[np.bool_], matches: list[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Texts that count: the easy ones, and the difficult ones that were found."""
    care = ~ignored
    care[[truth for truth, _ in matches]] = True
    return care


def _rectangles(polygons: Sequence[PolygonLike], what: str) -> _Rectangles:
    points = [check_points(polygon, what, index) for index, polygon in enumerate(polygons)]
    quads = np.array([_quad(polygon) for polygon in points], np.float64).reshape(-1, 4, 2)
    edges = quads[:, 1:3] - quads[:, 0:2]
    sides = np.hypot(edges[..., 0], edges[..., 1])
    angles = np.arctan2(edges[:, 0, 1], edges[:, 0, 0])
    quarter_turns = np.rint(angles / (math.pi / 2))
    return _Rectangles(
        centres=quads.mean(axis=1),
        sides=np.where((quarter_turns % 2 == 1)[:, None], sides[:, ::-1], sides),
        angles=angles - quarter_turns * (math.pi / 2),
    )


def _quad(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return min_area_quad(points) if len(points) >= 3 else np.zeros((4, 2), np.float32)


def _reach(rectangles: _Rectangles) -> npt.NDArray[np.object_]:
    """Axis-parallel boxes that hold the rectangles at any angle."""
    half = np.hypot(rectangles.sides[:, 0], rectangles.sides[:, 1])[:, None] / 2
    low, high = rectangles.centres - half, rectangles.centres + half
    return shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
