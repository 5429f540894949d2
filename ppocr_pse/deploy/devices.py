"""Which device a detector takes when none is named, found without importing Paddle where there is only a cpu."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from ppocr_pse.deploy.engines.base import EngineError, load_module, load_paddle

GPU_BUILDS = ("paddlepaddle-gpu", "paddlepaddle-xpu", "paddlepaddle-dcu")


def find_device(asked: str, threads: int) -> str:
    """Name the device to run on.

    Args:
        asked: ``auto`` for an accelerator when Paddle or ONNX Runtime sees one, else the cpu; or a device as
            ``paddle.set_device`` names it.
        threads: for Paddle, if it has to be imported to look.
    """
    if asked != "auto":
        return asked
    if may_have_accelerator():
        try:
            load_paddle(threads)
        except EngineError:  # its build or plugin is there and cannot be used; the cpu can
            return "cpu"
        from ppocr_pse.engine.runtime import choose_device

        return choose_device().name
    if _version("onnxruntime-gpu"):
        providers = load_module("onnxruntime").get_available_providers()
        return "gpu:0" if "CUDAExecutionProvider" in providers else "cpu"
    return "cpu"


def may_have_accelerator() -> bool:
    """Whether the installed Paddle is a build, or has a plugin, for anything but the cpu; Paddle is not imported."""
    if any(_version(name) for name in GPU_BUILDS) or "corex" in _version("paddlepaddle"):
        return True
    if os.environ.get("CUSTOM_DEVICE_ROOT"):
        return True
    try:
        plugins = Path(str(importlib.metadata.distribution("paddlepaddle").locate_file("paddle_custom_device")))
    except importlib.metadata.PackageNotFoundError:
        return False
    return plugins.is_dir() and any(plugins.glob("*.so"))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
