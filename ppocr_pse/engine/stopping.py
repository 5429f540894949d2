"""Reasons to stop before the plan is done: a signal from the cluster, the wall clock, no more progress."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

EXIT_REQUEUE = os.EX_TEMPFAIL  # 75: run the same command again and it goes on
# what the ranks agree about travels as a number; the largest one asked for wins
REASONS = ("", "Global.max_minutes", "SIGINT", "SIGTERM")


def only_this_process(code: int) -> int:
    """Agree with nobody: for a run of one process."""
    return code


class StopRequest:
    """Turns SIGTERM, SIGINT and a time limit into one answer that all ranks give at the same step.

    Use it as a context: the handlers are installed inside and put back afterwards. A second SIGINT ends at once.

    Args:
        max_minutes: time limit from construction on; 0 none.
        check_every: ask the other ranks only at steps divisible by this, since asking waits for the device.
        agree: maps this rank's number of a reason to the largest one of all ranks; a collective.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        max_minutes: float = 0.0,
        check_every: int = 1,
        agree: Callable[[int], int] = only_this_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.check_every = max(1, check_every)
        self._agree = agree
        self._clock = clock
        self._deadline = clock() + 60.0 * max_minutes if max_minutes > 0 else None
        self._signal = ""
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        """Install the handlers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._former[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the former handlers back; SIGTERM stays without effect when it was what ended the run."""
        for number, handler in self._former.items():
            # launchers send it three times; the last one must not end a process that has just saved
            signal.signal(number, signal.SIG_IGN if number.name == self._signal == "SIGTERM" else handler)
        self._former.clear()

    def _received(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGINT" and self._signal:
            raise KeyboardInterrupt
        self._signal = name

    @property
    def pending(self) -> str:
        """What asks this process to stop, "" for nothing; the other ranks may not know of it yet."""
        if self._signal:
            return self._signal
        late = self._deadline is not None and self._clock() >= self._deadline
        return "Global.max_minutes" if late else ""

    def agreed(self, global_step: int, at_once: bool = False) -> str:
        """Ask all ranks whether one of them is to stop; every rank calls this after every step.

        Args:
            global_step: number of the step.
            at_once: ask at this step, whatever its number is.

        Returns:
            The reason, the same on all ranks, or "".
        """
        if global_step % self.check_every and not at_once:
            return ""
        return REASONS[self._agree(REASONS.index(self.pending))]


class Patience:
    """Counts evaluations without a better figure.

    Args:
        evaluations: stop after so many in a row; 0 never.
        min_delta: a figure must be better by more than this to count as better.
    """

    def __init__(self, evaluations: int = 0, min_delta: float = 0.0) -> None:
        self.evaluations = evaluations
        self.min_delta = min_delta
        self.best: float | None = None
        self.without = 0

    @property
    def exhausted(self) -> bool:
        """Whether it is time to stop."""
        return 0 < self.evaluations <= self.without

    def record(self, figure: float) -> None:
        """Take the figure of an evaluation in."""
        if self.best is None or figure > self.best + self.min_delta:
            self.best, self.without = figure, 0
        else:
            self.without += 1

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "without": self.without}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; one of PaddleOCR's has nothing to go on from."""
        self.best = state.get("best")
        self.without = int(state.get("without", 0))
