"""OpenVINO on a cpu, in float32 or bfloat16."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import (
    BF16_TOLERANCE,
    FLOAT32_TOLERANCE,
    EngineError,
    Exported,
    Place,
    load_module,
)

KERNELS_KEPT = 1000
"""Layers made ready for a size that are kept for its next picture, enough for some ten sizes; OpenVINO's own 5000 take
half a gigabyte more in a folder of many sizes."""


class OpenVino:
    """A compiled OpenVINO model that computes in float32.

    Args:
        exported: the files.
        place: the cpu and threads.

    Raises:
        EngineError: if the package is absent, the device is no cpu, or the file cannot be compiled.
    """

    name = "openvino"
    tolerance = FLOAT32_TOLERANCE
    precision = "f32"

    def __init__(self, exported: Exported, place: Place) -> None:
        if place.kind != "cpu":
            raise EngineError(f"openvino is used on a cpu only, not on {place.device}")
        openvino = load_module("openvino")
        self._place = place
        self._version = openvino.__version__.partition("-")[0]
        core = openvino.Core()
        self._check(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        settings = {
            "INFERENCE_PRECISION_HINT": self.precision,  # by itself OpenVINO takes bf16 where the cpu has it
            "INFERENCE_NUM_THREADS": place.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": place.lanes,
            "CPU_RUNTIME_CACHE_CAPACITY": KERNELS_KEPT,
            "ENABLE_CPU_PINNING": False,  # pinned threads of two processes would share one core
        }
        try:
            self._model = core.compile_model(str(exported.onnx), "CPU", settings)
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile {exported.onnx} ({str(error).strip()[:300]})") from error
        self.lanes = place.lanes
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(place.lanes):
            self._requests.put(self._model.create_infer_request())
        # OpenVINO's binding makes a type ready at the first result; were two threads to ask for that at once, one would
        # wait for the interpreter's lock and the other, which holds it, for the first: for ever
        self.run(np.zeros((1, 3, 32, 32), np.float32))

    def _check(self, capabilities: list[str]) -> None:
        """Raise EngineError when the cpu cannot do what this class is for."""

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        request = self._requests.get()
        try:
            return request.infer([images])[0]
        finally:
            self._requests.put(request)

    def describe(self) -> str:
        """Version, precision, device and threads."""
        return f"OpenVINO {self._version} in {self.precision}, {self._place.describe()}"


class OpenVinoBf16(OpenVino):
    """The same in bfloat16: up to twice as fast where the cpu has it, and boxes that may differ by a pixel.

    Raises:
        EngineError: also if the cpu has no bfloat16, where it would be emulated.
    """

    name = "openvino_bf16"
    tolerance = BF16_TOLERANCE
    precision = "bf16"

    def _check(self, capabilities: list[str]) -> None:
        if "BF16" not in capabilities:
            raise EngineError("this cpu has no bfloat16 (AVX512_BF16 or AMX); take the engine openvino")
