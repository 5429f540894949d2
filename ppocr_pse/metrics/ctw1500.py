"""SCUT-CTW1500: IoU of polygons, as in the evaluation script that PSENet and its successors report.

Rules:

1. Coordinates are whole pixels (fractions are cut off, as ``int()`` does).
2. There is no don't-care: every text counts, whatever its transcription.
3. Detections are taken in file order. A detection takes EVERY text with IoU >= 0.5 (not strict) that no
   earlier one has taken, and is a hit when it takes at least one.
4. precision = hits / detections and recall = hits / texts, where hits are DETECTIONS: one that takes
   two texts adds 1, not 2, to both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.counts import Counts, PictureCounts
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike
from ppocr_pse.metrics.overlaps import measure as measure_overlaps

IOU_THRESHOLD = 0.5


def measure(polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> Overlaps:
    """Overlaps between detections and ground truth in whole pixels."""
    return measure_overlaps(polygons, gt_polygons, integer=True)


def match_overlaps(overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str = "") -> PictureCounts:
    """Apply the protocol to measured overlaps.

    Args:
        overlaps: of one picture.
        ignored: bool (n,); the protocol takes no notice of it.
        source: name of the picture.

    Returns:
        The counts. ``matches`` holds every covered text; only the first text of a detection has a
        truth credit, so that the credits add up to the score.
    """
    candidates = overlaps.select(overlaps.iou() >= IOU_THRESHOLD)
    # Pairs are sorted by text, then detection: the first pair of each text is the detection that takes it.
    taken, first_pair = np.unique(candidates.truth, return_index=True)
    takers = candidates.detection[first_pair]
    hits, first_text = np.unique(takers, return_index=True)
    truth_credit = np.zeros(len(overlaps.truth_areas))
    detection_credit = np.zeros(len(overlaps.detection_areas))
    truth_credit[taken[first_text]] = 1.0
    detection_credit[hits] = 1.0
    return PictureCounts(
        source=source,
        counts=Counts(
            truths=len(truth_credit),
            detections=int(np.count_nonzero(overlaps.present)),
            recall_hits=len(hits),
            precision_hits=len(hits),
        ),
        matches=np.stack([taken, takers], 1),
        truth_care=np.ones(len(ignored), np.bool_),
        detection_present=overlaps.present,
        detection_care=overlaps.present,
        truth_credit=truth_credit,
        detection_credit=detection_credit,
    )


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
        ignored: bool (len(gt_polygons),); the protocol takes no notice of it.
        source: name of the picture.

    Raises:
        ValueError: when a polygon is not (N, 2) or not finite.
    """
    return match_overlaps(measure(polygons, gt_polygons), ignored, source)
