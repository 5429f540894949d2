"""The engine that a name stands for, and the fastest that works when the name is ``auto``."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
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
        "cpu": (("onnxruntime", "openvino"), ("paddle_inference",), ("paddle",)),
        "gpu": (("paddle_inference",), ("onnxruntime",), ("paddle",)),
    }
)
"""What ``auto`` tries by kind of device, group by group; within a group the network decides, so they are timed.

Only engines that give the checkpoint's boxes and start at once: bfloat16 and TensorRT are asked for by name.
"""

ON_OTHER_DEVICES = (("paddle_inference",), ("paddle",))
TIMED_SIZE = (320, 320)
TIMED_RUNS = 3

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
            fastest, times = fastest_of(working)
            why = "; ".join([*reasons, *times])
            LOGGER.info(f"engine: {fastest.name}, {fastest.describe()}{f' ({why})' if why else ''}")
            return fastest
    raise EngineError(f"{exported.folder}: no engine can run it: {'; '.join(reasons[1:])}")


def fastest_of(engines: Sequence[Engine]) -> tuple[Engine, list[str]]:
    """The engine that takes the least time for a small picture, and the times in words; one alone is not timed.

    They run in turn, so that what else the machine does meets them alike; the best of a few runs counts.
    """
    if len(engines) == 1:
        return engines[0], []
    images = probe_input(*TIMED_SIZE)
    seconds = dict.fromkeys((engine.name for engine in engines), math.inf)
    for turn in range(1 + TIMED_RUNS):
        for engine in engines:
            start = time.perf_counter()
            engine.run(images)
            if turn:  # the first run of a size makes its plans
                seconds[engine.name] = min(seconds[engine.name], time.perf_counter() - start)
    fastest = min(engines, key=lambda engine: seconds[engine.name])
    own = f"{seconds.pop(fastest.name):.3f} s at {TIMED_SIZE[0]}x{TIMED_SIZE[1]}"
    return fastest, [own, *(f"not {name}: {taken:.3f} s" for name, taken in seconds.items())]
