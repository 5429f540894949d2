"""What a person sees of a training run: log lines, progress bar, metrics.csv, curves.png, scalars."""

from __future__ import annotations

import contextlib
import csv
import datetime
import logging
import math
import statistics
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
from tqdm import tqdm

from ppocr_pse.data.reader.stages import StageMeter
from ppocr_pse.engine.collectives import ALONE, mean
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.ranks import RankWatch
from ppocr_pse.types import Batch
from ppocr_pse.visualize import draw_curves

COLUMNS = (
    "global_step",
    "epoch",
    "lr",
    "loss_text",
    "iou_text",
    "loss_kernels",
    "iou_kernel",
    "loss",
    "precision",
    "recall",
    "hmean",
)
CURVES_INTERVAL = 20.0  # seconds between two drawings of the curves, so that short epochs do not wait for them


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class _Step:
    number: int
    terms: Any  # tensor (terms,), still on the device
    sources: tuple[str, ...]


class Progress:
    """Meters and outputs of one training run.

    Args:
        save_dir: where metrics.csv and curves.png go; None writes neither (ranks other than 0).
        epochs: number of the last epoch.
        steps_per_epoch: batches an epoch.
        print_every: a log line every so many steps, and at the last one of an epoch.
        window: the line shows medians over so many last steps.
        logger: of the run.
        scalars: a VisualDL or TensorBoard writer, or None.
        precision: tells the scale of the loss and the steps that it cost; with a loss scaler a loss that is not
            finite does not stop the run, since such steps are skipped.
        show_bar: show a progress bar; None: only on a terminal.
        ranks: the processes whose losses are averaged; all call record and flush at the same steps.
    """

    def __init__(
        self,
        save_dir: Path | None,
        epochs: int,
        steps_per_epoch: int,
        print_every: int,
        window: int,
        logger: logging.Logger,
        scalars: Any = None,
        precision: Precision | None = None,
        show_bar: bool | None = None,
        ranks: RankWatch = ALONE,
    ) -> None:
        self.save_dir = save_dir
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.print_every = max(1, print_every)
        self.logger = logger
        self.scalars = scalars
        self.precision = precision if precision is not None and precision.tolerates_overflow else None
        self.ranks = ranks
        self.disable_bar = None if show_bar is None else not show_bar
        self._window: dict[str, deque[float]] = {}
        self._window_size = max(1, window)
        self._pending: list[_Step] = []
        self._names: tuple[str, ...] = ()
        self._reader_costs: list[float] = []
        self._batch_costs: list[float] = []
        self._samples: list[int] = []
        self._run_seconds = 0.0
        self._ended = self._arrived = time.perf_counter()
        self._batch_samples = 0
        self._run_steps = 0
        self._bar: Any = None
        self._drawn_at = 0.0
        self._unwritable: set[str] = set()
        self.rows: list[dict[str, Any]] = []

    def start(self, global_step: int) -> None:
        """Begin, or go on after ``global_step``: rows of metrics.csv behind it belong to work that was lost."""
        if self.save_dir is None:
            return
        self.save_dir.mkdir(parents=True, exist_ok=True)
        file = self.save_dir / "metrics.csv"
        if global_step and file.is_file():
            with file.open(newline="", encoding="utf-8") as handle:
                self.rows = [row for row in csv.DictReader(handle) if _step_of(row) <= global_step]
        temporary = file.with_name("metrics.csv.tmp")
        with temporary.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, COLUMNS)
            writer.writeheader()
            writer.writerows({column: row.get(column, "") for column in COLUMNS} for row in self.rows)
        temporary.replace(file)

    def watch(self, groups: Iterator[list[Batch]], epoch: int, first: int) -> Iterator[list[Batch]]:
        """Pass the steps of an epoch on, with a progress bar; tells at the end where the reader's time went."""
        with tqdm(
            total=self.steps_per_epoch,
            initial=first,
            desc=f"epoch {epoch}/{self.epochs}",
            unit="step",
            dynamic_ncols=True,
            leave=False,
            disable=self.disable_bar,
        ) as self._bar:
            self._ended = time.perf_counter()
            reading, before = StageMeter(), self._run_seconds
            try:
                for batches in groups:
                    self._arrived = time.perf_counter()
                    self._batch_samples = sum(map(len, batches))
                    for batch in batches:
                        reading.add(batch)
                    yield batches
                    self._bar.update()
            finally:
                told = reading.describe(self._run_seconds - before)
                if told:
                    self.logger.info(told)
        self._bar = None

    def record(
        self,
        epoch: int,
        global_step: int,
        lr: float,
        terms: Mapping[str, paddle.Tensor],
        sources: Sequence[str],
    ) -> None:
        """Keep the terms of a step (on the device, no copy); print when it is time.

        Raises:
            NonFiniteLoss: see flush.
        """
        now = time.perf_counter()
        self._reader_costs.append(self._arrived - self._ended)
        self._batch_costs.append(now - self._ended)
        self._samples.append(self._batch_samples)
        self._run_seconds += now - self._ended
        self._run_steps += 1
        self._ended = now
        self._names = tuple(terms)
        values = paddle.stack([term.detach().mean() for term in terms.values()])
        self._pending.append(_Step(global_step, values, tuple(sources)))
        in_epoch = (global_step - 1) % self.steps_per_epoch + 1
        if global_step % self.print_every == 0 or in_epoch == self.steps_per_epoch:
            self.flush()
            self._print(epoch, global_step, lr)

    def exclude(self, seconds: float) -> None:
        """Leave the time of an evaluation out of the cost of the step that comes next."""
        self._ended += seconds

    def flush(self) -> None:
        """Fetch the terms kept on the device, averaged over the ranks, in one copy.

        Raises:
            NonFiniteLoss: if one of them is not finite, naming the step, the terms and the pictures.
        """
        if not self._pending:
            return
        own = paddle.stack([step.terms for step in self._pending])
        table = mean(self.ranks, own).numpy()
        pending, self._pending = self._pending, []
        for step, values in zip(pending, table.tolist(), strict=False):
            terms = dict(zip(self._names, values, strict=False))
            if not all(map(math.isfinite, values)) and self.precision is None:
                raise NonFiniteLoss(self._blame(step, terms))
            for name, value in terms.items():
                if math.isfinite(value):
                    self._window.setdefault(name, deque(maxlen=self._window_size)).append(value)

    def _blame(self, step: _Step, terms: Mapping[str, float]) -> str:
        shown = ", ".join(f"{name}: {value}" for name, value in terms.items())
        sources = [source for rank in self.ranks.gather(step.sources, "the pictures of a step") for source in rank]
        return (
            f"step {step.number}: the loss is not finite ({shown}). Pictures of this step: {', '.join(sources)}. "
            "Lower Optimizer.lr, set Optimizer.clip_norm_global, or look at these pictures and their labels; no "
            "checkpoint was written after this step"
        )

    def _print(self, epoch: int, global_step: int, lr: float) -> None:
        medians = {name: statistics.median(values) for name, values in self._window.items()}
        count = max(1, len(self._batch_costs))
        reader, batch = sum(self._reader_costs) / count, sum(self._batch_costs) / count
        samples = sum(self._samples) / count
        left = self.epochs * self.steps_per_epoch - global_step
        eta = datetime.timedelta(seconds=int(left * self._run_seconds / max(1, self._run_steps)))
        shown = ", ".join(f"{name}: {value:.6f}" for name, value in medians.items())
        scaling = ""
        if self.precision is not None:
            scaling = f", loss_scale: {self.precision.scale:g}, skipped_steps: {self.precision.skipped}"
        self.logger.info(
            f"epoch: [{epoch}/{self.epochs}], global_step: {global_step}, lr: {lr:.6f}, {shown}, "
            f"avg_reader_cost: {reader:.5f} s, avg_batch_cost: {batch:.5f} s, avg_samples: {samples:.1f}, "
            f"ips: {samples / batch if batch else 0.0:.5f} samples/s, eta: {eta}{scaling}"
        )
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{medians.get('loss', math.nan):.3f}", lr=f"{lr:.1e}")
        self._reader_costs, self._batch_costs, self._samples = [], [], []
        self._write({"global_step": global_step, "epoch": epoch, "lr": lr, **medians}, "TRAIN")

    def record_evaluation(self, epoch: int, global_step: int, summary: Mapping[str, float]) -> None:
        """Keep the figures of an evaluation and draw the curves."""
        row = {name: summary[name] for name in ("precision", "recall", "hmean")}
        self._write({"global_step": global_step, "epoch": epoch, **row}, "EVAL")
        self.draw()

    def _write(self, row: dict[str, Any], group: str) -> None:
        if self.save_dir is not None:
            self.rows.append(row)
            file = self.save_dir / "metrics.csv"
            with self._may_fail("metrics.csv"), file.open("a", newline="", encoding="utf-8") as handle:
                csv.DictWriter(handle, COLUMNS).writerow({column: row.get(column, "") for column in COLUMNS})
        if self.scalars is not None:
            for name, value in row.items():
                if name not in ("global_step", "epoch"):
                    self.scalars.add_scalar(f"{group}/{name}", float(value), row["global_step"])

    def draw(self, at_once: bool = False) -> None:
        """Draw curves.png, unless that was done a moment ago."""
        if self.save_dir is None or not self.rows:
            return
        if at_once or time.monotonic() - self._drawn_at > CURVES_INTERVAL:
            with self._may_fail("curves.png"):
                draw_curves(self.rows, self.save_dir / "curves.png", str(self.save_dir))
            self._drawn_at = time.monotonic()

    @contextlib.contextmanager
    def _may_fail(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # a full disk: the run is worth more than its figures
            if name not in self._unwritable:
                self._unwritable.add(name)
                self.logger.warning(f"{self.save_dir}/{name}: cannot be written ({error.strerror}); the run goes on")


def _step_of(row: Mapping[str, Any]) -> float:
    with contextlib.suppress(TypeError, ValueError, KeyError):
        return float(row["global_step"])
    return math.inf  # a line cut short by a kill


def open_scalars(directory: Path) -> Any:
    """Open a VisualDL writer, or a TensorBoard one where only that is installed.

    Raises:
        ModuleNotFoundError: if neither is installed; the message says which command cures it.
    """
    with contextlib.suppress(ModuleNotFoundError):
        from visualdl import LogWriter

        return LogWriter(logdir=str(directory))
    with contextlib.suppress(ModuleNotFoundError):
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(directory))
    raise ModuleNotFoundError(
        "Global.use_visualdl is true, but neither visualdl nor tensorboardX is installed: "
        "pip install visualdl (or: pip install tensorboardX)"
    )
