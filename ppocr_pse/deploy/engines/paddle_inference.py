"""Paddle Inference: oneDNN on a cpu, cuDNN or TensorRT on a gpu, a plugin's kernels on a custom device."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import (
    FLOAT32_TOLERANCE,
    TF32_TOLERANCE,
    EngineError,
    Exported,
    Place,
    load_paddle,
)

ONEDNN_SHAPES = 16
"""Input shapes whose oneDNN primitives are kept; without a bound a folder of many sizes fills the memory."""

TENSORRT_SHAPES = ((1, 3, 32, 32), (1, 3, 736, 1280), (4, 3, 2560, 2560))
"""Least, usual and largest input for which a TensorRT engine is built."""


class PaddleInference:
    """``paddle.inference``.

    Args:
        exported: the files.
        place: device and threads.

    Raises:
        EngineError: if Paddle is absent, lacks the device, or cannot load the files.
    """

    name = "paddle_inference"
    lanes = 0  # devices are chosen thread by thread

    def __init__(self, exported: Exported, place: Place) -> None:
        self._paddle = load_paddle(place.threads)
        self._place = place
        self._program = exported.program_for(self._paddle.__version__)
        self.tolerance = FLOAT32_TOLERANCE if place.kind == "cpu" else TF32_TOLERANCE
        try:
            self._predictor = self._paddle.inference.create_predictor(self._configure(exported))
        except EngineError:
            raise
        except (ValueError, RuntimeError, OSError, NotImplementedError, AttributeError) as error:
            raise EngineError(
                f"Paddle Inference cannot run {self._program} on {place.device} ({str(error).strip()[-300:]})"
            ) from error
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    def _configure(self, exported: Exported) -> Any:
        config = self._paddle.inference.Config(str(self._program), str(exported.params))
        config.disable_glog_info()
        kind = self._place.kind
        if kind == "cpu":
            config.disable_gpu()
            config.set_cpu_math_library_num_threads(self._place.threads)
            config.enable_mkldnn()
            config.set_mkldnn_cache_capacity(ONEDNN_SHAPES)
            if self._program.suffix == ".json" and self._paddle.__version__.startswith("3.3."):
                # 3.3 turns interpolation into an operator that its executor cannot read, and fails at the first
                # run; without this pass interpolation stays Paddle's own, and convolution is still oneDNN's
                config.delete_pass("onednn_placement_pass")
        elif kind == "gpu":
            config.enable_use_gpu(256, self._place.index)
        elif kind in self._paddle.device.get_all_custom_device_type():
            config.enable_custom_device(kind, self._place.index)
        else:
            raise EngineError(f"Paddle Inference: no way to {kind} devices; take the engine paddle")
        return config

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        self._input.reshape(images.shape)
        self._input.copy_from_cpu(np.ascontiguousarray(images))
        self._predictor.run()
        return self._output.copy_to_cpu()

    def describe(self) -> str:
        """Version, device and threads."""
        with_onednn = " with oneDNN" if self._place.kind == "cpu" else ""
        return f"Paddle Inference {self._paddle.__version__}{with_onednn}, {self._place.describe()}"


class PaddleTensorRT(PaddleInference):
    """Paddle Inference with TensorRT, in float32; the first use builds the engine, which takes minutes.

    An inference.json is converted (``paddle.tensorrt.convert``) and kept in ``tensorrt/`` beside it; an
    inference.pdmodel has its parts handed to TensorRT as it is loaded.

    Raises:
        EngineError: on anything but a gpu, or if this Paddle was built without TensorRT.
    """

    name = "paddle_tensorrt"

    def _configure(self, exported: Exported) -> Any:
        version = self._paddle.inference.get_trt_compile_version()
        if self._place.kind != "gpu" or not any(version):
            raise EngineError(
                f"TensorRT needs a gpu and a Paddle that was built with it; this is {self._place.device}, "
                f"Paddle {self._paddle.__version__} with TensorRT {'.'.join(map(str, version))}"
            )
        least, usual, largest = TENSORRT_SHAPES
        if self._program.suffix == ".json":
            prefix = self._converted(exported)
            config = self._paddle.inference.Config(f"{prefix}.json", f"{prefix}.pdiparams")
            config.enable_use_gpu(256, self._place.index)
        else:
            config = super()._configure(exported)
            config.enable_tensorrt_engine(
                workspace_size=1 << 30,
                max_batch_size=largest[0],
                min_subgraph_size=5,
                precision_mode=self._paddle.inference.PrecisionType.Float32,
                use_static=False,
                use_calib_mode=False,
            )
            config.set_trt_dynamic_shape_info({"x": list(least)}, {"x": list(largest)}, {"x": list(usual)})
        return config

    def _converted(self, exported: Exported) -> Path:
        """Convert once; returns the files without their endings."""
        target = exported.folder / "tensorrt"
        if not target.is_dir():
            from paddle.tensorrt.export import Input, TensorRTConfig, convert

            least, usual, largest = TENSORRT_SHAPES
            shapes = Input(min_input_shape=least, optim_input_shape=usual, max_input_shape=largest)
            settings = TensorRTConfig(inputs=[shapes])
            staging = Path(tempfile.mkdtemp(prefix=".tensorrt.writing-", dir=exported.folder))
            settings.save_model_dir = str(staging / "inference")
            try:
                convert(str(self._program.with_suffix("")), settings)
                staging.rename(target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return target / "inference"
