"""ONNX Runtime, on a cpu or with CUDA."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import (
    FLOAT32_TOLERANCE,
    TF32_TOLERANCE,
    EngineError,
    Exported,
    Place,
    load_module,
)

ERRORS_ONLY = 3


class OnnxRuntime:
    """``onnxruntime.InferenceSession``.

    Args:
        exported: the files.
        place: device and threads.

    Raises:
        EngineError: if the package or its provider for the device is absent, or the file cannot be loaded.
    """

    name = "onnxruntime"

    def __init__(self, exported: Exported, place: Place) -> None:
        runtime = load_module("onnxruntime")
        self._place = place
        self.lanes = place.lanes if place.kind == "cpu" else 1
        self._version = runtime.__version__
        self.tolerance = FLOAT32_TOLERANCE if place.kind == "cpu" else TF32_TOLERANCE
        options = runtime.SessionOptions()
        options.intra_op_num_threads = place.lane_threads
        options.log_severity_level = ERRORS_ONLY
        if place.kind == "cpu":
            provider: object = "CPUExecutionProvider"
        elif place.kind == "gpu" and "CUDAExecutionProvider" in runtime.get_available_providers():
            provider = ("CUDAExecutionProvider", {"device_id": place.index})
        else:
            raise EngineError(
                f"onnxruntime {self._version} has no provider for {place.device}, "
                f"only {', '.join(runtime.get_available_providers())}"
            )
        try:
            self._session = runtime.InferenceSession(str(exported.onnx), options, providers=[provider])
        except Exception as error:  # its own classes have no other base
            raise EngineError(f"onnxruntime cannot load {exported.onnx} ({str(error).strip()[:300]})") from error
        if place.kind == "gpu" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise EngineError(f"onnxruntime {self._version} could not start CUDA; check its CUDA and cuDNN libraries")
        self._input = self._session.get_inputs()[0].name

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        return self._session.run(None, {self._input: images})[0]

    def describe(self) -> str:
        """Version, device and threads."""
        return f"ONNX Runtime {self._version}, {self._place.describe()}"
