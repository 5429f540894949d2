"""Where and how a run takes place: device, ranks and seeds."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import paddle

PLUGINS = ("iluvatar_gpu",)
"""Custom device types that are preferred when several plugins are installed."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message says what is, and the cure."""


@dataclass(frozen=True)
class Inventory:
    """What an installed Paddle can run on, as counts of devices that this process sees.

    Attributes:
        gpus: cards of Paddle's own ``gpu`` device; a CoreX build counts Iluvatar cards here.
        gpu_build: what that device was built for, such as ``CUDA 11.8``; "" for a build without one.
        custom: devices by custom device type, from plugins (``iluvatar_gpu``, ``npu``, ``mlu``, ``gcu``).
        xpus: Kunlun cards of an XPU build.
    """

    gpus: int = 0
    gpu_build: str = ""
    custom: Mapping[str, int] = field(default_factory=dict)
    xpus: int = 0

    def count(self, kind: str) -> int:
        """Number of devices of a type as ``paddle.set_device`` names it."""
        return {"gpu": self.gpus, "xpu": self.xpus}.get(kind, self.custom.get(kind, 0))

    def describe(self) -> str:
        """Say what there is, one phrase."""
        names = [*self.custom, "gpu", "xpu"]
        return ", ".join(f"{self.count(name)} {name}" for name in names if self.count(name)) or "only the cpu"


@dataclass(frozen=True)
class Device:
    """The device of this process.

    Attributes:
        name: as ``paddle.set_device`` takes it.
        reason: one line that says what was chosen and why.
    """

    name: str
    reason: str


def gpu_build(version: str, cuda: str, is_rocm: bool, environment: Mapping[str, str]) -> str:
    """Name what the ``gpu`` device of a Paddle build stands for.

    A CoreX build (Iluvatar) says of itself that it was compiled with CUDA. It is known by its version
    (``3.0.0+corex.4.3.0``); older ones that do not say it there, by the CoreX libraries on the library path.

    Args:
        version: ``paddle.__version__`` or ``paddle.version.full_version``.
        cuda: ``paddle.version.cuda()``; ``False`` in builds without it.
        is_rocm: compiled for AMD cards.
        environment: environment variables.
    """
    found = re.search(r"corex[._-]?([\d.]*\d)?", version.lower())
    if found:
        return f"CoreX {found.group(1)}" if found.group(1) else "CoreX"
    if "corex" in environment.get("LD_LIBRARY_PATH", "").lower():
        return "CoreX (by LD_LIBRARY_PATH)"
    return "ROCm" if is_rocm else f"CUDA {cuda}"


def take_inventory() -> Inventory:
    """Count the devices of the installed Paddle; plugins are those that it loaded when it was imported."""
    custom: dict[str, int] = dict.fromkeys(paddle.device.get_all_custom_device_type() or [], 0)
    for name in paddle.device.get_available_custom_device() or []:
        custom[name.split(":")[0]] += 1
    build, gpus, xpus = "", 0, 0
    if paddle.device.is_compiled_with_cuda():
        version = f"{paddle.__version__} {paddle.version.full_version}"
        build = gpu_build(version, str(paddle.version.cuda()), paddle.device.is_compiled_with_rocm(), os.environ)
        gpus = paddle.device.cuda.device_count()
    if paddle.device.is_compiled_with_xpu():
        xpus = paddle.framework.core.get_xpu_device_count()
    return Inventory(gpus, build, custom, xpus)


def choose_device(use_gpu: bool = True, forced: Sequence[str] = ()) -> Device:
    """Find the device that the ``Global`` section stands for on this machine; see `decide_device`."""
    return decide_device(take_inventory(), os.environ, use_gpu, forced)


def decide_device(
    inventory: Inventory, environment: Mapping[str, str], use_gpu: bool = True, forced: Sequence[str] = ()
) -> Device:
    """Choose a device.

    ``Global.use_gpu`` means any accelerator: the type that the launcher prepared, else ``gpu`` (CUDA, ROCm or CoreX),
    else a plugin's custom device (``iluvatar_gpu`` first), else ``xpu``, else the cpu. The index is the one that
    `paddle.distributed.launch` selected for this process, else 0.

    Args:
        inventory: what there is.
        environment: environment variables, where the launcher leaves its choice.
        use_gpu: ``Global.use_gpu``.
        forced: types whose ``Global.use_TYPE`` is true (xpu, npu, mlu, gcu); they win over use_gpu.

    Raises:
        DeviceError: if a forced type is absent, several are forced, or the launcher's index does not exist.
    """
    if len(forced) > 1:
        keys = " and ".join(f"Global.use_{kind}" for kind in forced)
        raise DeviceError(f"{keys} are true, expected one of them at most: which device is meant?")
    if forced:
        kind = forced[0]
        if not inventory.count(kind):
            raise DeviceError(
                f"Global.use_{kind} is true, but this Paddle sees {inventory.describe()}, no {kind}. Install the "
                f"Paddle build or plugin for {kind} devices, or set Global.use_{kind}=False to take what is there"
            )
        return _indexed(kind, inventory, environment, f"Global.use_{kind} is true")
    if not use_gpu:
        return Device("cpu", "device: cpu (Global.use_gpu is false)")
    launched = environment.get("PADDLE_XCCL_BACKEND", "")
    plugins = sorted(inventory.custom, key=lambda kind: (kind not in PLUGINS, kind))
    for kind in (launched, "gpu", *plugins, "xpu"):
        if inventory.count(kind):
            return _indexed(kind, inventory, environment, "Global.use_gpu is true")
    return Device("cpu", f"device: cpu (Global.use_gpu is true, but {_why_no_accelerator(inventory, environment)})")


def use_device(name: str) -> None:
    """Compute on a device from here on, and let ranks that choose the cpu meet there.

    The launcher prepares ranks for the accelerators that it sees; `init_parallel_env` would move a rank that chose the
    cpu back to one of them.
    """
    if name == "cpu":
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    paddle.set_device(name)


def _indexed(kind: str, inventory: Inventory, environment: Mapping[str, str], reason: str) -> Device:
    variable, count = f"FLAGS_selected_{kind}s", inventory.count(kind)
    given = environment.get(variable, "").split(",")[0].strip()
    if given and not (given.isdecimal() and int(given) < count):
        raise DeviceError(
            f"{variable} is {environment[variable]!r}, but this process sees {count} {kind} (0 to {count - 1}). "
            "Give the launcher's --devices as many as the machine has, or unset the variable"
        )
    if kind == "gpu":
        reason += f"; {inventory.gpu_build} build of Paddle"
        if inventory.gpu_build.startswith("CoreX"):
            reason += ", gpu means an Iluvatar card"
    elif kind in inventory.custom:
        reason += "; custom device plugin"
    if given:
        reason += f"; index from {variable}"
    name = f"{kind}:{given or 0}"
    return Device(name, f"device: {name} of {count} ({reason})")


def _why_no_accelerator(inventory: Inventory, environment: Mapping[str, str]) -> str:
    if inventory.gpu_build:
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        cause = "the driver" if visible is None else f"the driver and CUDA_VISIBLE_DEVICES={visible!r}"
        return f"this {inventory.gpu_build} build of Paddle sees no card: check {cause}"
    if inventory.custom:
        return f"the plugin for {', '.join(inventory.custom)} sees no device: check its driver"
    return "this Paddle sees no gpu and no device plugin"


def rank() -> int:
    """Number of this process among those that `paddle.distributed.launch` started; 0 alone."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """How many processes `paddle.distributed.launch` started."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and Paddle; weights made after this are the same in every process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  Paddle's DataLoader draws its worker seeds from this stream
    paddle.seed(seed)
