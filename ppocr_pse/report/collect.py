"""Gather what a report needs while pictures are scored one by one; only the worst pictures themselves are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics import Counts, PictureCounts, Protocol
from ppocr_pse.metrics.breakdown import MEASURES, Bin, Breakdown, PictureRow, picture_row, worst_first
from ppocr_pse.metrics.curves import Curve, ThresholdSweep
from ppocr_pse.report.gallery import Exhibit, Image, make_exhibit
from ppocr_pse.types import Annotation, ImageScale

PolygonLike = npt.NDArray[np.float32] | npt.NDArray[np.float64] | npt.NDArray[np.int32]


@dataclass(frozen=True)
class Facts:
    """What the caller knows about a run; everything here is only shown.

    Attributes:
        title: of the page.
        protocol: name of the protocol.
        settings: (name, value) rows: weights, labels, thresholds.
        machine: (name, value) rows: processor, versions, date.
        config: the whole configuration as YAML, "" when there is none.
        stages: (name, seconds over all pictures) of reading, preprocessing and so on; empty when nothing was run.
        seconds: wall time; 0 when nothing was run.
        threshold: the score below which detections were left out, None when that is not known.
        faults: messages about pictures and labels that could not be used.
    """

    title: str
    protocol: str
    settings: tuple[tuple[str, str], ...] = ()
    machine: tuple[tuple[str, str], ...] = ()
    config: str = ""
    stages: tuple[tuple[str, float], ...] = ()
    seconds: float = 0.0
    threshold: float | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that the page, the JSON file and the tables show.

    Attributes:
        facts: about the run.
        counts: sums over all pictures.
        rows: one a picture, in the order of evaluation; sources are relative to the folder that all share.
        curve: scores at every threshold, None when detections have no scores.
        average_precision: 0 to 1, None as ``curve``.
        breakdowns: by name of the measure, its ranges in ascending order.
        gallery: the worst pictures, the worst first.
    """

    facts: Facts
    counts: Counts
    rows: tuple[PictureRow, ...]
    curve: Curve | None
    average_precision: float | None
    breakdowns: dict[str, list[Bin]]
    gallery: tuple[Exhibit, ...]


class Collector:
    """Is shown each picture once, in any order, and makes the report at the end.

    Memory does not grow with the pictures' sizes: only counts, outlines and the pictures of the gallery are kept.

    Args:
        rules: the protocol that the pictures are scored by.
        gallery: how many of the worst pictures to show.
    """

    def __init__(self, rules: Protocol, gallery: int = 24) -> None:
        self.gallery = gallery
        self._counts = Counts()
        self._rows: list[PictureRow] = []
        self._sweep: ThresholdSweep | None = ThresholdSweep(rules)
        self._breakdowns = {name: Breakdown(name) for name in MEASURES}
        self._exhibits: list[Exhibit] = []

    def add(
        self,
        annotation: Annotation,
        counts: PictureCounts,
        polygons: Sequence[PolygonLike],
        scores: npt.ArrayLike,
        candidates: tuple[Sequence[PolygonLike], npt.ArrayLike] | None = None,
        image: Image | None = None,
        logits: npt.NDArray[np.float32] | None = None,
        scale: ImageScale | None = None,
    ) -> None:
        """Take one picture in.

        Args:
            annotation: its labels.
            counts: how it was scored.
            polygons: its detections, arrays (N, 2), source pixels.
            scores: (len(polygons),), 0 to 1, or NaN where a detection has none (then there is no curve).
            candidates: outlines and scores of all detections, also of those below the threshold, for the curve; the
                detections themselves when None.
            image: uint8 (H, W, 3) BGR, or None when there is none to show.
            logits: float32 (K, h, w) of the network, channel 0 the text map, or None.
            scale: how the picture was resized for the network; needed with ``logits``.
        """
        row = picture_row(counts)
        self._counts += counts.counts
        self._rows.append(row)
        for breakdown in self._breakdowns.values():
            breakdown.add(counts, polygons, annotation.polygons)
        outlines, values = (polygons, scores) if candidates is None else candidates
        if np.isnan(np.asarray(values, np.float64)).any():
            self._sweep = None
        elif self._sweep is not None:
            self._sweep.add(outlines, values, annotation.polygons, annotation.ignored, row.source)
        if not (row.misses or row.false_alarms) or not self.gallery:
            return
        rows = worst_first([*(exhibit.row for exhibit in self._exhibits), row])
        if row not in rows[: self.gallery]:
            return
        exhibit = make_exhibit(row, annotation, counts, polygons, scores, self.gallery, image, logits, scale)
        known = {id(kept.row): kept for kept in [*self._exhibits, exhibit]}
        self._exhibits = [known[id(kept)] for kept in rows[: self.gallery]]

    def report(self, facts: Facts) -> Report:
        """Sum up what was shown so far."""
        shared = _shared_folder([row.source for row in self._rows])
        names = {row.source: _inside(row.source, shared) for row in self._rows}
        some = self._sweep is not None and self._rows
        return Report(
            facts=facts,
            counts=self._counts,
            rows=tuple(replace(row, source=names[row.source]) for row in self._rows),
            curve=self._sweep.curve() if some and self._sweep else None,
            average_precision=self._sweep.average_precision() if some and self._sweep else None,
            breakdowns={name: breakdown.rows() for name, breakdown in self._breakdowns.items()},
            gallery=tuple(
                replace(exhibit, row=replace(exhibit.row, source=names[exhibit.row.source]))
                for exhibit in self._exhibits
            ),
        )


def _shared_folder(sources: Sequence[str]) -> str:
    """The deepest folder that holds all pictures, "" when there is none."""
    folders = {PurePath(source).parent for source in sources}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:  # absolute and relative paths, or two drives
        return ""


def _inside(source: str, folder: str) -> str:
    return str(PurePath(source).relative_to(folder)) if folder else source
