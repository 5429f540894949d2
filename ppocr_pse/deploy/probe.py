"""A known input with the logits that the checkpoint gave for it: any engine can be tested wherever it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import Engine, EngineError
from ppocr_pse.schema import ConfigError

SIZE = (97, 131)  # odd on purpose: every level of the pyramid is rounded up
STEP = 6


def probe_input(height: int, width: int, batch: int = 1) -> npt.NDArray[np.float32]:
    """A generated picture as the network sees it: waves with bright bars, float32 (batch, 3, height, width)."""
    b, c, y, x = np.ogrid[:batch, :3, :height, :width]
    waves = np.sin(0.37 * x + 0.21 * y + 2.1 * c + b) + np.sin(0.05 * x * (c + 1) - 0.11 * y)
    bars = ((y // 12) % 3 == 1) & ((x // 40) % 2 == 0)
    return (waves * 0.6 + 1.5 * bars).astype(np.float32)


def relative_difference(maps: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """Largest absolute difference as a share of the largest expected size; infinite for another shape or NaN."""
    if maps.shape != expected.shape or not np.isfinite(maps).all():
        return float("inf")
    largest = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(maps - expected).max(initial=0.0)) / max(largest, 1e-6)


@dataclass(frozen=True)
class Probe:
    """What the checkpoint gives for `probe_input` of `SIZE`.

    Attributes:
        logits: float32 (K, n, m), every STEP-th of the maps in both directions.
    """

    logits: npt.NDArray[np.float32]

    @classmethod
    def of(cls, maps: npt.NDArray[np.float32]) -> Probe:
        """Keep a part of the maps (1, K, h, w)."""
        return cls(maps[0, :, ::STEP, ::STEP])

    def check(self, engine: Engine) -> float:
        """Run an engine on the input.

        Returns:
            The largest relative difference.

        Raises:
            EngineError: if it fails, or differs by more than its tolerance.
        """
        try:
            maps = engine.run(probe_input(*SIZE))
        except Exception as error:  # each engine has classes of its own, some without another base
            raise EngineError(f"{engine.describe()} fails at its first run ({str(error).strip()[:300]})") from error
        difference = relative_difference(Probe.of(maps).logits, self.logits)
        if not difference <= engine.tolerance:
            raise EngineError(
                f"{engine.describe()} is off: its logits differ from the checkpoint's by {difference:.2g} of their "
                f"largest size, allowed is {engine.tolerance:g}. Were files of the export changed? Export it again"
            )
        return difference

    def as_mapping(self) -> dict[str, Any]:
        """For inference.yml."""
        shape = list(self.logits.shape)
        return {"shape": shape, "logits": [float(f"{value:.6g}") for value in self.logits.ravel()]}

    @classmethod
    def from_mapping(cls, mapping: Any, where: str) -> Probe:
        """Read back what `as_mapping` gives.

        Raises:
            ConfigError: if it is something else.
        """
        try:
            if not isinstance(mapping, Mapping):
                raise TypeError("not a mapping")
            return cls(np.array(mapping["logits"], np.float32).reshape(mapping["shape"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{where}: expected shape and logits as the export writes them ({error})") from error
