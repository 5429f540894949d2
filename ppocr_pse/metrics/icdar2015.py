"""ICDAR2015 Incidental Scene Text, task 4.1: the IoU protocol of the Robust Reading Competition.

Rules, in the order in which they act:

1. Coordinates are whole pixels. The official files hold nothing else; fractions of other files are cut off (towards
   zero), as the script's ``int()`` does with what reaches it.
2. Don't-care texts do not count. A detection does not count either when more than half of ITS area lies
   in one single don't-care region.
3. For each text in file order, and for each detection in file order: the first free pair with
   IoU > 0.5 (strict) is a hit. Scores play no part.
4. Hits, texts and detections are summed over all pictures; precision = hits / detections,
   recall = hits / texts.

A polygon whose outline crosses itself is counted like any other (see :mod:`ppocr_pse.metrics.overlaps`
for its areas); a detection of zero area is a false positive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.counts import PictureCounts, picture_from_matches
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike
from ppocr_pse.metrics.overlaps import measure as measure_overlaps

IOU_THRESHOLD = 0.5
DONT_CARE_THRESHOLD = 0.5

_QUOTED = re.compile(r'\s*"(.*)"\s*')


def is_dont_care(transcription: str) -> bool:
    """Tell whether a transcription of a ground-truth file means "don't care".

    Only exactly ``###`` does, also when it stands in double quotes. ``*``, which PaddleOCR's label files
    use too, does not: it is for the reader of such files to turn into an ignored flag.
    """
    quoted = _QUOTED.fullmatch(transcription)
    return (quoted.group(1) if quoted else transcription) == "###"


def measure(polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> Overlaps:
    """Overlaps between detections and ground truth in whole pixels."""
    return measure_overlaps(polygons, gt_polygons, integer=True)


def drop_in_dont_care(overlaps: Overlaps, ignored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Find the detections that count: bool (m,), false where a don't-care region takes more than half.

    Args:
        overlaps: of one picture.
        ignored: bool (n,), the don't-care texts.
    """
    care = overlaps.present.copy()
    swallowed = ignored[overlaps.truth] & (overlaps.of_detection() > DONT_CARE_THRESHOLD)
    care[overlaps.detection[swallowed]] = False
    return care


def match_overlaps(overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str = "") -> PictureCounts:
    """Apply the protocol to measured overlaps.

    Args:
        overlaps: of one picture.
        ignored: bool (n,), the don't-care texts.
        source: name of the picture.
    """
    care = drop_in_dont_care(overlaps, ignored)
    candidates = overlaps.select((overlaps.iou() > IOU_THRESHOLD) & ~ignored[overlaps.truth] & care[overlaps.detection])
    matches = candidates.pair_greedily()
    return picture_from_matches(matches, ~ignored, overlaps.present, care, source)


def match_picture(
    polygons: Sequence[PolygonLike],
    gt_polygons: Sequence[PolygonLike],
    ignored: npt.NDArray[np.bool_],
    source: str = "",
) -> PictureCounts:
    """Match the detections of one picture with its ground truth.

    Args:
        polygons: detections, arrays (N, 2), pixels, in file order.
        gt_polygons: ground truth, arrays (N, 2), pixels, in file order.
        ignored: bool (len(gt_polygons),), the don't-care texts.
        source: name of the picture.

    Raises:
        ValueError: when a polygon is not (N, 2) or not finite.
    """
    return match_overlaps(measure(polygons, gt_polygons), ignored, source)
