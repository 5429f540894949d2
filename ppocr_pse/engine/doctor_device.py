"""The doctor's checks that need Paddle: the build, the device, mixed precision.

Paddle is first imported in a process of its own, so that a build that crashes at import is a finding.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ppocr_pse.engine.doctor import GIB, Finding, version_of

INSTALL = "pip install 'ppocr-pse[cpu]', or a GPU, CoreX or plugin build: docs/devices.md"


def check_import(timeout: float = 120.0) -> list[Finding]:
    """Import Paddle in another process; a fault says how it ended."""
    command = [sys.executable, "-c", "import paddle; print(paddle.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        text = f"`import paddle` does not end within {timeout:g} s"
        return [Finding("paddle", "fault", text, "look for a hanging driver or file system, then reinstall Paddle")]
    if done.returncode == 0:
        return []
    if done.returncode < 0:
        text = f"`import paddle` ends with {signal.Signals(-done.returncode).name}"
        return [Finding("paddle", "fault", text, f"it was built for another processor or driver: {INSTALL}")]
    last = (done.stderr.strip().splitlines() or ["no message"])[-1][:300]
    missing = not (version_of("paddlepaddle") or version_of("paddlepaddle-gpu")) and "No module named 'paddle'" in last
    return [Finding("paddle", "fault", "not installed" if missing else f"cannot be imported: {last}", INSTALL)]


def check_build() -> list[Finding]:
    """Version, commit and what the build was made for; and that numbers can be taken out of its tensors."""
    import paddle

    from ppocr_pse.engine.runtime import take_inventory

    inventory = take_inventory()
    kind = inventory.gpu_build or ("plugin " + ", ".join(inventory.custom) if inventory.custom else "CPU only")
    cudnn = paddle.version.cudnn() if inventory.gpu_build else "False"
    text = f"Paddle {paddle.__version__} ({paddle.version.commit[:10]}), {kind}"
    text += f", cuDNN {cudnn}" if str(cudnn) != "False" else ""
    text += ", with Paddle Inference" if hasattr(paddle, "inference") else ", without Paddle Inference"
    findings = [Finding("paddle", "ok", f"{text}; devices: {inventory.describe()}")]
    installed = [name for name in ("paddlepaddle", "paddlepaddle-gpu") if version_of(name)]
    if len(installed) > 1:
        cure = "pip uninstall -y paddlepaddle paddlepaddle-gpu, then install the one that fits"
        findings.append(Finding("paddle", "warning", "paddlepaddle and paddlepaddle-gpu share one folder", cure))
    try:
        float(paddle.ones([1]))
    except TypeError as error:
        text = f"numpy {np.__version__} and Paddle {paddle.__version__} do not go together: {error}"
        findings.append(Finding("numpy", "fault", text, "pip install 'numpy<2.4'"))
    return findings


def check_device(use_gpu: bool = True, forced: Sequence[str] = ()) -> list[Finding]:
    """Choose the device as training does, and take one forward and backward pass on it, against the cpu's."""
    import paddle

    from ppocr_pse.engine.runtime import DeviceError, choose_device

    try:
        device = choose_device(use_gpu, forced)
    except DeviceError as error:
        return [Finding("device", "fault", str(error), "set Global.use_gpu and its like, or mend the installation")]
    expected = _forward_backward("cpu")[0]
    values, first, again = _forward_backward(device.name)
    paddle.set_device(device.name)
    text = f"{device.reason.removeprefix('device: ')}; first pass {first:.2f} s, then {1000 * again:.1f} ms"
    worst = float(np.abs(values - expected).max())
    if not worst < 1e-2 * max(1.0, float(np.abs(expected).max())):
        text = f"{device.name} computes something else than the cpu: gradients differ by {worst:g}"
        return [Finding("device", "fault", text, "update the driver and Paddle's build together; try another card")]
    wanted = "but this" in device.reason or "but the plugin" in device.reason
    if wanted and use_gpu:
        return [Finding("device", "warning", text, "install a build or plugin for the card (docs/devices.md), or set "
                        "Global.use_gpu=False")]  # fmt: skip
    return [Finding("device", "ok", text), *_device_memory(device.name)]


def _forward_backward(device: str) -> tuple[Any, float, float]:
    """Gradient of a small network's first layer, seconds of the first pass, seconds of the next."""
    import paddle
    from paddle.nn import functional as F

    paddle.set_device(device)
    rng = np.random.default_rng(0)
    picture = paddle.to_tensor(rng.standard_normal((2, 3, 64, 64)).astype(np.float32))
    conv = paddle.nn.Conv2D(3, 16, 3, padding=1, bias_attr=False)
    conv.weight.set_value(rng.standard_normal((16, 3, 3, 3)).astype(np.float32))
    norm = paddle.nn.BatchNorm2D(16)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        conv.clear_gradients()
        maps = F.interpolate(F.relu(norm(conv(picture))), size=[96, 96], mode="bilinear")
        (F.sigmoid(maps) * maps).mean().backward()
        gradient = conv.weight.grad.numpy()
        seconds.append(time.perf_counter() - start)
    return gradient, seconds[0], seconds[1]


def _device_memory(device: str) -> list[Finding]:
    import paddle

    if not device.startswith("gpu"):
        return []
    properties = paddle.device.cuda.get_device_properties(device)
    total = properties.total_memory / GIB
    text = f"{properties.name}, {total:.1f} GiB, compute capability {properties.major}.{properties.minor}"
    return [Finding("card", "ok", text)]


def present_device() -> str:
    """The device that `check_device` left in place."""
    import paddle

    return str(paddle.device.get_device())


def check_mixed_precision() -> list[Finding]:
    """Which 16-bit types a convolution runs in on the present device."""
    import paddle

    device = paddle.device.get_device()
    if device == "cpu":
        return [Finding("mixed precision", "ok", "none on a cpu (Global.use_amp is ignored there)")]
    works: list[str] = []
    fails: list[str] = []
    for dtype in ("float16", "bfloat16"):
        conv = paddle.nn.Conv2D(3, 8, 3)
        try:
            with paddle.amp.auto_cast(enable=True, dtype=dtype):
                result = conv(paddle.ones([1, 3, 32, 32]))
            result.astype("float32").sum().backward()
            (works if str(result.dtype).endswith(dtype) else fails).append(dtype)
        except (RuntimeError, ValueError, NotImplementedError) as error:
            fails.append(f"{dtype} ({str(error).strip().splitlines()[0][:120]})")
    if not works:
        text = f"{device} has no convolution in {' or '.join(fails)}"
        return [Finding("mixed precision", "warning", text, "train with Global.use_amp=False")]
    return [Finding("mixed precision", "ok", f"{', '.join(works)}" + (f"; not {', '.join(fails)}" if fails else ""))]
