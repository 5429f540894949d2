"""Which device a run takes: the decision on made-up machines, and on this one."""

from __future__ import annotations

import re
from pathlib import Path

import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse.engine.runtime import (
    DeviceError,
    Inventory,
    choose_device,
    decide_device,
    gpu_build,
    take_inventory,
)
from tests.test_cli import CONFIG, tool

CUDA = Inventory(gpus=4, gpu_build="CUDA 11.8")
COREX = Inventory(gpus=2, gpu_build="CoreX 4.3.0")
PLUGIN = Inventory(custom={"iluvatar_gpu": 8})
NOTHING = Inventory()


@pytest.mark.parametrize(
    ("inventory", "environment", "name", "words"),
    [
        (CUDA, {}, "gpu:0", "of 4 (Global.use_gpu is true; CUDA 11.8 build of Paddle)"),
        (CUDA, {"FLAGS_selected_gpus": "3"}, "gpu:3", "index from FLAGS_selected_gpus"),
        (CUDA, {"FLAGS_selected_gpus": "1,2"}, "gpu:1", "of 4"),
        (CUDA, {"FLAGS_selected_gpus": ""}, "gpu:0", "of 4"),
        (COREX, {}, "gpu:0", "CoreX 4.3.0 build of Paddle, gpu means an Iluvatar card"),
        (PLUGIN, {}, "iluvatar_gpu:0", "of 8 (Global.use_gpu is true; custom device plugin)"),
        (PLUGIN, {"FLAGS_selected_iluvatar_gpus": "5", "FLAGS_selected_gpus": "7"}, "iluvatar_gpu:5", "of 8"),
        (Inventory(custom={"npu": 8}), {"FLAGS_selected_npus": "6"}, "npu:6", "custom device plugin"),
        (Inventory(custom={"a_gpu": 1, "iluvatar_gpu": 1}), {}, "iluvatar_gpu:0", ""),
        (Inventory(custom={"iluvatar_gpu": 0, "mlu": 1}), {}, "mlu:0", ""),
        (Inventory(4, "CUDA 11.8", {"iluvatar_gpu": 2}), {}, "gpu:0", ""),
        (Inventory(4, "CUDA 11.8", {"iluvatar_gpu": 2}), {"PADDLE_XCCL_BACKEND": "iluvatar_gpu"}, "iluvatar_gpu:0", ""),
        (Inventory(xpus=2), {"FLAGS_selected_xpus": "1"}, "xpu:1", "of 2"),
        (NOTHING, {}, "cpu", "Global.use_gpu is true, but this Paddle sees no gpu and no device plugin"),
        (NOTHING, {"FLAGS_selected_gpus": "3"}, "cpu", "sees no gpu"),
        (Inventory(0, "CUDA 11.8"), {}, "cpu", "CUDA 11.8 build of Paddle sees no card: check the driver"),
        (Inventory(0, "CUDA 11.8"), {"CUDA_VISIBLE_DEVICES": ""}, "cpu", "CUDA_VISIBLE_DEVICES=''"),
        (Inventory(custom={"iluvatar_gpu": 0}), {}, "cpu", "the plugin for iluvatar_gpu sees no device"),
    ],
)
def test_use_gpu_resolves_to_what_is_there(inventory: Inventory, environment: dict, name: str, words: str) -> None:
    device = decide_device(inventory, environment)
    assert device.name == name
    assert device.reason.startswith(f"device: {name} ") and words in device.reason


@pytest.mark.parametrize("inventory", [CUDA, COREX, PLUGIN, NOTHING])
def test_use_gpu_false_is_the_cpu_everywhere(inventory: Inventory) -> None:
    device = decide_device(inventory, {"FLAGS_selected_gpus": "1"}, use_gpu=False)
    assert (device.name, device.reason) == ("cpu", "device: cpu (Global.use_gpu is false)")


@pytest.mark.parametrize("use_gpu", [True, False])
def test_a_forced_type_wins_over_use_gpu(use_gpu: bool) -> None:
    inventory = Inventory(4, "CUDA 11.8", {"npu": 2})
    device = decide_device(inventory, {"FLAGS_selected_npus": "1"}, use_gpu, ["npu"])
    assert device.name == "npu:1" and "Global.use_npu is true" in device.reason


def test_a_forced_type_that_is_absent_stops_the_run() -> None:
    with pytest.raises(DeviceError, match=r"Global\.use_mlu is true, but this Paddle sees 4 gpu, no mlu\. Install"):
        decide_device(CUDA, {}, True, ["mlu"])
    with pytest.raises(DeviceError, match="sees only the cpu, no xpu"):
        decide_device(NOTHING, {}, False, ["xpu"])
    with pytest.raises(DeviceError, match=r"Global\.use_npu and Global\.use_gcu are true, expected one"):
        decide_device(Inventory(custom={"npu": 1, "gcu": 1}), {}, True, ["npu", "gcu"])


@pytest.mark.parametrize("index", ["4", "-1", "a", "1.0"])
def test_an_index_that_does_not_exist_is_named(index: str) -> None:
    with pytest.raises(DeviceError, match=rf"FLAGS_selected_gpus is '{re.escape(index)}', but .* 4 gpu \(0 to 3\)"):
        decide_device(CUDA, {"FLAGS_selected_gpus": index})


@given(
    gpus=st.integers(0, 3),
    plugins=st.dictionaries(st.sampled_from(["iluvatar_gpu", "npu", "mlu"]), st.integers(0, 3)),
    xpus=st.integers(0, 3),
)
def test_only_a_device_that_exists_is_chosen(gpus: int, plugins: dict, xpus: int) -> None:
    inventory = Inventory(gpus, "CUDA 12.0", plugins, xpus)
    kind, _, index = decide_device(inventory, {}).name.partition(":")
    if kind == "cpu":
        assert gpus == xpus == 0 and not any(plugins.values())
    else:
        assert int(index) < inventory.count(kind)


@pytest.mark.parametrize(
    ("version", "cuda", "rocm", "environment", "name"),
    [
        ("3.0.0+corex.4.3.0 3.0.0", "10.2", False, {}, "CoreX 4.3.0"),
        ("2.4.1+corex 2.4.1", "10.2", False, {}, "CoreX"),
        ("2.3.0 2.3.0", "10.2", False, {"LD_LIBRARY_PATH": "/usr/local/corex/lib64"}, "CoreX (by LD_LIBRARY_PATH)"),
        ("3.3.1 3.3.1", "12.6", False, {"LD_LIBRARY_PATH": "/usr/lib"}, "CUDA 12.6"),
        ("3.3.1 3.3.1", "False", True, {}, "ROCm"),
    ],
)
def test_a_build_is_named(version: str, cuda: str, rocm: bool, environment: dict, name: str) -> None:
    assert gpu_build(version, cuda, rocm, environment) == name


def test_this_machine() -> None:
    """The choice agrees with Paddle's own account of its devices, and Paddle accepts it."""
    device = choose_device()
    before = paddle.device.get_device()
    try:
        paddle.set_device(device.name)
        assert paddle.device.get_device() == device.name
    finally:
        paddle.set_device(before)
    accelerators = paddle.device.get_available_device() + (paddle.device.get_available_custom_device() or [])
    assert (device.name == "cpu") == (not [name for name in accelerators if not name.startswith("cpu")])
    assert choose_device(use_gpu=False).name == "cpu"


def test_a_command_is_stopped_by_an_absent_device(tmp_path: Path) -> None:
    absent = next(kind for kind in ("mlu", "npu", "gcu", "xpu") if not take_inventory().count(kind))
    options = [f"Global.use_{absent}=True", "Global.pretrained_model=", f"Global.save_model_dir={tmp_path}"]
    text = tool("train.py", "-c", CONFIG, "-o", *options, code=2)
    assert f"error: Global.use_{absent} is true, but this Paddle sees" in text and "Traceback" not in text
