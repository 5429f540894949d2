"""Where the time of reading goes: seconds by stage, of a sample, of a batch, of an epoch."""

from __future__ import annotations

import time

from ppocr_pse.types import Batch

OF_A_SAMPLE = ("decode", "augment", "targets")
READER_IS_SLOW = 0.1
"""Share of the time that the training loop may wait for batches before the reader is called the limit."""


class StageClock:
    """Adds up the time between laps under the name of the stage that ends there.

    Attributes:
        seconds: time by stage so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap (or the start) to ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


class StageMeter:
    """Adds up what the batches of an epoch tell of their reading.

    Attributes:
        seconds: time by stage so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._first_wait = 0.0
        self._batches = self._samples = self._asked = self._cached = 0

    def add(self, batch: Batch) -> None:
        """Count a batch in."""
        for stage, seconds in batch.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if not self._batches:  # nobody can read ahead for the first
            self._first_wait = batch.seconds.get("wait", 0.0)
        self._batches += 1
        self._samples += len(batch)
        self._asked += batch.cache[0]
        self._cached += batch.cache[1]

    def describe(self, elapsed: float) -> str:
        """Say where the time went and what limits the speed, one line; "" for less than two batches.

        Args:
            elapsed: seconds that the training loop took for these batches, evaluations left out.
        """
        if not self.seconds or elapsed <= self._first_wait or self._batches < 2:
            return ""
        times = {stage: 1000 * self.seconds.get(stage, 0.0) / max(1, self._samples) for stage in OF_A_SAMPLE}
        waiting = self.seconds.get("wait", 0.0) - self._first_wait
        collate, wait = 1000 * self.seconds.get("collate", 0.0) / self._batches, 1000 * waiting / (self._batches - 1)
        waited = waiting / (elapsed - self._first_wait)
        verdict = "the network is the limit"
        if waited >= READER_IS_SLOW:
            verdict = "the reader is the limit (Train.loader.num_workers up to the cores, Train.dataset.cache)"
        cached = f", {self._cached} of {self._asked} pictures from the cache" if self._asked else ""
        return (
            f"reader: {', '.join(f'{stage} {ms:.1f} ms' for stage, ms in times.items())} a sample; "
            f"collate {collate:.1f} ms, wait {wait:.1f} ms a batch, {waited:.0%} of the time{cached}: {verdict}"
        )
