"""The training loop: step, log, evaluate, keep the best, save, stop in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import paddle

from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.engine.checkpoint import remove_old, save_checkpoint
from ppocr_pse.engine.collectives import ALONE
from ppocr_pse.engine.evaluator import Evaluation, EvaluationStopped
from ppocr_pse.engine.plan import Plan
from ppocr_pse.engine.progress import Progress
from ppocr_pse.engine.ranks import RankWatch
from ppocr_pse.engine.run_state import Position, RunState, seed_step
from ppocr_pse.engine.stopping import StopRequest
from ppocr_pse.types import Batch


class Trainer:
    """Trains a network.

    Args:
        loss: (outputs, [image, text, kernels, mask]) -> terms by name, ``loss`` among them.
        schedule: learning rate, stepped once an optimizer step.
        state: network, optimizer, precision and position; what checkpoints hold.
        loader: batches of an epoch.
        evaluate: scores the network as it stands, or None.
        save_dir: for checkpoints.
        plan: when to do what.
        progress: log, curves.
        logger: of the run.
        stop: asked after every step whether to end before the plan is done.
        ranks: the processes that train together.
        frozen_norms: normalisation layers that keep their running statistics.
        wrap: makes the network one of several that train together; applied once its weights are in place.
    """

    def __init__(
        self,
        loss: paddle.nn.Layer,
        schedule: Any,
        state: RunState,
        loader: TrainLoader,
        evaluate: Callable[[], Evaluation] | None,
        save_dir: Path,
        plan: Plan,
        progress: Progress,
        logger: logging.Logger,
        stop: StopRequest | None = None,
        ranks: RankWatch = ALONE,
        frozen_norms: Sequence[paddle.nn.Layer] = (),
        wrap: Callable[[paddle.nn.Layer], paddle.nn.Layer] = lambda network: network,
    ) -> None:
        self.model = state.network
        self.loss = loss
        self.schedule = schedule
        self.state = state
        self.loader = loader
        self.evaluate = evaluate
        self.save_dir = save_dir
        self.plan = plan
        self.progress = progress
        self.logger = logger
        self.stop = stop or StopRequest()
        self.ranks = ranks
        self.frozen_norms = tuple(frozen_norms)
        self._wrap = wrap
        self._told: set[str] = set()  # faulty pictures that have been named
        self.stopped = ""
        self.faults: dict[str, str] = {}

    @property
    def at(self) -> Position:
        """How far the run is."""
        return self.state.at

    def fit(self) -> str:
        """Train from the present position to the end of the plan.

        Returns:
            "" when the plan is done, or what asked to stop before (see StopRequest); ``latest`` is written then.

        Raises:
            NonFiniteLoss: if the loss is no longer a number; the last checkpoint is from before.
            LossScaleCollapse: if mixed precision overflows at every step.
            CheckpointError: if a checkpoint cannot be written.
        """
        self.state.precision.prepare(self.state.network, self.state.optimizer)
        self.model = self._wrap(self.state.network)
        self.progress.start(self.at.global_step)
        if self.at.evaluation_missing:
            self.evaluate_and_keep_best()
            self._stops_here()
        while not self._finished():
            self._train_mode()
            groups = in_groups(self.loader(self.at.epoch, self.at.iteration), self.plan.accumulate_steps)
            first = self.at.iteration // self.plan.accumulate_steps
            for batches in self.progress.watch(groups, self.at.epoch, first):
                lr = float(self.state.optimizer.get_lr())
                terms = self.train_step(batches)
                self._advance(len(batches))
                if terms:
                    sources = [source for batch in batches for source in batch.sources]
                    self.progress.record(self.at.epoch, self.at.global_step, lr, terms, sources)
                if self.plan.evaluation_due(self.at.global_step):
                    self.evaluate_and_keep_best()
                if self._stops_here():
                    break
                if self.plan.latest_due(self.at.global_step):
                    self.save("latest")
            self._end_epoch()
        self.progress.draw(at_once=True)
        return self.stopped

    def train_step(self, batches: Sequence[Batch]) -> Mapping[str, paddle.Tensor]:
        """Forward, loss and backward of each batch, then one optimizer step.

        Returns:
            The loss terms of the last batch, still on the device; nothing when the step was left out because no
            picture could be used.
        """
        self.ranks.at(f"training, step {self.at.global_step + 1}")
        self._note_faults(batches)
        usable = [batch for batch in batches if len(batch)]
        if not usable and self.ranks.world_size == 1:
            return {}
        seed_step(self.plan.seed, self.ranks.rank, self.at.global_step)
        # the other ranks wait for the gradients of this one, even when all its pictures are broken
        parts = usable or [self.loader.blank()]
        samples = sum(len(batch) for batch in usable)
        for batch in parts[:-1]:
            with self._gradients_kept_here():
                self._step(batch, samples, update=False)
        terms = self._step(parts[-1], samples, update=True)
        self.schedule.step()
        if self.state.average is not None:
            self.state.average.update()
        return terms

    def _step(self, batch: Batch, samples: int, update: bool) -> Mapping[str, paddle.Tensor]:
        with self.state.precision.forward():
            outputs = self.model(batch.image)
        terms = self.loss(outputs, [batch.image, batch.text, batch.kernels, batch.mask])
        share = len(batch) / samples if self.plan.loss_is_mean and samples else float(samples > 0)
        loss = terms["loss"].sum()
        self.state.precision.step(loss if share == 1.0 else loss * share, self.state.optimizer, update)
        return terms

    def _gradients_kept_here(self) -> AbstractContextManager[Any]:
        return self.model.no_sync() if isinstance(self.model, paddle.DataParallel) else nullcontext()

    def _train_mode(self) -> None:
        self.model.train()
        for layer in self.frozen_norms:
            layer.eval()

    def evaluate_and_keep_best(self) -> None:
        """Score the weights, and their average when there is one; keep the best so far as ``best_accuracy``."""
        if self.evaluate is None:
            return
        started = time.perf_counter()
        self.progress.flush()
        figures: dict[str, float] = {}
        try:
            if self.state.average is None or self.plan.evaluate_raw:
                figures = self._score(averaged=False)
            if self.state.average is not None:
                with self.state.average.applied():
                    figures = self._score(averaged=True)
        except EvaluationStopped:
            self.logger.warning(f"step {self.at.global_step}: the evaluation is cut short, a resumed run repeats it")
            self.at.evaluation_missing = True
            return
        finally:
            self._train_mode()
            self.progress.exclude(time.perf_counter() - started)
        self.at.evaluated_at, self.at.evaluation_missing = self.at.global_step, False
        self.progress.record_evaluation(self.at.epoch_of_step, self.at.global_step, figures)
        self.logger.info(f"best metric, {_shown(self.at.best)}")
        self.state.patience.record(self.at.best[self.plan.main_indicator])

    def _score(self, averaged: bool) -> dict[str, float]:
        assert self.evaluate is not None
        with self.state.precision.evaluation():
            result = self.evaluate()
        figures = {key: getattr(result, key) for key in ("precision", "recall", "hmean", "fps")}
        raw = self.state.average is not None and not averaged
        self.logger.info(f"cur metric{' of the weights before averaging' if raw else ''}, {_shown(figures)}")
        self.logger.info(result.describe_time())
        for fault in result.faults:
            self.logger.warning(f"evaluation: {fault} (its texts count as missed)")
        key = self.plan.main_indicator
        if figures[key] >= self.at.best.get(key, 0.0):
            order = dict.fromkeys(("hmean", "precision", "recall", "fps"))
            self.at.best = {**order, **figures, "best_epoch": self.at.epoch_of_step, "start_epoch": 1}
            self.save("best_accuracy", averaged)
        return figures

    def save(self, name: str, averaged: bool = False) -> None:
        """Write a checkpoint ``save_dir/NAME`` that training can go on from; rank 0 writes, the others wait for it.

        Args:
            name: of the checkpoint.
            averaged: whether its weights are the averaged ones.
        """
        self.progress.flush()  # a loss that is not finite must be found before its weights are kept
        self.ranks.at(f"saving {name}")
        if self.ranks.rank == 0:
            save_checkpoint(self.save_dir / name, self.state.capture(averaged))
        self.ranks.barrier(f"rank 0 to write the checkpoint {name}")

    def resume(self, path: str) -> None:
        """Go on from a checkpoint, ours or PaddleOCR's.

        Raises:
            CheckpointError: if it does not fit this network or optimizer.
        """
        self.state.restore(path, self.logger)

    def _advance(self, batches: int) -> None:
        self.at.iteration += batches
        self.at.global_step += 1

    def _note_faults(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self.faults.update(dict(batch.faults))

    def _stops_here(self) -> bool:
        # after an evaluation that was cut short every rank knows that it is to stop
        self.stopped = self.stop.agreed(self.at.global_step, at_once=self.at.evaluation_missing)
        return self._finished()

    def _finished(self) -> bool:
        done = self.at.epoch > self.plan.epochs or self.plan.step_limit(self.at.global_step)
        return done or bool(self.stopped) or self.state.patience.exhausted

    def _end_epoch(self) -> None:
        self._tell_faults()
        finished = self.at.epoch
        complete = self.at.iteration >= len(self.loader)
        due = (complete and self.plan.epoch_evaluation_due(finished)) or self.plan.step_limit(self.at.global_step)
        if due and self.at.evaluated_at != self.at.global_step:
            if self.stopped:
                self.at.evaluation_missing = self.evaluate is not None
            else:
                self.evaluate_and_keep_best()
                self._stops_here()
        if complete:
            self.at.epoch, self.at.iteration = finished + 1, 0
        self.save("latest")
        if complete and self.plan.keep_due(finished):
            self._keep_epoch(finished)
        if self.state.patience.exhausted:
            self.logger.info(f"no better {self.plan.main_indicator} in {self.state.patience.without} evaluations: stop")

    def _tell_faults(self) -> None:
        gathered = self.ranks.gather(self.faults, "training: the names of broken pictures")
        faults = {path: message for rank in gathered for path, message in rank.items()}
        if faults:
            fresh = {path: message for path, message in faults.items() if path not in self._told}
            known = f", {len(faults) - len(fresh)} of them named before" if len(fresh) < len(faults) else ""
            total = len(self.loader.dataset)
            self.logger.warning(f"epoch {self.at.epoch}: {len(faults)} of {total} pictures could not be used{known}")
            for message in fresh.values():
                self.logger.warning(message)
            self._told.update(fresh)
        self.faults = {}

    def _keep_epoch(self, epoch: int) -> None:
        started = time.perf_counter()
        self.save(f"iter_epoch_{epoch}")
        if self.plan.keep_last and self.ranks.rank == 0:
            remove_old(self.save_dir, self.plan.keep_last)
        self.logger.info(f"saved iter_epoch_{epoch} in {time.perf_counter() - started:.1f} s")


def in_groups(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Put consecutive batches together; the last group may be smaller."""
    while group := list(islice(batches, size)):
        yield group


def _shown(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in figures.items())
