"""The engine that a name stands for, and the fastest that works when the name is ``auto``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ppocr_pse.deploy.engines.base import Engine, EngineError, Exported, Place
from ppocr_pse.deploy.engines.onnx_runtime import OnnxRuntime
from ppocr_pse.deploy.engines.open_vino import OpenVino, OpenVinoBf16
from ppocr_pse.deploy.engines.paddle_inference import PaddleInference, PaddleTensorRT
from ppocr_pse.deploy.engines.paddle_program import PaddleProgram
from ppocr_pse.deploy.probe import Probe

ENGINES: Mapping[str, Callable[[Exported, Place], Engine]] = MappingProxyType(
    {
        "paddle": PaddleProgram,
        "paddle_inference": PaddleInference,
        "paddle_tensorrt": PaddleTensorRT,
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVino,
        "openvino_bf16": OpenVinoBf16,
    }
)
NEEDS_ONNX = frozenset({"onnxruntime", "openvino", "openvino_bf16"})

FASTEST_FIRST = MappingProxyType(
    {
        "cpu": ("openvino", "onnxruntime", "paddle_inference", "paddle"),
        "gpu": ("paddle_inference", "onnxruntime", "paddle"),
    }
)
"""What ``auto`` tries by kind of device: engines that give the checkpoint's boxes and start at once, so neither
bfloat16 nor TensorRT, which are asked for by name."""

ON_OTHER_DEVICES = ("paddle_inference", "paddle")

LOGGER = logging.getLogger("ppocr")


def candidates(engine: str, kind: str) -> tuple[str, ...]:
    """Engines to try, in this order.

    Args:
        engine: a name, or ``auto``.
        kind: of device: ``cpu``, ``gpu``, a plugin's type, ...

    Raises:
        EngineError: for an unknown name.
    """
    if engine == "auto":
        return FASTEST_FIRST.get(kind, ON_OTHER_DEVICES)
    if engine not in ENGINES:
        raise EngineError(f"engine is {engine!r}, expected auto, {', '.join(ENGINES)}")
    return (engine,)


def open_engine(exported: Exported, engine: str, place: Place, probe: Probe | None) -> Engine:
    """Start an engine, and see whether it computes what was exported.

    Args:
        exported: the files.
        engine: a name, or ``auto`` for the first that works.
        place: device and threads.
        probe: what the network gives for a known input; None when the export did not say.

    Returns:
        The engine; one line of the log says which, and why faster ones were passed over.

    Raises:
        EngineError: if the engine that is named, or with ``auto`` every one, cannot be used.
    """
    reasons: list[str] = []
    for name in candidates(engine, place.kind):
        try:
            opened = ENGINES[name](exported, place)
            if probe is not None:
                probe.check(opened)
        except EngineError as error:
            if engine != "auto":
                raise EngineError(f"engine {name}: {error}") from error
            reasons.append(f"not {name}: {error}")
            continue
        why = f" ({'; '.join(['auto', *reasons])})" if engine == "auto" else ""
        LOGGER.info(f"engine: {name}, {opened.describe()}{why}")
        return opened
    raise EngineError(f"{exported.folder}: no engine can run it: {'; '.join(reasons)}")
