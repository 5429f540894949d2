"""Precision and recall over score thresholds, from stored detections: the network does not run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.counts import Counts, PictureCounts
from ppocr_pse.metrics.detection import Protocol, find_protocol, measure_picture
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Scores at rising thresholds.

    Attributes:
        thresholds: float64 (T,), ascending; at each, detections with score >= threshold are kept.
        counts: the counters at each threshold.
        precision: float64 (T,), 0 where nothing is kept.
        recall: float64 (T,).
        hmean: float64 (T,).
    """

    thresholds: FloatArray
    counts: tuple[Counts, ...]
    precision: FloatArray
    recall: FloatArray
    hmean: FloatArray

    def best(self) -> int:
        """Index of the highest hmean; of equal ones the highest threshold, which keeps the fewest.

        Raises:
            ValueError: when the curve has no points.
        """
        if not len(self.thresholds):
            raise ValueError("the curve has no points: nothing was detected and no thresholds were given")
        return len(self.hmean) - 1 - int(np.argmax(self.hmean[::-1]))


@dataclass(frozen=True)
class _Stored:
    """One picture with its geometry done."""

    overlaps: Overlaps
    scores: FloatArray
    ignored: npt.NDArray[np.bool_]
    source: str


class ThresholdSweep:
    """Store the detections of many pictures once, then score them at any threshold.

    At every threshold the protocol matches afresh, so each point of the curve is exactly what an
    evaluation with that ``box_thresh`` would report: a detection that is dropped gives its text free to
    the next one. Detections should come from a run with a low ``box_thresh``.

    Args:
        protocol: a key of :data:`ppocr_pse.metrics.PROTOCOLS`, or a protocol itself, such as ``DetMetric.rules``.

    Raises:
        ValueError: when the protocol is not known.
    """

    def __init__(self, protocol: str | Protocol = "icdar2015") -> None:
        self._protocol = find_protocol(protocol) if isinstance(protocol, str) else protocol
        self._stored: list[_Stored] = []

    def add(
        self,
        polygons: Sequence[PolygonLike],
        scores: npt.ArrayLike,
        gt_polygons: Sequence[PolygonLike],
        ignored: npt.ArrayLike,
        source: str = "",
    ) -> None:
        """Store one picture; arguments as in :meth:`ppocr_pse.metrics.DetMetric.update`.

        Raises:
            ValueError: when lengths disagree, or a polygon or a score is malformed.
        """
        overlaps, score_array, flags = measure_picture(self._protocol, polygons, scores, gt_polygons, ignored, source)
        self._stored.append(_Stored(overlaps, score_array, flags, source))

    def pictures(self, threshold: float = -np.inf) -> list[PictureCounts]:
        """Score every picture with the detections of score >= ``threshold``, in the order of adding."""
        return [self._match(stored, threshold) for stored in self._stored]

    def at(self, threshold: float) -> Counts:
        """Counters over all pictures with the detections of score >= ``threshold``."""
        return sum((picture.counts for picture in self.pictures(threshold)), Counts())

    def curve(self, thresholds: npt.ArrayLike | None = None) -> Curve:
        """Score at many thresholds.

        Args:
            thresholds: any numbers; every distinct score when not given, so that no operating point is
                missed. A picture is matched again only where its own set of detections changes.

        Raises:
            ValueError: when a threshold is not a number.
        """
        if thresholds is None:
            grid = np.unique(np.concatenate([np.zeros(0), *(stored.scores for stored in self._stored)]))
        else:
            grid = np.unique(np.asarray(thresholds, np.float64))
        if np.isnan(grid).any():
            raise ValueError(f"thresholds: {grid.tolist()} holds a value that is not a number")
        fields = len(Counts().as_ints())
        steps = np.zeros((len(grid) + 1, fields), np.int64)
        for stored in self._stored:
            dropped = np.searchsorted(np.sort(stored.scores), grid, side="left")
            changes = np.flatnonzero(np.diff(dropped, prepend=-1))
            before = np.zeros(fields, np.int64)
            for index in changes:
                now = np.array(self._match(stored, float(grid[index])).counts.as_ints())
                steps[index] += now - before
                before = now
        rows = np.cumsum(steps[:-1], axis=0)
        counts = tuple(Counts(*row) for row in rows.tolist())
        return Curve(
            thresholds=grid,
            counts=counts,
            precision=np.array([c.precision for c in counts], np.float64),
            recall=np.array([c.recall for c in counts], np.float64),
            hmean=np.array([c.hmean for c in counts], np.float64),
        )

    def average_precision(self) -> float:
        """AP over all pictures, as :func:`average_precision` defines it, from one matching of everything."""
        pictures = self.pictures()
        care = [picture.detection_care for picture in pictures]
        scores = [stored.scores[keep] for stored, keep in zip(self._stored, care, strict=True)]
        hits = [picture.detection_credit[keep] > 0 for picture, keep in zip(pictures, care, strict=True)]
        truths = sum(picture.counts.truths for picture in pictures)
        return average_precision(
            np.concatenate([np.zeros(0), *scores]), np.concatenate([np.zeros(0, np.bool_), *hits]), truths
        )

    def _match(self, stored: _Stored, threshold: float) -> PictureCounts:
        kept = stored.overlaps.keep(stored.scores >= threshold)
        return self._protocol.match(kept, stored.ignored, stored.source)


def average_precision(scores: npt.ArrayLike, hits: npt.ArrayLike, truths: int) -> float:
    """Mean over texts of the precision at the rank of their detection, as the competition's script has it.

    Detections of all pictures are ranked by score, high to low; each hit adds (hits so far) / rank, and
    the sum is divided by the number of texts. Detections in don't-care regions are left out beforehand.

    Args:
        scores: (n,); equal scores keep their order.
        hits: bool (n,), whether the detection matched.
        truths: number of texts that count.

    Returns:
        0 to 1; 0 when there are no texts.
    """
    if truths == 0:
        return 0.0
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranked = np.asarray(hits, np.bool_)[order]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].sum() / truths)
