"""The metric object of evaluation: named protocols, and counters over many pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics import ctw1500, icdar2015, msra_td500, totaltext
from ppocr_pse.metrics.counts import Counts, PictureCounts
from ppocr_pse.metrics.overlaps import Overlaps, PolygonLike

INDICATORS = ("hmean", "precision", "recall")


@dataclass(frozen=True)
class Protocol:
    """One way of scoring, in two steps so that a threshold sweep repeats only the cheap one.

    Attributes:
        measure: (detections, ground truth) -> overlaps; all the geometry.
        match: (overlaps, ignored, source) -> counts; no geometry.
    """

    measure: Callable[[Sequence[PolygonLike], Sequence[PolygonLike]], Overlaps]
    match: Callable[[Overlaps, npt.NDArray[np.bool_], str], PictureCounts]


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "icdar2015": Protocol(icdar2015.measure, icdar2015.match_overlaps),
        "ctw1500": Protocol(ctw1500.measure, ctw1500.match_overlaps),
        "totaltext": Protocol(totaltext.measure, totaltext.match_overlaps),
        "totaltext_08_04": Protocol(totaltext.measure, totaltext.match_overlaps_wolf),
        "msra_td500": Protocol(msra_td500.measure, msra_td500.match_overlaps),
        "msra_td500_psenet": Protocol(msra_td500.measure_psenet, msra_td500.match_overlaps_psenet),
    }
)
"""The protocols by the name that ``Metric.protocol`` and ``--protocol`` take."""


def find_protocol(name: str, tr: float | None = None, tp: float | None = None) -> Protocol:
    """Look a protocol up by name.

    Args:
        name: a key of :data:`PROTOCOLS`.
        tr: DetEval's threshold for recall instead of 0.7, for ``totaltext`` alone.
        tp: DetEval's threshold for precision instead of 0.6, for ``totaltext`` alone.

    Raises:
        ValueError: when the name is not known, or a threshold is given where there is none, or is not from 0 to 1.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: {name!r} is not known, expected one of {', '.join(PROTOCOLS)}")
    if tr is None and tp is None:
        return PROTOCOLS[name]
    if name != "totaltext":
        raise ValueError(f"tr and tp: {tr} and {tp} are given, but protocol {name} has no such thresholds")
    for key, value in (("tr", tr), ("tp", tp)):
        if value is not None and not 0.0 <= value <= 1.0:
            raise ValueError(f"{key}: {value} is not from 0 to 1")
    default = totaltext.TOTALTEXT
    thresholds = totaltext.DetEvalThresholds(
        recall=default.recall if tr is None else tr, precision=default.precision if tp is None else tp
    )
    return Protocol(totaltext.measure, partial(totaltext.match_overlaps, thresholds=thresholds))


def measure_picture(
    protocol: Protocol,
    polygons: Sequence[PolygonLike],
    scores: npt.ArrayLike,
    gt_polygons: Sequence[PolygonLike],
    ignored: npt.ArrayLike,
    source: str,
) -> tuple[Overlaps, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Check what a caller hands over for one picture and measure its overlaps.

    Returns:
        The overlaps, the scores as float64 (n,), the don't-care flags as bool (number of texts,).

    Raises:
        ValueError: when lengths disagree, or a polygon or a score is malformed; the message names ``source``.
    """
    where = source or "picture"
    score_array = np.asarray(scores, np.float64)
    ignored_array = np.asarray(ignored, np.bool_)
    if score_array.shape != (len(polygons),):
        raise ValueError(
            f"{where}: scores of shape {score_array.shape} for {len(polygons)} polygons, expected one each"
        )
    if ignored_array.shape != (len(gt_polygons),):
        raise ValueError(
            f"{where}: ignored of shape {ignored_array.shape} for {len(gt_polygons)} ground-truth polygons, "
            "expected one flag each"
        )
    if not np.isfinite(score_array).all():
        raise ValueError(f"{where}: scores {score_array.tolist()} are not all finite")
    try:
        overlaps = protocol.measure(polygons, gt_polygons)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return overlaps, score_array, ignored_array


class DetMetric:
    """Precision, recall and hmean over pictures (``Metric: {name: DetMetric, main_indicator: hmean}``).

    Args:
        main_indicator: the figure that chooses the best model: hmean, precision or recall.
        protocol: a key of :data:`PROTOCOLS`.
        tr: DetEval's threshold for recall, for ``totaltext`` alone (0.7 when None).
        tp: DetEval's threshold for precision, for ``totaltext`` alone (0.6 when None).

    Raises:
        ValueError: when a value is not known or has no meaning; the message names the key and the allowed values.
    """

    def __init__(
        self,
        main_indicator: str = "hmean",
        protocol: str = "icdar2015",
        tr: float | None = None,
        tp: float | None = None,
    ) -> None:
        if main_indicator not in INDICATORS:
            raise ValueError(
                f"Metric.main_indicator: {main_indicator!r} is not known, expected one of {', '.join(INDICATORS)}"
            )
        self.main_indicator = main_indicator
        self.protocol = protocol
        try:
            self.rules = find_protocol(protocol, tr, tp)
        except ValueError as error:
            raise ValueError(f"Metric.{error}") from None
        self._counts = Counts()

    def update(
        self,
        polygons: Sequence[PolygonLike],
        scores: npt.ArrayLike,
        gt_polygons: Sequence[PolygonLike],
        ignored: npt.ArrayLike,
        source: str = "",
    ) -> PictureCounts:
        """Score one picture and add it to the counters.

        Args:
            polygons: detections, arrays (N, 2), pixels of the source picture.
            scores: (len(polygons),), 0 to 1. No protocol looks at them; their number is checked.
            gt_polygons: ground truth, arrays (N, 2), pixels of the source picture.
            ignored: bool (len(gt_polygons),), the don't-care texts.
            source: name of the picture, for reports and messages.

        Returns:
            What the picture added, and which of its texts and detections did it.

        Raises:
            ValueError: when lengths disagree, or a polygon or a score is malformed; the counters stay.
        """
        overlaps, _, flags = measure_picture(self.rules, polygons, scores, gt_polygons, ignored, source)
        picture = self.rules.match(overlaps, flags, source)
        self._counts += picture.counts
        return picture

    def counts(self) -> Counts:
        """Counters so far."""
        return self._counts

    def add_counts(self, counts: Counts) -> None:
        """Add the counters of another rank."""
        self._counts += counts

    def summary(self) -> dict[str, float]:
        """Precision, recall and hmean so far, each 0 to 1; all 0 when nothing was detected."""
        return self._counts.summary()

    def reset(self) -> None:
        """Start again at zero."""
        self._counts = Counts()
