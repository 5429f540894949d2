"""The loop with a one-layer model: log lines, files, evaluation times, best model, faults, exact resume."""

from __future__ import annotations

import csv
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from ppocr_pse.engine.checkpoint import load_checkpoint
from ppocr_pse.engine.evaluator import Evaluation, EvaluationStopped
from ppocr_pse.engine.optim import WeightAverage
from ppocr_pse.engine.plan import Plan
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.predictor import Timing
from ppocr_pse.engine.progress import NonFiniteLoss, Progress
from ppocr_pse.engine.run_state import RunState
from ppocr_pse.engine.stopping import Patience, StopRequest
from ppocr_pse.engine.trainer import Trainer
from ppocr_pse.losses.pse import TERMS
from ppocr_pse.metrics import Counts
from ppocr_pse.types import Batch

LOGGER = logging.getLogger("ppocr.test")


class OneLayer(paddle.nn.Layer):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        paddle.seed(3)
        self.layer = paddle.nn.Linear(4, 1)
        self.dropout = paddle.nn.Dropout(dropout)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.layer(self.dropout(x))


class SquareLoss(paddle.nn.Layer):
    """The five terms, all from (y - 1)^2."""

    def __init__(self, mean: bool = False) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, outputs: paddle.Tensor, batch: list) -> dict:
        square = ((outputs - 1) ** 2)[:, 0]
        return dict.fromkeys(TERMS, square.mean() if self.mean else square)


class FakeLoader:
    """`steps` batches an epoch, whose values depend on epoch and number only."""

    def __init__(self, steps: int = 5, broken: tuple[int, ...] = (), poison: int = 0, batch_size: int = 2) -> None:
        self.steps, self.broken, self.poison, self.batch_size = steps, broken, poison, batch_size
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
    folder: Path,
    plan: Plan,
    loader: FakeLoader | None = None,
    scores: list[float] | None = None,
    ema: float = 0.0,
    patience: Patience | None = None,
    stop: StopRequest | None = None,
    dropout: float = 0.0,
) -> Trainer:
    model = OneLayer(dropout)
    loader = loader or FakeLoader()
    schedule = paddle.optimizer.lr.StepDecay(0.05, 4)
    optimizer = paddle.optimizer.Adam(schedule, parameters=model.parameters())
    remaining = list(scores or [])
    progress = Progress(folder, plan.epochs, len(loader), 2, 20, LOGGER, show_bar=False)
    average = WeightAverage(model, ema) if ema else None
    state = RunState(model, optimizer, Precision("cpu"), average, patience, loader.batch_size)
    evaluate = (lambda: evaluation(remaining.pop(0))) if scores is not None else None
    return Trainer(SquareLoss(), schedule, state, loader, evaluate, folder, plan, progress, LOGGER, stop)


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
    plan = Plan(9, eval_start=3, eval_every=4)
    assert [step for step in range(16) if plan.evaluation_due(step)] == [7, 11, 15]


def test_the_best_model_is_kept(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(3, eval_every=5), scores=[0.2, 0.9, 0.4])
    run.fit()
    saved = load_checkpoint(str(tmp_path / "best_accuracy"))
    assert saved.states["global_step"] == 10
    best = saved.states["best_model_dict"]
    assert (best["hmean"], best["best_epoch"]) == (0.9, 2)
    assert load_checkpoint(str(tmp_path / "latest")).states["best_model_dict"]["hmean"] == 0.9


def test_averaged_weights_are_evaluated_and_kept_as_best(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(1, eval_every=5, evaluate_raw=False), scores=[0.5], ema=0.9)
    seen: list[np.ndarray] = []
    run.evaluate = lambda: seen.append(run.state.network.layer.weight.numpy()) or evaluation(0.5)
    run.fit()
    average = run.state.average.average["layer.weight"].numpy()
    np.testing.assert_array_equal(seen[0], average)
    np.testing.assert_array_equal(
        load_checkpoint(str(tmp_path / "best_accuracy")).params["layer.weight"].numpy(), average
    )
    latest = load_checkpoint(str(tmp_path / "latest"))
    np.testing.assert_array_equal(latest.params["layer.weight"].numpy(), run.state.network.layer.weight.numpy())
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
    """Weights, optimizer, schedule, average, dropout and the place in the epoch: bit by bit as in an unbroken run."""
    whole = trainer(tmp_path / "whole", Plan(3), ema=ema, dropout=0.5)
    whole.fit()
    first = trainer(tmp_path / "parts", Plan(3, max_steps=stop), ema=ema, dropout=0.5)
    first.fit()
    second = trainer(tmp_path / "parts", Plan(3), ema=ema, dropout=0.5)
    second.resume(str(tmp_path / "parts" / "latest"))
    assert second.at.global_step == stop
    second.fit()
    assert first.loader.asked + second.loader.asked == whole.loader.asked
    np.testing.assert_array_equal(whole.state.network.layer.weight.numpy(), second.state.network.layer.weight.numpy())
    assert whole.state.optimizer.get_lr() == second.state.optimizer.get_lr()
    ours, theirs = losses_of(tmp_path / "parts"), losses_of(tmp_path / "whole")
    assert set(theirs) <= set(ours)
    if ema:
        np.testing.assert_array_equal(
            whole.state.average.average["layer.bias"].numpy(), second.state.average.average["layer.bias"].numpy()
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
        for _ in progress.watch(iter([[batch]]), epoch, 0):
            progress.record(epoch, 9 * epoch - 1, 0.1, {"loss": paddle.ones([1])}, ())
        progress.exclude(1000.0)
    assert min(progress._batch_costs, default=0) >= 0 and progress._run_seconds >= 0


def test_the_first_line_knows_its_own_step(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ppocr.test")
    progress = Progress(None, 1, 9, 1, 20, LOGGER, show_bar=False)
    for _ in progress.watch(iter([[Batch(None, None, None, None, ("a.jpg", "b.jpg"))]]), 1, 0):
        progress.record(1, 1, 0.1, {"loss": paddle.ones([1])}, ())
    assert "avg_samples: 2.0" in caplog.text and "ips: 0.00000" not in caplog.text


class SignalLoader(FakeLoader):
    """Receives SIGTERM while it reads the batch of a step."""

    def __init__(self, at_step: int) -> None:
        super().__init__()
        self.at_step = at_step

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for k, batch in enumerate(super().__call__(epoch, start), start):
            if (epoch - 1) * self.steps + k + 1 == self.at_step:
                for _ in range(3):  # the launcher sends several
                    os.kill(os.getpid(), signal.SIGTERM)
            yield batch


@pytest.mark.parametrize("at_step", [1, 7, 10, 15])
def test_sigterm_saves_at_the_next_step_and_the_run_goes_on_to_the_same_weights(tmp_path: Path, at_step: int) -> None:
    whole = trainer(tmp_path / "whole", Plan(3, eval_every_epochs=1), scores=[0.1, 0.2, 0.3])
    whole.fit()
    with StopRequest() as stop:
        scores = [0.1, 0.2, 0.3]
        run = trainer(tmp_path / "parts", Plan(3, eval_every_epochs=1), SignalLoader(at_step), scores, stop=stop)
        assert run.fit() == "SIGTERM"
    assert load_checkpoint(str(tmp_path / "parts" / "latest")).states["global_step"] == at_step
    left = [0.1, 0.2, 0.3][(at_step - 1) // 5 :]
    rest = trainer(tmp_path / "parts", Plan(3, eval_every_epochs=1), scores=left)
    rest.resume(str(tmp_path / "parts" / "latest"))
    assert rest.fit() == ""
    np.testing.assert_array_equal(whole.state.network.layer.weight.numpy(), rest.state.network.layer.weight.numpy())
    assert rest.at.best == whole.at.best


def test_an_evaluation_that_was_cut_short_is_repeated(tmp_path: Path) -> None:
    with StopRequest() as stop:
        run = trainer(tmp_path, Plan(1, eval_every=2), scores=[], stop=stop)

        def interrupted() -> Evaluation:
            os.kill(os.getpid(), signal.SIGINT)
            raise EvaluationStopped

        run.evaluate = interrupted
        assert run.fit() == "SIGINT"
    assert run.at.global_step == 2
    rest = trainer(tmp_path, Plan(1, eval_every=2), scores=[0.3, 0.2, 0.1])
    rest.resume(str(tmp_path / "latest"))
    assert rest.fit() == ""
    assert (rest.at.best["hmean"], rest.at.best["best_epoch"]) == (0.3, 1)


def test_early_stopping_survives_a_resume(tmp_path: Path) -> None:
    scores = [0.5, 0.6, 0.4, 0.6, 0.3, 0.9]
    run = trainer(tmp_path, Plan(9, eval_every=5, max_steps=15), scores=scores[:3], patience=Patience(3))
    run.fit()
    rest = trainer(tmp_path, Plan(9, eval_every=5), scores=scores[3:], patience=Patience(3))
    rest.resume(str(tmp_path / "latest"))
    assert rest.fit() == ""
    assert (rest.at.global_step, rest.at.best["hmean"]) == (25, 0.6)


def test_raw_and_averaged_weights_are_both_evaluated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ppocr.test")
    run = trainer(tmp_path, Plan(1, eval_every=5), scores=[0.7, 0.5], ema=0.9)
    run.fit()
    assert "cur metric of the weights before averaging, precision: 0.7" in caplog.text
    assert "cur metric, precision: 0.5" in caplog.text
    best = load_checkpoint(str(tmp_path / "best_accuracy"))
    assert best.states["best_model_dict"]["hmean"] == 0.7  # the better one of the two is kept
    np.testing.assert_array_equal(best.params["layer.weight"].numpy(), run.state.network.layer.weight.numpy())


@pytest.mark.parametrize("mean", [False, True])
def test_accumulated_batches_equal_one_large_batch(tmp_path: Path, mean: bool) -> None:
    class Uneven(FakeLoader):
        """Every other batch has one sample instead of two, so that a mean of means would be wrong."""

        def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
            for k, batch in enumerate(super().__call__(epoch, start)):
                size = 1 + k % 2
                yield Batch(batch.image[:size], None, None, None, batch.sources[:size])

    class Joined(Uneven):
        """Those batches, put together by threes."""

        def __len__(self) -> int:
            return (self.steps + 2) // 3

        def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
            parts = list(super().__call__(epoch, 0))
            for k in range(0, self.steps, 3):
                some = parts[k : k + 3]
                yield Batch(
                    paddle.concat([part.image for part in some]),
                    None,
                    None,
                    None,
                    sum((part.sources for part in some), ()),
                )

    results = []
    for loader, accumulate in ((Uneven(8), 3), (Joined(8), 1)):
        run = trainer(tmp_path, Plan(2, accumulate_steps=accumulate, loss_is_mean=mean), loader)
        run.loss = SquareLoss(mean)
        run.fit()
        results.append((run.at.global_step, run.state.network.layer.weight.numpy()))
    assert results[0][0] == 6  # two epochs of 3 + 3 + 2 batches
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-6)


def test_latest_is_written_every_so_many_steps(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(1, save_every_steps=2), FakeLoader(poison=5))
    with pytest.raises(NonFiniteLoss):
        run.fit()
    assert load_checkpoint(str(tmp_path / "latest")).states["global_step"] == 4


def test_another_batch_size_resumes_at_the_nearest_sample(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer(tmp_path, Plan(1, max_steps=3)).fit()
    run = trainer(tmp_path, Plan(1), FakeLoader(2, batch_size=4))
    run.resume(str(tmp_path / "latest"))
    assert run.at.iteration == 1 and "saved with 2 samples a batch" in caplog.text


def test_frozen_norms_stay_in_evaluation_mode(tmp_path: Path) -> None:
    run = trainer(tmp_path, Plan(1, eval_every=2), scores=[0.1, 0.1, 0.1])
    norm = run.state.network.norm = paddle.nn.BatchNorm1D(4)
    run.frozen_norms = (norm,)
    modes = []
    run.loss.register_forward_post_hook(lambda *_: modes.append((norm.training, run.state.network.layer.training)))
    run.fit()
    assert set(modes) == {(False, True)}
