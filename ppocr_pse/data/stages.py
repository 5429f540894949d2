"""Where a sample's time goes: seconds by stage."""

from __future__ import annotations

import time


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
