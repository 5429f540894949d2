"""Find the decoder's thresholds on labelled pictures whose logits are known: no network runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.engine.logits import Logits
from ppocr_pse.metrics import Counts, Protocol
from ppocr_pse.metrics.curves import ThresholdSweep
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.types import Annotation, Detections

HALVES = 2


@dataclass(frozen=True)
class Setting:
    """What a decoder is made with, besides ``box_thresh``; the fields are keys of ``PostProcess``."""

    thresh: float
    min_area: int
    box_type: str
    scale: int


@dataclass(frozen=True)
class Trial:
    """One setting at one ``box_thresh``.

    Attributes:
        setting: of the decoder.
        box_thresh: least score of a detection.
        halves: counters over the pictures of even and of odd number.
    """

    setting: Setting
    box_thresh: float
    halves: tuple[Counts, Counts]

    @property
    def counts(self) -> Counts:
        """Counters over all pictures."""
        return self.halves[0] + self.halves[1]


@dataclass(frozen=True)
class Choice:
    """The best trial, and what its figure is worth.

    Attributes:
        best: the trial with the best figure over all pictures.
        held_out: counters when the trial is chosen on one half of the pictures and scored on the other, both ways
            round: what to expect of chosen values on pictures that they were not chosen on.
    """

    best: Trial
    held_out: Counts


def try_settings(
    annotations: Sequence[Annotation],
    load: Callable[[Annotation], Logits | None],
    settings: Sequence[Setting],
    box_thresholds: Sequence[float],
    rules: Protocol,
    workers: int = 1,
    watch: Callable[[Iterable[Setting]], Iterable[Setting]] = iter,
) -> list[Trial]:
    """Score every setting at every ``box_thresh``.

    Each picture is decoded once a setting, with ``box_thresh`` 0; the scores of its regions tell what every other
    value would have left.

    Args:
        annotations: the labelled pictures.
        load: gives a picture's logits, None for one that could not be read (its texts count as missed).
        settings: to try.
        box_thresholds: to try, 0 to 1.
        rules: the protocol.
        workers: threads that share the pictures.
        watch: wraps the settings, to show progress.
    """
    trials: list[Trial] = []
    nothing = Detections((), np.zeros(0, np.float32))
    grid = np.unique(np.asarray(box_thresholds, np.float32))  # what a float32 score is compared with in the decoder
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for setting in watch(settings):
            decoder = PSEDecoder(setting.thresh, 0.0, setting.min_area, setting.box_type, setting.scale, threads=1)

            def decode(annotation: Annotation, decoder: PSEDecoder = decoder) -> Detections:
                known = load(annotation)
                return nothing if known is None else decoder.decode(known[0][None], [known[1]])[0]

            sweeps = [ThresholdSweep(rules) for _ in range(HALVES)]
            for number, (annotation, found) in enumerate(zip(annotations, pool.map(decode, annotations))):
                sweeps[number % HALVES].add(
                    found.polygons, found.scores, annotation.polygons, annotation.ignored, str(annotation.image)
                )
            even, odd = (sweep.curve(grid).counts for sweep in sweeps)
            trials += [Trial(setting, round(float(at), 6), halves) for at, halves in zip(grid, zip(even, odd))]
    return trials


def choose(trials: Sequence[Trial], indicator: str, preferred: Callable[[Trial], Any]) -> Choice:
    """Find the best trial.

    Args:
        trials: at least one.
        indicator: hmean, precision or recall.
        preferred: of several equally good trials the one with the least value of this is taken.
    """

    def best_by(counts: Callable[[Trial], Counts]) -> Trial:
        return min(trials, key=lambda trial: (-counts(trial).summary()[indicator], preferred(trial)))

    by_even, by_odd = best_by(lambda trial: trial.halves[0]), best_by(lambda trial: trial.halves[1])
    return Choice(best_by(lambda trial: trial.counts), by_even.halves[1] + by_odd.halves[0])


def box_threshold_grid(step: float) -> npt.NDArray[np.float64]:
    """Thresholds from 0 up to, but without, 1, rounded so that they can be pasted."""
    return np.round(np.arange(0.0, 1.0, step), 6)
