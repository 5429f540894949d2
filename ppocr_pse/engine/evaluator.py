"""Score a network on labelled pictures, each counted once, over one process or many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import paddle

from ppocr_pse.engine.predictor import Predictor, Timing
from ppocr_pse.metrics import Counts, DetMetric
from ppocr_pse.types import Annotation


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
        stages = zip(("read", "preprocess", "network", "post-process"), astuple(self.timing), strict=False)
        split = ", ".join(f"{name} {1000 * seconds / own:.1f}" for name, seconds in stages)
        return f"{self.pictures} pictures in {self.seconds:.1f} s; ms a picture: {split}"


def evaluate(
    predictor: Predictor,
    annotations: Sequence[Annotation],
    metric: DetMetric,
    workers: int = 1,
    watch: Callable[[Any], Any] = iter,
    rank: int = 0,
    world_size: int = 1,
) -> Evaluation:
    """Detect on every picture and compare with its labels.

    Args:
        predictor: the network with its preprocessing and post-processing.
        annotations: the pictures; with several processes each takes every world_size-th one.
        metric: is reset first, and holds the sum over all processes afterwards.
        workers: reader threads.
        watch: wraps the iteration, to show progress.
        rank: of this process.
        world_size: number of processes.
    """
    start = time.perf_counter()
    metric.reset()
    timing = Timing()
    faults: list[str] = []
    mine = annotations[rank::world_size]
    results = predictor.stream((annotation.image for annotation in mine), workers)
    for annotation, result in zip(mine, watch(results), strict=False):
        timing += result.timing
        if result.error:
            faults.append(f"{annotation.source}: {result.error}")
        detections = result.detections
        metric.update(
            detections.polygons,
            detections.scores,
            annotation.polygons,
            annotation.ignored,
            str(annotation.image),
        )
    if world_size > 1:
        counts = _sum_over_ranks(metric.counts())
        metric.reset()
        metric.add_counts(counts)
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


def _sum_over_ranks(counts: Counts) -> Counts:
    total = paddle.to_tensor(list(counts.as_ints()), dtype="int64")
    paddle.distributed.all_reduce(total)
    return Counts(*total.numpy().tolist())
