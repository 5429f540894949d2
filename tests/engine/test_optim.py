"""Schedules and optimizers: equal to PaddleOCR's sequences and to eight of its training steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_loss, build_model, build_optimizer
from ppocr_pse.engine.optim import WeightAverage
from ppocr_pse.engine.precision import Precision
from tests.modeling.test_modeling import architecture, set_by_formula

CASES = json.loads((Path(__file__).parent.parent / "golden" / "lr_schedules.json").read_text())


def optimizer_section(lr: dict, **more: object) -> dict:
    return {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": lr, **more}


@pytest.mark.parametrize("name", CASES)
def test_schedule_equals_paddleocr(name: str) -> None:
    case = CASES[name]
    layer = paddle.nn.Linear(1, 1)
    optimizer, schedule = build_optimizer(
        optimizer_section(case["lr"]), case["epochs"], case["steps_per_epoch"], layer.parameters()
    )
    rates = []
    for _ in range(case["epochs"] * case["steps_per_epoch"]):
        rates.append(optimizer.get_lr())
        schedule.step()
    values = case["values"]
    for step, expected in values.items() if isinstance(values, dict) else enumerate(values):
        assert rates[int(step)] == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("lr", "expected"),
    [
        ({"name": "OneCycle", "max_lr": 0.25}, {0: 0.01, 2: 0.25, 9: 1e-6}),
        ({"name": "MultiStepDecay", "learning_rate": 1.0, "milestones": [2], "gamma": 0.1}, {3: 1.0, 4: 0.1}),
        ({"name": "CyclicalCosine", "learning_rate": 1.0, "cycle": 2}, {0: 1.0, 2: 0.5, 4: 1.0}),
        ({"name": "DecayLearningRate", "learning_rate": 1.0, "factor": 2.0}, {0: 1.0, 5: 0.25}),
    ],
)
def test_other_schedules(lr: dict, expected: dict) -> None:
    """Five epochs of two steps; the values follow from the formulas in the docstrings."""
    _, schedule = build_optimizer(optimizer_section(lr), 5, 2, paddle.nn.Linear(1, 1).parameters())
    rates = []
    for _ in range(10):
        rates.append(schedule.get_lr() if lr["name"] == "CyclicalCosine" else schedule())
        schedule.step()
    for step, value in expected.items():
        assert rates[step] == pytest.approx(value, rel=1e-3, abs=1e-5)


def batches(seed: int, size: int, box: tuple[int, int], span: int, mask_rows: int):
    """The data of the golden trajectories, step by step."""
    rng = np.random.RandomState(seed)
    while True:
        image = rng.standard_normal((2, 3, size, size)).astype(np.float32)
        text = np.zeros((2, size, size), np.uint8)
        for i in (0, 1):
            for _ in range(3):
                a, b = rng.randint(0, span, 2)
                text[i, b : b + box[0], a : a + box[1]] = 1
        mask = np.ones_like(text)
        mask[:, :mask_rows] = 0
        yield [paddle.to_tensor(x) for x in (image, text, np.repeat(text[:, None], 7, 1), mask)]


@pytest.mark.parametrize(("name", "width"), [("mv3", 96), ("r18_vd", 64)])
def test_eight_steps_follow_paddleocr(name: str, width: int, golden: Path) -> None:
    stored = np.load(golden / "train_trajectory.npz")
    model = build_model(architecture(name, width))
    set_by_formula(model)
    section = optimizer_section(
        {"name": "Step", "learning_rate": 1e-3, "step_size": 2, "gamma": 0.1},
        regularizer={"name": "L2", "factor": 5e-4},
    )
    optimizer, schedule = build_optimizer(section, 4, 2, model.parameters())
    loss = build_loss({"name": "PSELoss", "reduction": "none"})
    precision = Precision("cpu")
    model.train()
    data = batches(11, 128, (20, 40), 80, 8)
    for expected in stored[f"{name}/losses"]:
        batch = next(data)
        terms = loss(model(batch[0]), batch)
        precision.step(terms["loss"].sum(), optimizer)
        schedule.step()
        np.testing.assert_allclose([float(t.mean()) for t in terms.values()], expected, atol=2e-3)
    model.eval()
    image = np.random.RandomState(5).standard_normal((1, 3, 64, 96)).astype(np.float32)
    maps, final = model(paddle.to_tensor(image))["maps"].numpy(), stored[f"{name}/final_logits"]
    assert np.abs(maps - final).max() <= 0.02 * np.abs(final).max()


def test_clipping_and_weight_decay_are_handed_on() -> None:
    layer = paddle.nn.Linear(4, 4, bias_attr=False)
    before = layer.weight.numpy()
    section = {
        "name": "Momentum",
        "momentum": 0.0,
        "clip_norm_global": 0.5,
        "lr": {"name": "Const", "learning_rate": 1.0},
    }
    optimizer, _ = build_optimizer(section, 1, 1, layer.parameters())
    (layer(paddle.ones([1, 4])).sum() * 100).backward()
    optimizer.step()
    assert np.linalg.norm(layer.weight.numpy() - before) == pytest.approx(0.5, rel=1e-4)


def test_frozen_parameters_stay() -> None:
    layer = paddle.nn.Linear(2, 2)
    layer.weight.stop_gradient = True
    before = layer.weight.numpy()
    optimizer, _ = build_optimizer(
        optimizer_section({"name": "Const", "learning_rate": 0.1}, weight_decay=0.5), 1, 1, layer.parameters()
    )
    layer(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(layer.weight.numpy(), before)


def test_average_of_weights() -> None:
    """Decay 0.5 but at the first two updates 2/11 and 3/12: from 0 over 1 to 1: 9/11, then 9/11 / 4 + 3/4."""
    layer = paddle.nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(np.zeros((1, 1), np.float32))
    average = WeightAverage(layer, 0.5)
    layer.weight.set_value(np.ones((1, 1), np.float32))
    average.update()
    assert float(average.average["weight"]) == pytest.approx(9 / 11)
    average.update()
    expected = 9 / 11 / 4 + 3 / 4
    assert float(average.average["weight"]) == pytest.approx(expected)
    with average.applied():
        assert float(layer.weight) == pytest.approx(expected)
    assert float(layer.weight) == 1.0
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert float(layer.weight) == 1.0
