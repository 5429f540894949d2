"""Parts of a network by name: what is frozen, how fast the others learn, what a wrong name is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse.build import build_optimizer
from ppocr_pse.engine.parts import belongs, freeze, scale_rates, select
from ppocr_pse.schema import ConfigError, Section


class Block(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 3, 1, bias_attr=False)
        self.bn = paddle.nn.BatchNorm2D(3)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.bn(self.conv(x))


class Network(paddle.nn.Layer):
    """Two stages and a head; six parameters are below `body`."""

    def __init__(self) -> None:
        super().__init__()
        self.body = paddle.nn.Sequential(("stage0", Block()), ("stage1", Block()))
        self.head = paddle.nn.Conv2D(3, 1, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.head(self.body(x))


def named(network: paddle.nn.Layer) -> dict[str, Any]:
    return {name: value for name, value in network.named_parameters() if not value.stop_gradient}


@pytest.mark.parametrize(
    ("part", "count"),
    [("body", 6), ("body.stage1", 3), ("body.stage1.bn", 2), ("head.bias", 1), ("body.stage[01].conv", 2), ("*", 8)],
)
def test_a_part_is_all_below_its_name(part: str, count: int) -> None:
    assert len(select(named(Network()), part)) == count


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.integers(1, 4))
def test_every_beginning_up_to_a_dot_is_a_part(pieces: list[str], length: int) -> None:
    name = ".".join(pieces)
    assert belongs(name, ".".join(pieces[:length]))
    assert not belongs(name, name + "x") and not belongs(name + "x", name)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("body.stage7", "did you mean 'body.stage1' or 'body.stage0'? In body there are stage0, stage1"),
        ("bod", "did you mean 'body'? There are body, head"),
        ("body.stage", "In body there are stage0, stage1"),
        ("", "There are body, head"),
    ],
)
def test_a_wrong_name_is_answered_with_those_near_it(part: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        select(named(Network()), part)
    assert str(error.value).startswith(f"no parameter belongs to {part!r}; ") and message in str(error.value)


def test_frozen_parts_get_no_gradient_and_no_optimizer_state() -> None:
    network = Network()
    norms = freeze(network, ["body.stage0", "head.bias"])
    assert [id(layer) for layer in norms] == [id(network.body.stage0.bn)]
    before = {name: p.numpy().copy() for name, p in named(network).items()}
    section = {"name": "Adam", "lr": {"name": "Const", "learning_rate": 0.1}, "weight_decay": 0.1}
    optimizer, _ = build_optimizer(section, 1, 1, named(network))
    network(paddle.rand([2, 3, 4, 4])).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    for name, parameter in named(network).items():
        frozen = name.startswith("body.stage0") or name == "head.bias"
        assert np.array_equal(parameter.numpy(), before[name]) == frozen, name
        assert (parameter.grad is None) == frozen, name
        assert any(key.startswith(f"{parameter.name}_moment") for key in state) != frozen, name


def test_something_must_be_left_to_train() -> None:
    with pytest.raises(ValueError, match="all 8 parameters are frozen, nothing is left to train"):
        freeze(Network(), ["body", "head"])


def moved(optimizer: Mapping[str, Any], rates: Mapping[str, float] | None) -> dict[str, np.ndarray]:
    """How far one step with the gradient of a fixed batch moves each parameter."""
    paddle.seed(5)
    network = Network()
    section = Section({**optimizer, "lr": {"name": "Const", "learning_rate": 0.01}, "lr_mult": rates})
    before = {name: p.numpy().copy() for name, p in named(network).items()}
    made, _ = build_optimizer(section, 1, 1, named(network))
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 4)).astype(np.float32)
    (network(paddle.to_tensor(x)) ** 2).sum().backward()
    made.step()
    return {name: p.numpy() - before[name] for name, p in named(network).items()}


@pytest.mark.parametrize(
    "optimizer",
    [{"name": "Adam"}, {"name": "AdamW", "weight_decay": 0.5}, {"name": "Momentum", "clip_norm_global": 0.1}],
    ids=lambda section: section["name"],
)
def test_each_part_takes_its_share_of_the_step(optimizer: dict) -> None:
    """The longest name that fits counts, whatever the order; AdamW's decay is part of the step."""
    whole = moved(optimizer, None)
    parts = moved(optimizer, {"body.stage1": 0.5, "body": 0.125, "body.stage?.bn": 2})
    for name, step in whole.items():
        share = 2 if ".bn." in name else 0.5 if "stage1" in name else 0.125 if "stage0" in name else 1
        assert np.abs(step).max() > 0
        np.testing.assert_allclose(parts[name], share * step, rtol=1e-3, atol=1e-7, err_msg=name)


def test_rates_of_an_earlier_run_are_forgotten() -> None:
    network = Network()
    scale_rates(named(network), {"body": 0.1})
    scale_rates(named(network), {})
    assert {p.optimize_attr["learning_rate"] for p in network.parameters()} == {1.0}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"bodi": 0.1}, "Optimizer.lr_mult: no parameter belongs to 'bodi'; did you mean 'body'"),
        ({"body": 0}, "body: 0, expected a factor above 0; Global.freeze keeps"),
        ({"body": float("nan")}, "expected a factor above 0"),
        ({"body": "slow"}, "expected factors by the names of parts, such as {backbone: 0.1}"),
        (0.1, "expected factors by the names of parts"),
    ],
)
def test_wrong_rates_are_refused(rates: Any, message: str) -> None:
    section = Section({"name": "Adam", "lr": {"name": "Const", "learning_rate": 0.1}, "lr_mult": rates})
    with pytest.raises(ConfigError) as error:
        build_optimizer(section, 1, 1, named(Network()))
    assert message in str(error.value)
