"""What happens on the test device, as one JSON object: python -m tests.plugin.facts.

Run in a process of its own, in which Paddle has loaded the device; `test_plugin_device.py` compares the numbers.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle

from ppocr_pse import build
from ppocr_pse.config import load_config
from ppocr_pse.engine.precision import LossScaleCollapse, Precision
from ppocr_pse.engine.runtime import choose_device
from tests.plugin import half_kernels

NAMES = (
    "bytes_in_use",
    "peak_bytes",
    "allocations",
    "host_to_device",
    "device_to_host",
    "device_to_device",
    "strays",
    "current_device",
)
NO_CPU_KERNEL = ["conv2d"]
"""No 16-bit CPU kernel, so the test device has none either."""
HALF = ["bilinear_interp_v2"]
"""Has 16-bit CPU kernels both ways: the upsampling of the neck really runs in 16 bits."""
CONFIG = "configs/det/det_mv3_pse.yml"
SMALL = ["Architecture.Neck.out_channels=16", "Architecture.Head.hidden_dim=16", "Loss.reduction=mean"]
DETECT = [
    "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
    "PostProcess.thresh=-0.5",
    "PostProcess.box_thresh=0",
    "PostProcess.min_area=1",
]


class Counters:
    """The counters of the test device, read from the library that Paddle has loaded."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(os.environ["ILUVATAR_TEST_LIBRARY"])

    def read(self) -> dict[str, int]:
        """Present values by name."""
        values = (ctypes.c_uint64 * len(NAMES))()
        self.library.IluvatarTestCounters(values)
        return dict(zip(NAMES, map(int, values)))


class OneLayer(paddle.nn.Layer):
    """y = x * w with w of one number, whose gradient is the sum of x."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(1.0))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x * self.weight


def registration(counters: Counters) -> dict[str, Any]:
    """One line picks the device; tensors live in its memory and leave it."""
    device = choose_device()
    paddle.set_device(device.name)
    before = counters.read()
    tensor = paddle.to_tensor(np.arange(1 << 18, dtype=np.float32))
    held = counters.read()
    back = tensor.numpy()
    place = str(tensor.place)
    copied = counters.read()
    del tensor
    return {
        "types": paddle.device.get_all_custom_device_type(),
        "count": len(paddle.device.get_available_custom_device()),
        "chosen": device.name,
        "reason": device.reason,
        "get_device": paddle.device.get_device(),
        "place": place,
        "unchanged": bool((back == np.arange(1 << 18)).all()),
        "to_device": held["host_to_device"] - before["host_to_device"],
        "to_host": copied["device_to_host"] - held["device_to_host"],
        "peak": counters.read()["peak_bytes"],
    }


def batch(seed: int) -> list[paddle.Tensor]:
    """Image, text, kernels and mask of two pictures of 64x96 with one block of text each."""
    rng = np.random.default_rng(seed)
    kernels = np.zeros((2, 6, 64, 96), np.uint8)
    for i in range(6):
        kernels[:, i, 8 + i : 40 - i, 8 + 2 * i : 88 - 2 * i] = 1
    image = rng.normal(0, 1, (2, 3, 64, 96)).astype(np.float32) + kernels[:, :1]
    return [paddle.to_tensor(part) for part in (image, kernels[:, 0], kernels, np.ones((2, 64, 96), np.uint8))]


@contextmanager
def counted(calls: list[dict[str, str]]) -> Iterator[None]:
    """Note which operations ran in which type: name -> counts for float16, bfloat16, float32, other."""
    paddle.set_flags({"FLAGS_low_precision_op_list": 1})
    core = paddle.base.core
    core.clear_low_precision_op_list()
    yield
    calls.append(dict(core.get_low_precision_op_list()))
    paddle.set_flags({"FLAGS_low_precision_op_list": 0})


def train(config: Any, device: str, precision: dict[str, Any], steps: int = 3) -> dict[str, Any]:
    """Some steps of det_mv3_pse, then one detection; the same weights and batches whatever the device."""
    paddle.set_device("cpu")
    paddle.seed(5)
    network = build.build_model(config.section("Architecture"))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    paddle.set_device(device)
    network = build.build_model(config.section("Architecture"))
    network.set_state_dict(weights)
    loss = build.build_loss(config.section("Loss"))
    optimizer = paddle.optimizer.Adam(1e-3, parameters=network.parameters(), weight_decay=5e-4)
    amp = Precision(device, custom_black_list=NO_CPU_KERNEL, custom_white_list=HALF, **precision)
    amp.prepare(network, optimizer)
    network.train()
    losses = []
    calls: list[dict[str, str]] = []
    for step in range(steps):
        data = batch(step)
        with amp.forward(), counted(calls):
            outputs = network(data[0])
        terms = loss(outputs, data)
        amp.step(terms["loss"], optimizer)
        losses.append(float(terms["loss"].item()))
    predictor = build.build_predictor(config, network)
    picture = (np.random.default_rng(9).random((80, 100, 3)) * 255).astype(np.uint8)
    with amp.evaluation():
        found = predictor.detect(picture)
    return {
        "losses": losses,
        "polygons": [polygon.tolist() for polygon in found.polygons],
        "scores": [float(score) for score in found.scores],
        "dtypes": sorted({str(parameter.dtype).split(".")[-1] for parameter in network.parameters()}),
        # calls in float16, bfloat16, float32 and other types
        "interpolations": [int(count) for count in calls[0]["bilinear_interp_v2"].split(",")],
        "scale": amp.scale,
        "skipped": amp.skipped,
    }


def scaler(device: str) -> dict[str, Any]:
    """The loss scaler with overflows put in at chosen steps."""
    paddle.set_device(device)

    def run(overflows: str, **knobs: Any) -> tuple[Precision, list[dict[str, float]], Callable[[], None]]:
        layer = OneLayer()
        optimizer = paddle.optimizer.SGD(0.125, parameters=layer.parameters())
        amp = Precision(device, use_amp=True, scale_loss=1024.0, use_dynamic_loss_scaling=True, **knobs)
        story: list[dict[str, float]] = []

        def step(overflow: bool) -> None:
            with amp.forward():
                y = layer(paddle.ones([1]))
            loss = y.astype("float32").sum()
            amp.step(loss * float("inf") if overflow else loss, optimizer)
            story.append({"weight": float(layer.weight.item()), "scale": amp.scale, "skipped": amp.skipped})

        for mark in overflows:
            step(mark == "x")
        return amp, story, lambda: step(True)

    amp, story, _ = run(".x..")
    state = amp.state_dict()
    restored = Precision(device, use_amp=True, scale_loss=8.0, use_dynamic_loss_scaling=True)
    restored.set_state_dict(state)
    _, knobs, _ = run("..x.xx", incr_every_n_steps=2, incr_ratio=4.0, decr_every_n_nan_or_inf=2, decr_ratio=0.25)
    _, collapsing, overflow = run("xx", max_skipped_steps=3)
    try:
        overflow()
        collapse = ""
    except LossScaleCollapse as error:
        collapse = str(error)
    return {
        "story": story,
        "restored": {"scale": restored.scale, "skipped": restored.skipped},
        "knobs": knobs,
        "collapsing": collapsing,
        "collapse": collapse,
    }


def main() -> dict[str, Any]:
    """Gather everything."""
    counters = Counters()
    facts: dict[str, Any] = {"registration": registration(counters)}
    device = facts["registration"]["chosen"]
    config = load_config(CONFIG, [*SMALL, *DETECT])
    facts["cpu"] = train(config, "cpu", {})
    facts["float32"] = train(config, device, {})
    half_kernels.install()
    for level in ("O1", "O2"):
        for dtype in ("float16", "bfloat16"):
            settings = {"use_amp": True, "amp_level": level, "amp_dtype": dtype, "scale_loss": 256.0}
            facts[f"{level} {dtype}"] = train(config, device, settings)
    facts["scaler"] = scaler(device)
    facts["counters"] = counters.read()
    return facts


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
