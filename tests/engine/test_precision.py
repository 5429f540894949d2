"""Mixed precision: what is off on a CPU, what the loss scaler counts; the device itself is in test_plugin_device.py."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppocr_pse.engine.precision import LossScaleCollapse, Precision, float32_state


class FakeScaler:
    """The scaler's bookkeeping without a device: overflows come as told."""

    def __init__(self, overflows: list[bool]) -> None:
        self.overflows = overflows
        self.value = 1024.0
        self._cache_found_inf = False

    def scale(self, loss: paddle.Tensor) -> paddle.Tensor:
        return loss * self.value

    def step(self, optimizer: SimpleNamespace) -> None:
        self._cache_found_inf = self.overflows.pop(0)
        print("Found inf or nan")

    def update(self) -> None:
        self.value *= 0.5 if self._cache_found_inf else 1.0

    def state_dict(self) -> dict:
        return {"scale": np.array([self.value], np.float32), "incr_count": 0, "decr_count": 0, "incr_ratio": 2.0}

    def load_state_dict(self, state: dict) -> None:
        self.value, self.loaded = float(state["scale"][0]), state


def scaled(overflows: list[bool], max_skipped_steps: int = 3) -> Precision:
    precision = Precision("cpu", max_skipped_steps=max_skipped_steps)
    precision.enabled = True  # as on a device; the scaler is told what happens
    precision.scaler = FakeScaler(overflows)
    return precision


def take_steps(precision: Precision, count: int) -> None:
    weight = paddle.to_tensor([1.0], stop_gradient=False)
    optimizer = SimpleNamespace(clear_grad=weight.clear_grad)
    for _ in range(count):
        precision.step((weight * 2).sum(), optimizer)


def test_it_is_off_on_a_cpu_and_says_so() -> None:
    precision = Precision("cpu", use_amp=True, scale_loss=1024.0, use_dynamic_loss_scaling=True)
    assert not precision.enabled and "Global.use_amp is ignored" in precision.notice
    assert (precision.scale, precision.state_dict()) == (1.0, {})
    assert Precision("cpu").notice == ""


def test_skipped_steps_are_counted_and_the_scaler_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    precision = scaled([True, True, False, True])
    take_steps(precision, 4)
    assert (precision.skipped, precision.skipped_in_a_row, precision.scale) == (3, 1, 128.0)
    assert capsys.readouterr().out == ""


def test_a_collapse_stops_with_the_cure() -> None:
    precision = scaled([False, True, True, True])
    with pytest.raises(LossScaleCollapse, match=r"3 times in a row .* fell to 128") as error:
        take_steps(precision, 4)
    assert "Optimizer.lr" in str(error.value) and "bfloat16" in str(error.value)


def test_state_goes_on_with_the_knobs_of_this_run() -> None:
    first = scaled([True, False])
    take_steps(first, 2)
    second = scaled([])
    second.set_state_dict({**first.state_dict(), "incr_ratio": 9.0})
    assert (second.scale, second.skipped) == (512.0, 1)
    assert second.scaler.loaded["incr_ratio"] == 2.0


def test_gradients_add_up_until_the_update() -> None:
    layer = paddle.nn.Linear(1, 1)
    optimizer = paddle.optimizer.SGD(1.0, parameters=layer.parameters())
    before = layer.bias.numpy().copy()
    precision = Precision("cpu")
    for update in (False, False, True):
        precision.step(layer(paddle.ones([1, 1])).sum(), optimizer, update)
    np.testing.assert_allclose(layer.bias.numpy(), before - 3.0)
    assert layer.bias.grad is None or float(layer.bias.grad.sum()) == 0.0


def test_master_weights_are_what_is_saved() -> None:
    layer = paddle.nn.Linear(2, 2)
    layer.to(dtype="float16")
    master = paddle.full([2, 2], 1.0001, "float32")  # float16 knows no such number
    optimizer = SimpleNamespace(state_dict=lambda: {"master_weights": {layer.weight.name: master}})
    state = float32_state(layer, optimizer)
    assert {tensor.dtype for tensor in state.values()} == {paddle.float32}
    np.testing.assert_array_equal(state["weight"].numpy(), master.numpy())


def test_weights_that_are_not_trained_keep_their_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """O2 has master copies of what the optimizer trains only; running statistics it does not cast."""
    network = paddle.nn.Sequential(paddle.nn.Conv2D(1, 1, 1, bias_attr=False), paddle.nn.BatchNorm2D(1))
    conv, norm = network[0], network[1]
    conv.weight.set_value(np.full((1, 1, 1, 1), 1.0001, np.float32))
    conv.weight.stop_gradient = True
    monkeypatch.setattr(paddle.amp, "decorate", lambda **_: conv.to(dtype="float16"))
    precision = Precision("gpu", use_amp=True, amp_level="O2")
    optimizer = SimpleNamespace(state_dict=dict)
    precision.prepare(network, optimizer)
    norm._mean.set_value(np.full(1, 7.0, np.float32))
    state = float32_state(network, optimizer, precision.frozen)
    assert conv.weight.dtype == paddle.float16
    assert state["0.weight"].item() == pytest.approx(1.0001, abs=1e-7)
    assert state["1._mean"].item() == 7.0


@pytest.mark.parametrize("argument", [{"amp_level": "O3"}, {"amp_dtype": "float8"}])
def test_unknown_values_are_refused(argument: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        Precision("cpu", **argument)
