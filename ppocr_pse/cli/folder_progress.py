"""How far a run over pictures is: a bar on a terminal, a line of the log now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts files; use it as a context.

    Args:
        total: files of the run.
        done: those that an earlier run has done; they count as done and not for the speed.
        logger: for runs whose standard error is no terminal.
        clock: seconds, monotonic.
    """

    def __init__(
        self, total: int, done: int, logger: logging.Logger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.done = done
        self._earlier = done
        self._logger = logger
        self._clock = clock
        self._start = self._told = clock()
        self._last: Path | None = None
        self._bar = tqdm(total=total, initial=done, desc="detect", unit="picture", disable=None, smoothing=0.05)

    def __enter__(self) -> Progress:
        """Nothing to do: it counts."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._start

    @property
    def new(self) -> int:
        """Files of this run."""
        return self.done - self._earlier

    @property
    def speed(self) -> float:
        """Files a second."""
        return self.new / max(self.seconds, 1e-9)

    def step(self, path: Path) -> None:
        """Take in a result; those of one file come one after the other, and the file counts with its first."""
        if path == self._last:
            return
        self._last = path
        self.done += 1
        self._bar.update()
        if self._bar.disable and self._clock() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = self._clock()
            left = tqdm.format_interval((self.total - self.done) / self.speed)
            self._logger.info(f"{self.done} of {self.total} pictures, {self.speed:.2f} pictures/s, ETA {left}")
