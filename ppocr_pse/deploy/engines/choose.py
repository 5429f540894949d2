"""The engine that a name stands for, and the fastest that works when the name is ``auto``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ppocr_pse.deploy.engines.base import Engine, EngineError, Exported, Place
from ppocr_pse.deploy.engines.onnx_runtime import OnnxRuntime
from ppocr_pse.deploy.engines.open_vino import OpenVino, OpenVinoBf16
from ppocr_pse.deploy.engines.paddle_inference import PaddleInference, PaddleTensorRT
from ppocr_pse.deploy.engines.paddle_program import PaddleProgram
from ppocr_pse.deploy.probe import Probe, probe_input

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
        "cpu": (("openvino", "onnxruntime"), ("paddle_inference",), ("paddle",)),
        "gpu": (("paddle_inference",), ("onnxruntime",), ("paddle",)),
    }
)
"""What ``auto`` tries by kind of device, group by group; within a group the network decides, so they are timed.

Only engines that give the checkpoint's boxes and start at once: bfloat16 and TensorRT are asked for by name.
"""

ON_OTHER_DEVICES = (("paddle_inference",), ("paddle",))
TIMED_SIZE = (320, 320)
TIMED_RUNS = 2

LOGGER = logging.getLogger("ppocr")


def candidates(engine: str, kind: str) -> tuple[tuple[str, ...], ...]:
    """Engines to try, in groups, in this order.

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
    return ((engine,),)


def open_engine(exported: Exported, engine: str, place: Place, probe: Probe | None) -> Engine:
    """Start an engine, and see whether it computes what was exported.

    Args:
        exported: the files.
        engine: a name, or ``auto`` for the fastest that works.
        place: device and threads.
        probe: what the network gives for a known input; None when the export did not say.

    Returns:
        The engine; one line of the log says which, and why others were passed over.

    Raises:
        EngineError: if the engine that is named, or with ``auto`` every one, cannot be used.
    """
    reasons = ["auto"] if engine == "auto" else []
    for group in candidates(engine, place.kind):
        working: list[Engine] = []
        for name in group:
            try:
                opened = ENGINES[name](exported, place)
                if probe is not None:
                    probe.check(opened)
                working.append(opened)
            except EngineError as error:
                if engine != "auto":
                    raise EngineError(f"engine {name}: {error}") from error
                reasons.append(f"not {name}: {error}")
        if working:
            seconds = {opened.name: time_of(opened) for opened in working} if len(working) > 1 else {}
            fastest = min(working, key=lambda opened: seconds.get(opened.name, 0.0))
            others = [f"not {name}: {s:.3f} s" for name, s in seconds.items() if name != fastest.name]
            if others:
                height, width = TIMED_SIZE
                reasons += [f"{seconds[fastest.name]:.3f} s at {height}x{width}", *others]
            why = f" ({'; '.join(reasons)})" if reasons else ""
            LOGGER.info(f"engine: {fastest.name}, {fastest.describe()}{why}")
            return fastest
    raise EngineError(f"{exported.folder}: no engine can run it: {'; '.join(reasons[1:])}")


def time_of(engine: Engine) -> float:
    """Seconds that an engine takes for a small picture: the best of a few runs after one that is not counted."""
    images = probe_input(*TIMED_SIZE)
    engine.run(images)
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        engine.run(images)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
