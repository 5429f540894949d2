"""Fine-tuning: the configuration as a user calls it, and what freezing leaves untouched, alone and over two ranks."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from ppocr_pse import build
from ppocr_pse.config import load_config
from ppocr_pse.schema import ConfigError
from tests.test_cli import ROOT, options, tool
from tests.test_distributed import launch, losses_of

CONFIG = "configs/det/finetune_mv3_pse.yml"
SMALL = [
    "Architecture.Backbone.scale=0.35",
    "Architecture.Backbone.model_name=small",
    "Train.loader.num_workers=0",
    "Train.loader.batch_size_per_card=2",
    "Global.log_smooth_window=1",
    "Global.eval_batch_epoch=0",
]
FROZEN = ["Global.freeze=[backbone]", "Optimizer.lr_mult={head: 0.5}"]


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """A detector to start from, whose running statistics are no round numbers."""
    config = load_config(ROOT / CONFIG, [*options(tmp_path, tmp_path)[1:], *SMALL])
    paddle.seed(1)
    network = build.build_model(config.section("Architecture"))
    rng = np.random.default_rng(2)
    for name, tensor in network.state_dict().items():
        if name.endswith(("._mean", "._variance")):
            tensor.set_value(rng.uniform(0.5, 1.5, tensor.shape).astype(np.float32))
    paddle.save(network.state_dict(), str(tmp_path / "start.pdparams"))
    return tmp_path / "start"


def arguments(bars: Path, out: Path, detector: Path, *more: str) -> list[str]:
    return [*options(bars, out), *SMALL, f"Global.pretrained_model={detector}", *more]


def trainer(bars: Path, out: Path, detector: Path, *more: str) -> Any:
    """A run in this process, its weights loaded."""
    from ppocr_pse.engine.weights import load_pretrained

    config = load_config(ROOT / CONFIG, arguments(bars, out, detector, *more)[1:])
    pool = build.build_annotations(config, "Train")
    loader = build.build_train_loader(config, pool)
    network = build.build_model(config.section("Architecture"))
    load_pretrained(network, str(detector))
    precision = build.build_precision(config, "cpu")
    return build.build_trainer(config, network, loader, None, precision, logging.getLogger("ppocr.test"))


def same(found: Path, start: Path) -> dict[str, bool]:
    """By tensor name, whether two weight files agree to the last bit."""
    one, two = (state.get("average", state) for state in (paddle.load(str(found)), paddle.load(str(start))))
    return {name: bool(np.array_equal(one[name].numpy(), two[name].numpy())) for name in two}


def test_the_command_as_in_the_guide(bars: Path, tmp_path: Path, detector: Path) -> None:
    more = ["Global.eval_batch_epoch=1", "Global.epoch_num=1", *FROZEN]
    text = tool("train.py", "-c", CONFIG, *arguments(bars, tmp_path / "run", detector, *more))
    assert re.search(r"loaded (\d+)/\1 tensors from .*start\.pdparams", text)
    assert re.search(r"frozen: backbone, [\d,]+ of [\d,]+ parameters and the statistics of \d+ normalisation", text)
    assert "best metric, hmean" in text
    unchanged = same(tmp_path / "run" / "best_accuracy.pdparams", detector.with_suffix(".pdparams"))
    assert all(equal for name, equal in unchanged.items() if name.startswith("backbone."))


def test_what_is_frozen_stays_to_the_last_bit(bars: Path, tmp_path: Path, detector: Path) -> None:
    """Weights, statistics and their averages, through accumulated steps with weight decay and clipping."""
    run = trainer(bars, tmp_path, detector, "Global.epoch_num=2", "Global.accumulate_steps=2", *FROZEN)
    run.fit()
    assert run.at.global_step == 4
    for suffix in (".pdparams", ".pdema"):
        for name, equal in same(tmp_path / f"latest{suffix}", detector.with_suffix(".pdparams")).items():
            kept = name.startswith("backbone.") or name.endswith(("._mean", "._variance"))
            assert equal == kept, f"{suffix} {name}"
    trained = [p for p in run.model.parameters() if not p.stop_gradient]
    moments = [name for name in paddle.load(str(tmp_path / "latest.pdopt")) if "_moment1" in name]
    assert len(moments) == len(trained) < len(run.model.parameters()) / 4


def test_a_frozen_run_resumes_exactly(bars: Path, tmp_path: Path, detector: Path) -> None:
    settings = [*FROZEN, "Global.epoch_num=2", "Global.accumulate_steps=2"]
    trainer(bars, tmp_path / "whole", detector, *settings).fit()
    trainer(bars, tmp_path / "parts", detector, *settings, "Global.max_steps=1").fit()
    again = trainer(bars, tmp_path / "parts", detector, *settings)
    again.resume(str(tmp_path / "parts" / "latest"))
    again.fit()
    for name in ("latest.pdparams", "latest.pdema"):
        assert all(same(tmp_path / "parts" / name, tmp_path / "whole" / name).values())


def test_resuming_with_other_frozen_parts_says_so(bars: Path, tmp_path: Path, detector: Path) -> None:
    from ppocr_pse.engine.checkpoint import CheckpointError

    trainer(bars, tmp_path, detector, *FROZEN, "Global.max_steps=1").fit()
    with pytest.raises(CheckpointError, match=r"Global\.freeze.*use Global\.pretrained_model"):
        trainer(bars, tmp_path, detector).resume(str(tmp_path / "latest"))


def test_two_ranks_with_frozen_parts_follow_one(bars: Path, tmp_path: Path, detector: Path) -> None:
    """The frozen parameters take no part in the exchange of gradients, which waits for every one that does."""
    settings = [*FROZEN, "Global.freeze_bn=all", "Global.epoch_num=2", "Global.print_batch_step=1"]
    one = trainer(bars, tmp_path / "one", detector, *settings, "Train.loader.batch_size_per_card=4")
    one.fit()
    two = arguments(bars, tmp_path / "two", detector, *settings)
    launch(2, "-c", CONFIG, *two)
    expected, found = losses_of(tmp_path / "one"), losses_of(tmp_path / "two")
    assert sorted(found) == sorted(expected) == [1, 2, 3, 4]
    assert [float(found[k]) for k in expected] == pytest.approx([float(v) for v in expected.values()], abs=1e-4)
    unchanged = same(tmp_path / "two" / "latest.pdparams", detector.with_suffix(".pdparams"))
    assert all(equal for name, equal in unchanged.items() if name.startswith("backbone."))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("Global.freeze=backbon", "-o: Global.freeze: no parameter belongs to 'backbon'; did you mean 'backbone'"),
        ("Global.freeze=[backbone, neck, head]", "Global.freeze: backbone, neck, head: all "),
        ("Optimizer.lr_mult={backbone.stage9: 0.1}", "Optimizer.lr_mult: no parameter belongs to 'backbone.stage9'"),
        ("Optimizer.lr_mult.backbone=0", "Optimizer.lr_mult: backbone: 0, expected a factor above 0"),
    ],
)
def test_wrong_names_stop_before_any_step(
    bars: Path, tmp_path: Path, detector: Path, assignment: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        trainer(bars, tmp_path, detector, assignment)
    assert message in str(error.value)


def test_before_and_after_side_by_side(bars: Path, tmp_path: Path) -> None:
    """What `make demo` ends with; labels serve as results, and the first detector has seen one picture less."""
    import cv2

    lines = (bars / "val.txt").read_text().splitlines()
    (tmp_path / "before.txt").write_text("\n".join(f"else/{line}" for line in lines[1:]) + "\n")
    (tmp_path / "after.txt").write_text("\n".join(lines) + "\n")
    files = ["--before", tmp_path / "before.txt", "--after", tmp_path / "after.txt", "--out", tmp_path / "sheet.png"]
    tool("before_after.py", "--data", bars, "--labels", bars / "val.txt", *files)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (3 * 304, 3 * 404, 3)  # three rows of three cells
    text = tool("before_after.py", "--data", bars, "--labels", bars / "label.txt", *files, code=2)
    assert "no picture of --labels stands in both result files" in text
    files[1] = tmp_path / "absent.txt"
    assert "absent.txt" in tool("before_after.py", "--data", bars, "--labels", bars / "val.txt", *files, code=2)
