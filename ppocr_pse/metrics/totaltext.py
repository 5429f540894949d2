"""Total-Text: DetEval with polygons, as in the data set's own Python script.

With sigma = intersection / text area and tau = intersection / detection area, both rounded to two
decimals as the script does, and thresholds tr (recall) and tp (precision):

0. Coordinates are whole pixels (fractions are cut off, as ``int()`` does). A detection is removed when
   intersection / (its area + 1) > 0.5 for one don't-care text (``#``); don't-care texts do not count.
1. One-to-one, strict: the text has exactly one detection with sigma > tr and exactly one with tau > tp,
   and each of these detections has exactly one such text. Credit 1 on both sides. (The script does not
   ask for the two detections to be the same one; the one with sigma > tr is then taken.)
2. One-to-many (split): a free text with sigma > 0 for at least two detections. Among the free detections
   with tau >= tp: a single one is a hit of credit 1 when its sigma >= tr; several are worth 0.8 each, and
   the text 0.8, when their sigmas sum to >= tr.
3. Many-to-one (merge): a free detection with tau > 0 for at least two texts. Among the free texts with
   sigma >= tp (sic, not tr): a single one is a hit of credit 1 when tau >= tp and sigma >= tr; several are
   worth 0.8 each, and the detection 0.8, when their taus sum to >= tp.

precision = credits / detections, recall = credits / texts, over all pictures. tr = 0.7, tp = 0.6 is what
the data set's authors recommend for polygons; 0.8 / 0.4 is DetEval's own pair (Wolf and Jolion, "Object
count/area graphs for the evaluation of object detection and segmentation algorithms", IJDAR 2006).
A polygon of zero area overlaps nothing and so counts as a miss or a false alarm, where the script
divides by zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.counts import PARTIAL_CREDIT, Counts, PictureCounts
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike
from ppocr_pse.metrics.overlaps import measure as measure_overlaps

DONT_CARE_THRESHOLD = 0.5


@dataclass(frozen=True)
class DetEvalThresholds:
    """Thresholds of DetEval.

    Attributes:
        recall: tr, the least share of a text that has to be covered.
        precision: tp, the least share of a detection that has to be text.
    """

    recall: float
    precision: float


TOTALTEXT = DetEvalThresholds(recall=0.7, precision=0.6)
WOLF = DetEvalThresholds(recall=0.8, precision=0.4)


def measure(polygons: Sequence[PolygonLike], gt_polygons: Sequence[PolygonLike]) -> Overlaps:
    """Overlaps between detections and ground truth in whole pixels."""
    return measure_overlaps(polygons, gt_polygons, integer=True)


def match_overlaps(
    overlaps: Overlaps,
    ignored: npt.NDArray[np.bool_],
    source: str = "",
    thresholds: DetEvalThresholds = TOTALTEXT,
) -> PictureCounts:
    """Apply DetEval to measured overlaps.

    Args:
        overlaps: of one picture.
        ignored: bool (n,), the don't-care texts.
        source: name of the picture.
        thresholds: tr and tp.
    """
    return _match(overlaps, ignored, source, thresholds)


def match_overlaps_wolf(overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str = "") -> PictureCounts:
    """Apply DetEval with tr 0.8 and tp 0.4; arguments as in :func:`match_overlaps`."""
    return _match(overlaps, ignored, source, WOLF)


def match_picture(
    polygons: Sequence[PolygonLike],
    gt_polygons: Sequence[PolygonLike],
    ignored: npt.NDArray[np.bool_],
    source: str = "",
    thresholds: DetEvalThresholds = TOTALTEXT,
) -> PictureCounts:
    """Match the detections of one picture with its ground truth.

    Args:
        polygons: detections, arrays (N, 2), pixels, in file order.
        gt_polygons: ground truth, arrays (N, 2), pixels, in file order.
        ignored: bool (len(gt_polygons),), the don't-care texts.
        source: name of the picture.
        thresholds: tr and tp.

    Raises:
        ValueError: when a polygon is not (N, 2) or not finite.
    """
    return _match(measure(polygons, gt_polygons), ignored, source, thresholds)


class _Matching:
    """Credits of one picture while the three passes fill them in."""

    def __init__(self, overlaps: Overlaps, thresholds: DetEvalThresholds) -> None:
        self.tr, self.tp = thresholds.recall, thresholds.precision
        self.truth, self.detection = overlaps.truth, overlaps.detection
        self.sigma = np.round(overlaps.of_truth(), 2)
        self.tau = np.round(overlaps.of_detection(), 2)
        self.truth_credit = np.zeros(len(overlaps.truth_areas))
        self.detection_credit = np.zeros(len(overlaps.detection_areas))
        self.matches: list[tuple[int, int]] = []

    def hit(self, pairs: npt.NDArray[np.int64], credit: float) -> None:
        """Give all texts and detections of the pairs a credit; they are free no longer."""
        self.truth_credit[self.truth[pairs]] = credit
        self.detection_credit[self.detection[pairs]] = credit
        self.matches += zip(self.truth[pairs].tolist(), self.detection[pairs].tolist(), strict=True)

    def one_to_one(self) -> None:
        """Pass 1. It looks at the tables only, so the order of texts does not matter."""
        n, m = len(self.truth_credit), len(self.detection_credit)
        strong_sigma, strong_tau = np.flatnonzero(self.sigma > self.tr), np.flatnonzero(self.tau > self.tp)
        alone = np.ones(n, np.bool_)
        for strong in (strong_sigma, strong_tau):
            truth, detection = self.truth[strong], self.detection[strong]
            shared = np.bincount(detection, minlength=m)[detection] > 1
            alone &= np.bincount(truth, minlength=n) == 1
            alone[truth[shared]] = False
        self.hit(strong_sigma[alone[self.truth[strong_sigma]]], 1.0)

    def one_to_many(self) -> None:
        """Pass 2, text by text."""
        for text, pairs in enumerate(_groups(self.truth, len(self.truth_credit))):
            if self.truth_credit[text] or np.count_nonzero(self.sigma[pairs] > 0) < 2:
                continue
            parts = pairs[(self.tau[pairs] >= self.tp) & (self.detection_credit[self.detection[pairs]] == 0)]
            if len(parts) and self.sigma[parts].sum() >= self.tr:
                self.hit(parts, 1.0 if len(parts) == 1 else PARTIAL_CREDIT)

    def many_to_one(self) -> None:
        """Pass 3, detection by detection."""
        for found, pairs in enumerate(_groups(self.detection, len(self.detection_credit))):
            if self.detection_credit[found] or np.count_nonzero(self.tau[pairs] > 0) < 2:
                continue
            parts = pairs[(self.sigma[pairs] >= self.tp) & (self.truth_credit[self.truth[pairs]] == 0)]
            if not len(parts) or self.tau[parts].sum() < self.tp:
                continue
            if len(parts) > 1:
                self.hit(parts, PARTIAL_CREDIT)
            elif self.sigma[parts[0]] >= self.tr:
                self.hit(parts, 1.0)


def _match(
    overlaps: Overlaps, ignored: npt.NDArray[np.bool_], source: str, thresholds: DetEvalThresholds
) -> PictureCounts:
    care = overlaps.present.copy()
    swallowed = ignored[overlaps.truth] & (
        overlaps.area / (overlaps.detection_areas[overlaps.detection] + 1.0) > DONT_CARE_THRESHOLD
    )
    care[overlaps.detection[swallowed]] = False
    matching = _Matching(overlaps.select(~ignored[overlaps.truth] & care[overlaps.detection]), thresholds)
    matching.one_to_one()
    matching.one_to_many()
    matching.many_to_one()
    truth_credit, detection_credit = matching.truth_credit, matching.detection_credit
    return PictureCounts(
        source=source,
        counts=Counts(
            truths=int(np.count_nonzero(~ignored)),
            detections=int(np.count_nonzero(care)),
            recall_hits=int(np.count_nonzero(truth_credit == 1.0)),
            precision_hits=int(np.count_nonzero(detection_credit == 1.0)),
            recall_partial=int(np.count_nonzero(truth_credit == PARTIAL_CREDIT)),
            precision_partial=int(np.count_nonzero(detection_credit == PARTIAL_CREDIT)),
        ),
        matches=np.array(matching.matches, np.int64).reshape(-1, 2),
        truth_care=~ignored,
        detection_present=overlaps.present,
        detection_care=care,
        truth_credit=truth_credit,
        detection_credit=detection_credit,
    )


def _groups(keys: npt.NDArray[np.int64], count: int) -> list[npt.NDArray[np.int64]]:
    """Indices of the pairs of each key 0 ... count - 1, in ascending order."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.searchsorted(keys[order], np.arange(1, count))) if count else []
