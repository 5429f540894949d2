"""Whole-number counters: what one picture, one rank or a whole evaluation has to add up."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

PARTIAL_CREDIT = 0.8
"""What a split or merged match is worth in DetEval (Wolf and Jolion, 2006, section 3)."""


@dataclass(frozen=True)
class Counts:
    """Counters that add up exactly, in any order, over pictures and over ranks.

    All fields are whole numbers, so a sharded evaluation that sums them gives the same result as one
    process. DetEval's credits of 0.8 are counted apart and weighed only in the summary.

    Attributes:
        truths: ground-truth texts that count (not don't-care).
        detections: detections that count (not removed by a don't-care region).
        recall_hits: credits of 1 towards recall.
        precision_hits: credits of 1 towards precision. Not always ``recall_hits``: protocols differ
            in how they count one detection that covers several texts.
        recall_partial: credits of 0.8 towards recall (DetEval only).
        precision_partial: credits of 0.8 towards precision (DetEval only).
    """

    truths: int = 0
    detections: int = 0
    recall_hits: int = 0
    precision_hits: int = 0
    recall_partial: int = 0
    precision_partial: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add field by field."""
        return Counts(*(a + b for a, b in zip(self.as_ints(), other.as_ints(), strict=True)))

    def as_ints(self) -> tuple[int, ...]:
        """Give the fields in order, for a gather over ranks; ``Counts(*ints)`` is the way back."""
        return astuple(self)

    @property
    def recall(self) -> float:
        """Credits over texts, 0 when there are no texts."""
        credit = self.recall_hits + PARTIAL_CREDIT * self.recall_partial
        return credit / self.truths if self.truths else 0.0

    @property
    def precision(self) -> float:
        """Credits over detections, 0 when nothing was detected."""
        credit = self.precision_hits + PARTIAL_CREDIT * self.precision_partial
        return credit / self.detections if self.detections else 0.0

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, 0 when both are."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0

    def summary(self) -> dict[str, float]:
        """Precision, recall and hmean, each 0 to 1."""
        return {"precision": self.precision, "recall": self.recall, "hmean": self.hmean}


@dataclass(frozen=True)
class PictureCounts:
    """What one picture adds to the score, and which of its texts and detections did it.

    Attributes:
        source: name of the picture, for reports.
        counts: its counters.
        matches: int64 (K, 2), pairs (ground-truth index, detection index) that earned credit.
        truth_care: bool (n,), false for don't-care texts.
        detection_present: bool (m,), false for detections that a threshold sweep left out.
        detection_care: bool (m,), false for those left out and for those that a don't-care region removed.
        truth_credit: float64 (n,), credit towards recall: 0 for a miss, 1, or 0.8.
        detection_credit: float64 (m,), credit towards precision: 0 for a false alarm, 1, or 0.8.
    """

    source: str
    counts: Counts
    matches: npt.NDArray[np.int64]
    truth_care: npt.NDArray[np.bool_]
    detection_present: npt.NDArray[np.bool_]
    detection_care: npt.NDArray[np.bool_]
    truth_credit: npt.NDArray[np.float64]
    detection_credit: npt.NDArray[np.float64]


def picture_from_matches(
    matches: list[tuple[int, int]],
    truth_care: npt.NDArray[np.bool_],
    detection_present: npt.NDArray[np.bool_],
    detection_care: npt.NDArray[np.bool_],
    source: str,
) -> PictureCounts:
    """Count a picture where every pair is worth one full credit on both sides."""
    pairs = np.array(matches, np.int64).reshape(-1, 2)
    return PictureCounts(
        source=source,
        counts=Counts(
            truths=int(np.count_nonzero(truth_care)),
            detections=int(np.count_nonzero(detection_care)),
            recall_hits=len(pairs),
            precision_hits=len(pairs),
        ),
        matches=pairs,
        truth_care=truth_care,
        detection_present=detection_present,
        detection_care=detection_care,
        truth_credit=np.bincount(pairs[:, 0], minlength=len(truth_care)).astype(np.float64),
        detection_credit=np.bincount(pairs[:, 1], minlength=len(detection_care)).astype(np.float64),
    )
