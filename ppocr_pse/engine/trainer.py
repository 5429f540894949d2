"""The training loop: step, log, evaluate, keep the best, save, resume."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paddle

from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.engine.checkpoint import Checkpoint, load_checkpoint, remove_old, save_checkpoint
from ppocr_pse.engine.evaluator import Evaluation
from ppocr_pse.engine.optim import WeightAverage
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.progress import Progress
from ppocr_pse.engine.weights import load_into, load_optimizer
from ppocr_pse.types import Batch


@dataclass(frozen=True)
class Plan:
    """When the loop does what.

    Attributes:
        epochs: the loop runs epochs 1 to this one.
        eval_start: evaluate only after this step.
        eval_every: evaluate every so many steps from there; 0 never.
        eval_every_epochs: evaluate after every so many epochs; 0 never.
        save_every_epochs: keep ``iter_epoch_N`` every so many epochs.
        keep_last: how many ``iter_epoch_N`` to keep; 0 all.
        max_steps: stop after this step; 0 at the end of the last epoch.
        main_indicator: figure that chooses the best model.
    """

    epochs: int
    eval_start: int = 0
    eval_every: int = 0
    eval_every_epochs: int = 0
    save_every_epochs: int = 1
    keep_last: int = 0
    max_steps: int = 0
    main_indicator: str = "hmean"


@dataclass
class Position:
    """How far a run is.

    Attributes:
        epoch: the epoch at work, from 1.
        iteration: batches of it that are done.
        global_step: batches done in all.
        best: figures of the best model so far, with its epoch.
    """

    epoch: int = 1
    iteration: int = 0
    global_step: int = 0
    best: dict[str, Any] = field(default_factory=dict)


class Trainer:
    """Trains a network.

    Args:
        model: network, wrapped for several processes or not.
        network: the same network unwrapped; its state is what is saved.
        loss: (outputs, [image, text, kernels, mask]) -> terms by name, ``loss`` among them.
        optimizer: knows the network's parameters.
        schedule: learning rate, stepped once an iteration.
        precision: forward context and backward step.
        loader: batches of an epoch.
        evaluate: scores the network as it stands, or None.
        save_dir: for checkpoints.
        plan: when to do what.
        progress: log, curves.
        logger: of the run.
        average: running average of the weights; evaluated and saved as best in their place when given.
        main: whether this process writes files.
    """

    def __init__(
        self,
        model: paddle.nn.Layer,
        network: paddle.nn.Layer,
        loss: paddle.nn.Layer,
        optimizer: Any,
        schedule: Any,
        precision: Precision,
        loader: TrainLoader,
        evaluate: Callable[[], Evaluation] | None,
        save_dir: Path,
        plan: Plan,
        progress: Progress,
        logger: logging.Logger,
        average: WeightAverage | None = None,
        main: bool = True,
    ) -> None:
        self.model = model
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.precision = precision
        self.loader = loader
        self.evaluate = evaluate
        self.save_dir = save_dir
        self.plan = plan
        self.progress = progress
        self.logger = logger
        self.average = average
        self.main = main
        self.at = Position()
        self.faults: dict[str, str] = {}
        self._evaluated_at = -1

    def fit(self) -> Position:
        """Train from the present position to the end of the plan.

        Returns:
            The last position, with the best figures.

        Raises:
            NonFiniteLoss: if the loss is no longer a number; the last checkpoint is from before.
            CheckpointError: if a checkpoint cannot be written.
        """
        self.precision.prepare(self.network, self.optimizer)
        self.progress.start(self.at.global_step)
        while self.at.epoch <= self.plan.epochs and not self._step_limit():
            self.model.train()
            batches = self.loader(self.at.epoch, self.at.iteration)
            for batch in self._usable(self.progress.watch(batches, self.at.epoch, self.at.iteration)):
                lr = float(self.optimizer.get_lr())
                terms = self.train_step(batch)
                self._advance()
                self.progress.record(self.at.epoch, self.at.global_step, lr, terms, batch.sources)
                if self._evaluation_due():
                    self.evaluate_and_keep_best()
                if self._step_limit():
                    break
            self._end_epoch()
        self.progress.draw(at_once=True)
        return self.at

    def train_step(self, batch: Batch) -> Mapping[str, paddle.Tensor]:
        """Forward, loss, backward, step; returns the loss terms, still on the device."""
        with self.precision.forward():
            outputs = self.model(batch.image)
        terms = self.loss(outputs, [batch.image, batch.text, batch.kernels, batch.mask])
        self.precision.step(terms["loss"].sum(), self.optimizer)
        self.schedule.step()
        if self.average is not None:
            self.average.update()
        return terms

    def evaluate_and_keep_best(self) -> None:
        """Score the (averaged) weights; keep them as ``best_accuracy`` when they are the best so far."""
        if self.evaluate is None:
            return
        started = time.perf_counter()
        self.progress.flush()
        self._evaluated_at = self.at.global_step
        weights: AbstractContextManager[None] = nullcontext() if self.average is None else self.average.applied()
        with weights:
            result = self.evaluate()
            figures = {key: getattr(result, key) for key in ("precision", "recall", "hmean", "fps")}
            self.logger.info(f"cur metric, {_shown(figures)}")
            self.logger.info(result.describe_time())
            for fault in result.faults:
                self.logger.warning(f"evaluation: {fault} (its texts count as missed)")
            key = self.plan.main_indicator
            if figures[key] >= self.at.best.get(key, 0.0):
                order = dict.fromkeys(("hmean", "precision", "recall", "fps"))
                self.at.best = {**order, **figures, "best_epoch": self.at.epoch, "start_epoch": 1}
                self.save("best_accuracy")
        self.progress.record_evaluation(self.at.epoch, self.at.global_step, figures)
        self.logger.info(f"best metric, {_shown(self.at.best)}")
        self.progress.exclude(time.perf_counter() - started)

    def save(self, name: str) -> None:
        """Write a checkpoint ``save_dir/NAME`` that training can go on from."""
        self.progress.flush()  # a loss that is not finite must be found before its weights are kept
        if not self.main:
            return
        finished = self.at.epoch - 1
        states = {
            "epoch": finished,
            "iteration": self.at.iteration,
            "global_step": self.at.global_step,
            "best_model_dict": dict(self.at.best),
            "precision": self.precision.state_dict(),
        }
        average = None if self.average is None else self.average.state_dict()
        params = {key: _plain(tensor) for key, tensor in self.network.state_dict().items()}
        save_checkpoint(self.save_dir / name, Checkpoint(params, self.optimizer.state_dict(), states, average))

    def resume(self, path: str) -> None:
        """Go on from a checkpoint, ours or PaddleOCR's.

        Raises:
            CheckpointError: if it does not fit this network or optimizer.
        """
        checkpoint = load_checkpoint(path)
        load_into(self.network, checkpoint.params, path)
        if checkpoint.optimizer:
            load_optimizer(self.optimizer, checkpoint.optimizer, f"{path}.pdopt")
        else:
            self.logger.warning(f"{path}.pdopt does not exist: the optimizer starts anew")
        if self.average is not None:
            if checkpoint.average is None:
                self.average = WeightAverage(self.network, self.average.decay)
                self.logger.warning(f"{path}.pdema does not exist: the average starts from the loaded weights")
            else:
                self.average.set_state_dict(dict(checkpoint.average))
        states = checkpoint.states
        self.precision.set_state_dict(states.get("precision", {}))
        self.at = Position(
            epoch=int(states.get("epoch", 0)) + 1,
            iteration=int(states.get("iteration", 0)),
            global_step=int(states.get("global_step", 0)),
            best=dict(states.get("best_model_dict") or {}),
        )
        self.logger.info(
            f"resumed from {path}: epoch {self.at.epoch}, batch {self.at.iteration}, "
            f"global_step {self.at.global_step}, best {_shown(self.at.best) or 'none yet'}"
        )

    def _advance(self) -> None:
        self.at.iteration += 1
        self.at.global_step += 1

    def _usable(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Keep the names of faulty pictures; a batch in which all are faulty is stepped over."""
        for batch in batches:
            self.faults.update(dict(batch.faults))
            if len(batch):
                yield batch
            else:
                self._advance()

    def _end_epoch(self) -> None:
        if self.faults:
            self.logger.warning(
                f"epoch {self.at.epoch}: {len(self.faults)} of {len(self.loader.dataset)} pictures could not be used"
            )
            for message in self.faults.values():
                self.logger.warning(message)
            self.faults = {}
        finished = self.at.epoch
        complete = self.at.iteration >= len(self.loader)
        ends = (complete and finished == self.plan.epochs) or self._step_limit()
        every = self.plan.eval_every_epochs
        if (ends or (complete and every and finished % every == 0)) and self._evaluated_at != self.at.global_step:
            self.evaluate_and_keep_best()
        if complete:
            self.at.epoch, self.at.iteration = finished + 1, 0
        self.save("latest")
        if complete and self.main and finished % max(1, self.plan.save_every_epochs) == 0:
            self._keep_epoch(finished)

    def _keep_epoch(self, epoch: int) -> None:
        started = time.perf_counter()
        self.save(f"iter_epoch_{epoch}")
        if self.plan.keep_last:
            remove_old(self.save_dir, self.plan.keep_last)
        self.logger.info(f"saved iter_epoch_{epoch} in {time.perf_counter() - started:.1f} s")

    def _evaluation_due(self) -> bool:
        step, plan = self.at.global_step, self.plan
        return plan.eval_every > 0 and step > plan.eval_start and (step - plan.eval_start) % plan.eval_every == 0

    def _step_limit(self) -> bool:
        return 0 < self.plan.max_steps <= self.at.global_step


def _plain(tensor: paddle.Tensor) -> paddle.Tensor:
    return tensor.astype("float32") if tensor.is_floating_point() else tensor


def _shown(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in figures.items())
