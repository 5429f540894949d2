"""The training half of the composition root: what the keys of Global and Optimizer become."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest

from ppocr_pse import build
from ppocr_pse.config import Config, load_config
from ppocr_pse.schema import ConfigError, Section
from tests.test_cli import CONFIG, ROOT, options


def configuration(bars: Path, out: Path, *more: str) -> Config:
    return load_config(ROOT / CONFIG, [*options(bars, out)[1:], *more])


def trainer(bars: Path, out: Path, *more: str) -> Any:
    config = configuration(bars, out, *more)
    pool = build.build_annotations(config, "Train")
    loader = build.build_train_loader(config, pool)
    network = build.build_model(config.section("Architecture"))
    precision = build.build_precision(config, "cpu")
    return build.build_trainer(config, network, loader, None, precision, logging.getLogger("ppocr.test"))


@pytest.mark.parametrize(
    ("lr", "base", "expected"),
    [
        ({"name": "Const", "learning_rate": 0.1}, None, 0.1),
        ({"name": "Const", "learning_rate": 0.1}, 8, 0.2),
        ({"name": "Piecewise", "decay_epochs": [1], "values": [0.3, 0.1]}, 32, 0.15),
        ({"name": "OneCycle", "max_lr": 0.25}, 16, 0.01),
    ],
)
def test_rates_are_scaled_with_the_batch_on_request(lr: dict, base: int | None, expected: float) -> None:
    """16 samples a step; 1cycle starts at max_lr / 25."""
    section = Section({"name": "Momentum", "lr": Section(lr), "lr_base_batch_size": base})
    parameters = paddle.nn.Linear(2, 2).parameters()
    optimizer, _ = build.build_optimizer(section, 2, 10, parameters, total_batch=16)
    assert optimizer.get_lr() == pytest.approx(expected)


@pytest.mark.parametrize("base", [0, -4, "large"])
def test_a_wrong_base_batch_is_refused(base: Any) -> None:
    section = Section(
        {"name": "Momentum", "lr": Section({"name": "Const", "learning_rate": 0.1}), "lr_base_batch_size": base}
    )
    with pytest.raises(ConfigError, match="lr_base_batch_size"):
        build.build_optimizer(section, 2, 10, paddle.nn.Linear(2, 2).parameters(), total_batch=16)


def test_accumulated_batches_shorten_the_schedule(bars: Path, tmp_path: Path) -> None:
    """8 pictures in batches of 2, three of which make a step: 2 steps an epoch."""
    run = trainer(bars, tmp_path, "Train.loader.batch_size_per_card=2", "Global.accumulate_steps=3")
    assert run.progress.steps_per_epoch == 2
    config = configuration(bars, tmp_path, "Train.loader.batch_size_per_card=2", "Global.accumulate_steps=3")
    assert build.total_batch(config, run.loader, SimpleNamespace(world_size=4)) == 24


@pytest.mark.parametrize(("key", "share"), [("none", 0.0), ("all", 1.0), ("backbone", None)])
def test_norms_are_frozen_as_asked(bars: Path, tmp_path: Path, key: str, share: float | None) -> None:
    run = trainer(bars, tmp_path, f"Global.freeze_bn={key}")
    norms = [layer for layer in run.model.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    run._train_mode()
    frozen = np.array([not layer.training for layer in norms])
    if share is None:
        assert 0 < frozen.mean() < 1
        assert not any(layer.training for layer in run.model.backbone.sublayers() if layer in run.frozen_norms)
    else:
        assert frozen.mean() == share


def test_norms_of_frozen_parts_keep_their_statistics(bars: Path, tmp_path: Path) -> None:
    run = trainer(bars, tmp_path, "Global.freeze=[backbone.stage0, backbone.conv]", "Global.freeze_bn=backbone")
    own = [layer for layer in run.model.backbone.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    assert sorted(map(id, run.frozen_norms)) == sorted(map(id, own))  # each once
    run = trainer(bars, tmp_path, "Global.freeze=[backbone.stage0, backbone.conv]")
    names = {name for name, layer in run.model.named_sublayers() if any(layer is norm for norm in run.frozen_norms)}
    assert "backbone.conv.bn" in names
    assert {name.rpartition(".stage")[2][0] for name in names - {"backbone.conv.bn"}} == {"0"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("Global.freeze=3", "Global.freeze: got 3 (int), expected text or a list of text or nothing"),
        ("Optimizer.lr_mult=0.1", "Optimizer.lr_mult: got 0.1, expected factors by the names of parts"),
        ("Optimizer.lr_mul.head=0.1", "did you mean 'lr_mult'"),
        ("Global.accumulate_steps=0", "accumulate_steps is 0, expected at least 1"),
        ("Global.max_minutes=-1", "max_minutes is -1, expected 0 (off) or more"),
        ("Global.decr_ratio=1.5", "decr_ratio is 1.5, expected above 0 and below 1"),
        ("Global.incr_ratio=0.5", "incr_ratio is 0.5, expected above 1"),
        ("Global.freeze_bn=some", "freeze_bn is 'some', expected none or backbone or all"),
        ("Global.rank_timeout=0", "rank_timeout is 0, expected seconds above 0"),
        ("Global.early_stops=3", "did you mean 'early_stop'"),
    ],
)
def test_wrong_values_stop_before_any_work(bars: Path, tmp_path: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        configuration(bars, tmp_path, assignment)
    assert message in str(error.value)
