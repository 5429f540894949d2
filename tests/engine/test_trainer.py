"""The loop with a one-layer model: log lines, files, evaluation times, best model, faults, exact resume."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppocr_pse.engine.checkpoint import load_checkpoint
from ppocr_pse.engine.evaluator import Evaluation
from ppocr_pse.engine.optim import WeightAverage
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.predictor import Timing
from ppocr_pse.engine.progress import NonFiniteLoss, Progress
from ppocr_pse.engine.trainer import Plan, Trainer
from ppocr_pse.losses.pse import TERMS
from ppocr_pse.metrics import Counts
from ppocr_pse.types import Batch

LOGGER = logging.getLogger("ppocr.test")


class OneLayer(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        paddle.seed(3)
        self.layer = paddle.nn.Linear(4, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.layer(x)


class SquareLoss(paddle.nn.Layer):
    """The five terms, all from (y - 1)^2."""

    def forward(self, outputs: paddle.Tensor, batch: list) -> dict:
        square = ((outputs - 1) ** 2)[:, 0]
        return dict.fromkeys(TERMS, square)


class FakeLoader:
    """`steps` batches an epoch, whose values depend on epoch and number only."""

    def __init__(self, steps: int = 5, broken: tuple[int, ...] = (), poison: int = 0) -> None:
        self.steps, self.broken, self.poison = steps, broken, poison
        self.dataset = range(steps * 2)
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.steps

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for k in range(start, self.steps):
            self.asked.append((epoch, k))
            if k in self.broken:
                yield Batch(None, None, None, None, (), ((f"bad{k}.jpg", f"label.txt:{k}: broken"),))
                continue
            values = np.random.default_rng((epoch, k)).standard_normal((2, 4)).astype(np.float32)
            if self.poison == (epoch - 1) * self.steps + k + 1:
                values[0, 0] = np.nan
            yield Batch(paddle.to_tensor(values), None, None, None, (f"e{epoch}k{k}a.jpg", f"e{epoch}k{k}b.jpg"))


def evaluation(hmean: float, faults: tuple[str, ...] = ()) -> Evaluation:
    return Evaluation(hmean, hmean, hmean, 2.0, 3, Counts(), Timing(0.1, 0.2, 0.3, 0.4), 1.0, faults)


def trainer(
    folder: Path, plan: Plan, loader: FakeLoader | None = None, scores: list[float] | None = None, ema: float = 0.0
) -> Trainer:
    model = OneLayer()
    loader = loader or FakeLoader()
    schedule = paddle.optimizer.lr.StepDecay(0.05, 4)
    optimizer = paddle.optimizer.Adam(schedule, parameters=model.parameters())
    remaining = list(scores or [])
    progress = Progress(folder, plan.epochs, len(loader), 2, 20, LOGGER, show_bar=False)
    return Trainer(
        model,
        model,
        SquareLoss(),
        optimizer,
        schedule,
        Precision("cpu"),
        loader,
        (lambda: evaluation(remaining.pop(0))) if scores is not None else None,
        folder,
        plan,
        progress,
        LOGGER,
        WeightAverage(model, ema) if ema else None,
    )


def losses_of(folder: Path) -> dict[int, str]:
    with (folder / "metrics.csv").open() as handle:
        return {int(row["global_step"]): row["loss"] for row in csv.DictReader(handle) if row["loss"]}


def test_log_lines_and_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ppocr.test")
    run = trainer(tmp_path, Plan(2, eval_start=0, eval_every=4, save_every_epochs=1), scores=[0.25, 0.5, 0.75])
    run.fit()
    text = caplog.text
    number = r"[\d.]+"
    line = (
        rf"epoch: \[1/2\], global_step: 2, lr: 0\.050000, loss_text: {number}, iou_text: {number}, "
        rf"loss_kernels: {number}, iou_kernel: {number}, loss: {number}, avg_reader_cost: {number} s, "
        rf"avg_batch_cost: {number} s, avg_samples: 2\.0, ips: {number} samples/s, eta: \d+:\d\d:\d\d"
    )
    assert re.search(line, text)
    assert [int(step) for step in re.findall(r"global_step: (\d+), lr", text)] == [2, 4, 5, 6, 8, 10]
    assert "cur metric, precision: 0.25, recall: 0.25, hmean: 0.25, fps: 2.0" in text
    assert "best metric, hmean: 0.75, precision: 0.75, recall: 0.75, fps: 2.0, best_epoch: 2" in text
    names = {path.name for path in tmp_path.iterdir()}
    assert {"metrics.csv", "curves.png", "iter_epoch_1.pdparams", "iter_epoch_2.states"} <= names
    assert {f"{kind}.{end}" for kind in ("latest", "best_accuracy") for end in ("pdparams", "pdopt", "states")} <= names
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["hmean"] for row in rows if row["hmean"]] == ["0.25", "0.5", "0.75"]


def test_medians_over_the_window(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Losses 9, 1, 2 and 3: after two steps the median is 5, after four 2.5."""
    caplog.set_level(logging.INFO, "ppocr.test")
    progress = Progress(None, 1, 10, 2, 20, LOGGER, show_bar=False)
    for step, value in enumerate((9.0, 1.0, 2.0, 3.0), 1):
        progress.record(1, step, 0.1, {"loss": paddle.full([2], value)}, ())
    assert re.findall(r" loss: ([\d.]+)", caplog.text) == ["5.000000", "2.500000"]


def test_evaluation_comes_when_it_is_due() -> None:
    run = SimpleNamespace(plan=Plan(9, eval_start=3, eval_every=4), at=SimpleNamespace(global_step=0))
    due = []
    for run.at.global_step in range(1, 16):
        if Trainer._evaluation_due(run):
            due.append(run.at.global_step)
    assert due == [7, 11, 15]


def test_the_best_model_is_kept(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(3, eval_every=5), scores=[0.2, 0.9, 0.4])
    run.fit()
    saved = load_checkpoint(str(tmp_path / "best_accuracy"))
    assert saved.states["global_step"] == 10
    best = saved.states["best_model_dict"]
    assert (best["hmean"], best["best_epoch"]) == (0.9, 2)
    assert load_checkpoint(str(tmp_path / "latest")).states["best_model_dict"]["hmean"] == 0.9


def test_averaged_weights_are_evaluated_and_kept_as_best(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(1, eval_every=5), scores=[0.5], ema=0.9)
    seen: list[np.ndarray] = []
    run.evaluate = lambda: seen.append(run.network.layer.weight.numpy()) or evaluation(0.5)
    run.fit()
    average = run.average.average["layer.weight"].numpy()
    np.testing.assert_array_equal(seen[0], average)
    np.testing.assert_array_equal(
        load_checkpoint(str(tmp_path / "best_accuracy")).params["layer.weight"].numpy(), average
    )
    latest = load_checkpoint(str(tmp_path / "latest"))
    np.testing.assert_array_equal(latest.params["layer.weight"].numpy(), run.network.layer.weight.numpy())
    assert (latest.params["layer.weight"].numpy() != average).any()
    assert latest.average["updates"] == 5


def test_a_loss_that_is_not_finite_stops_with_step_terms_and_pictures(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(2), FakeLoader(poison=7))
    with pytest.raises(NonFiniteLoss) as error:
        run.fit()
    assert "step 7" in str(error.value) and "loss: nan" in str(error.value)
    assert "e2k1a.jpg, e2k1b.jpg" in str(error.value)
    saved = load_checkpoint(str(tmp_path / "latest"))
    assert saved.states["global_step"] == 5
    assert np.isfinite(saved.params["layer.weight"].numpy()).all()


def test_broken_pictures_are_named_at_the_end_of_the_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = trainer(tmp_path, Plan(1), FakeLoader(broken=(1, 3)))
    run.fit()
    assert "epoch 1: 2 of 10 pictures could not be used" in caplog.text
    assert "label.txt:1: broken" in caplog.text and "label.txt:3: broken" in caplog.text
    assert run.at.global_step == 5


@pytest.mark.parametrize("stop", [3, 5, 8, 13])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_stopped_run_goes_on_to_the_same_losses(tmp_path: Path, stop: int, ema: float) -> None:
    """Weights, optimizer, schedule, average and the place in the epoch: bit by bit what an unbroken run gives."""
    whole = trainer(tmp_path / "whole", Plan(3), ema=ema)
    whole.fit()
    first = trainer(tmp_path / "parts", Plan(3, max_steps=stop), ema=ema)
    first.fit()
    second = trainer(tmp_path / "parts", Plan(3), ema=ema)
    second.resume(str(tmp_path / "parts" / "latest"))
    assert second.at.global_step == stop
    second.fit()
    assert first.loader.asked + second.loader.asked == whole.loader.asked
    np.testing.assert_array_equal(whole.network.layer.weight.numpy(), second.network.layer.weight.numpy())
    assert whole.optimizer.get_lr() == second.optimizer.get_lr()
    ours, theirs = losses_of(tmp_path / "parts"), losses_of(tmp_path / "whole")
    assert set(theirs) <= set(ours)
    if ema:
        np.testing.assert_array_equal(
            whole.average.average["layer.bias"].numpy(), second.average.average["layer.bias"].numpy()
        )


def test_rows_of_lost_work_leave_the_csv(tmp_path: Path) -> None:
    trainer(tmp_path, Plan(2)).fit()
    with (tmp_path / "metrics.csv").open("a") as handle:
        handle.write("12,3,0.1\n13,3,0.1,0.2\nhalf a li")
    run = trainer(tmp_path, Plan(3))
    run.resume(str(tmp_path / "latest"))
    run.fit()
    steps = [int(row["global_step"]) for row in csv.DictReader((tmp_path / "metrics.csv").open())]
    assert steps == [2, 4, 5, 6, 8, 10, 12, 14, 15]


def test_keep_last(tmp_path: Path) -> None:
    trainer(tmp_path, Plan(4, save_every_epochs=1, keep_last=2)).fit()
    assert sorted(path.stem for path in tmp_path.glob("iter*.pdparams")) == ["iter_epoch_3", "iter_epoch_4"]


def test_evaluation_is_not_counted_as_training_time(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(1, eval_every=1), scores=[0.1] * 5)
    now = SimpleNamespace(value=0.0)

    def slow() -> Evaluation:
        now.value += 100.0
        return evaluation(0.1)

    run.evaluate = slow
    clock = SimpleNamespace(perf_counter=lambda: now.value, monotonic=lambda: 0.0)
    from ppocr_pse.engine import progress
    from ppocr_pse.engine import trainer as trainer_module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "time", clock)
        patch.setattr(trainer_module, "time", clock)
        run.fit()
    assert run.progress._run_seconds == 0.0


def test_an_evaluation_between_epochs_does_not_shorten_the_next_step(tmp_path: Path) -> None:
    progress = Progress(None, 2, 1, 9, 20, LOGGER, show_bar=False)
    batch = Batch(None, None, None, None, ("a.jpg",))
    for epoch in (1, 2):
        for _ in progress.watch(iter([batch]), epoch, 0):
            progress.record(epoch, 9 * epoch - 1, 0.1, {"loss": paddle.ones([1])}, ())
        progress.exclude(1000.0)
    assert min(progress._batch_costs, default=0) >= 0 and progress._run_seconds >= 0


def test_the_first_line_knows_its_own_step(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ppocr.test")
    progress = Progress(None, 1, 9, 1, 20, LOGGER, show_bar=False)
    for _ in progress.watch(iter([Batch(None, None, None, None, ("a.jpg", "b.jpg"))]), 1, 0):
        progress.record(1, 1, 0.1, {"loss": paddle.ones([1])}, ())
    assert "avg_samples: 2.0" in caplog.text and "ips: 0.00000" not in caplog.text
