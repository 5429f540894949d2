"""Score a network on labelled pictures, each counted once, over one process or many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from ppocr_pse.engine.collectives import ALONE, sums
from ppocr_pse.engine.predictor import PictureResult, Predictor, Timing
from ppocr_pse.engine.ranks import RankWatch
from ppocr_pse.metrics import Counts, DetMetric, PictureCounts
from ppocr_pse.types import Annotation

STAGES = ("read", "preprocess", "network", "post-process")
"""Names of the fields of Timing, for people."""
Observer = Callable[[Annotation, PictureResult, PictureCounts], None]
"""Is shown every picture of this process with what was found in it and how that was counted."""


class EvaluationStopped(Exception):
    """An evaluation was cut short because the run is to end; nothing was scored."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        precision: 0 to 1.
        recall: 0 to 1.
        hmean: 0 to 1.
        fps: pictures a second, everything included, over all processes.
        pictures: how many were scored.
        counts: the sums that the figures come from.
        timing: seconds a stage, summed over the pictures of this process; reading and preprocessing overlap with
            the rest, so the sum can exceed the time that passed.
        seconds: wall time of this process.
        faults: a message for each picture that could not be read; its texts count as missed.
    """

    precision: float
    recall: float
    hmean: float
    fps: float
    pictures: int
    counts: Counts
    timing: Timing
    seconds: float
    faults: tuple[str, ...]

    def describe_time(self) -> str:
        """One line with milliseconds a picture and stage."""
        own = max(1, self.pictures)
        stages = zip(STAGES, astuple(self.timing), strict=False)
        split = ", ".join(f"{name} {1000 * seconds / own:.1f}" for name, seconds in stages)
        return f"{self.pictures} pictures in {self.seconds:.1f} s; ms a picture: {split}"


def evaluate(
    predictor: Predictor,
    annotations: Sequence[Annotation],
    metric: DetMetric,
    workers: int = 1,
    watch: Callable[[Any], Any] = iter,
    ranks: RankWatch = ALONE,
    stop: Callable[[], bool] = lambda: False,
    observe: Observer | None = None,
) -> Evaluation:
    """Detect on every picture and compare with its labels.

    Args:
        predictor: the network with its preprocessing and post-processing.
        annotations: the pictures; with N ranks each takes every N-th one.
        metric: is reset first, and holds the sum over all processes afterwards.
        workers: reader threads.
        watch: wraps the iteration, to show progress.
        ranks: the processes that share the pictures and add up what they counted.
        stop: asked after each picture whether to give up; when one rank does, all do.
        observe: is called once a picture, in order, also for one that could not be read; its time is not counted.

    Raises:
        EvaluationStopped: on all ranks, when ``stop`` asked for it on one.
    """
    start = time.perf_counter()
    metric.reset()
    timing = Timing()
    faults: list[str] = []
    stopped = 0
    mine = annotations[ranks.rank :: ranks.world_size]
    results = predictor.stream((annotation.image for annotation in mine), workers)
    for number, (annotation, result) in enumerate(zip(mine, watch(results), strict=False), 1):
        ranks.at(f"evaluation, picture {number} of {len(mine)}")
        timing += result.timing
        if result.error:
            faults.append(f"{annotation.source}: {result.error}")
        detections = result.detections
        counts = metric.update(
            detections.polygons,
            detections.scores,
            annotation.polygons,
            annotation.ignored,
            str(annotation.image),
        )
        if observe is not None:
            before = time.perf_counter()
            observe(annotation, result, counts)
            start += time.perf_counter() - before
        if stop():
            stopped = 1
            break
    *total, stopped = sums(ranks, [*metric.counts().as_ints(), stopped], "evaluation: the counts")
    if stopped:
        raise EvaluationStopped
    metric.reset()
    metric.add_counts(Counts(*total))
    faults = [fault for rank in ranks.gather(faults, "evaluation: the faults") for fault in rank]
    seconds = time.perf_counter() - start
    summary = metric.summary()
    return Evaluation(
        precision=summary["precision"],
        recall=summary["recall"],
        hmean=summary["hmean"],
        fps=len(annotations) / seconds if seconds else 0.0,
        pictures=len(mine),
        counts=metric.counts(),
        timing=timing,
        seconds=seconds,
        faults=tuple(faults),
    )
