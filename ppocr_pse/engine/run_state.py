"""All that a run goes on from: what a checkpoint takes from a run and puts back into it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle

from ppocr_pse.engine.checkpoint import Checkpoint, load_checkpoint
from ppocr_pse.engine.optim import WeightAverage
from ppocr_pse.engine.precision import Precision, float32_state
from ppocr_pse.engine.stopping import Patience
from ppocr_pse.engine.weights import load_into, load_optimizer


@dataclass
class Position:
    """How far a run is.

    Attributes:
        epoch: the epoch at work, from 1.
        iteration: batches of it that are done.
        global_step: optimizer steps done in all.
        best: figures of the best model so far, with its epoch.
        evaluated_at: step of the last evaluation, or -1.
        evaluation_missing: whether an evaluation was cut short and is to be repeated.
        total_batch: samples that all ranks together take at once; what ``iteration`` counts.
    """

    epoch: int = 1
    iteration: int = 0
    global_step: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    evaluated_at: int = -1
    evaluation_missing: bool = False
    total_batch: int = 0

    @property
    def epoch_of_step(self) -> int:
        """The epoch that the last step was taken in."""
        return self.epoch if self.iteration else max(1, self.epoch - 1)


class RunState:
    """The changing parts of a run, kept together so that none is forgotten in a checkpoint.

    Random numbers are no part of it: the samples of batch k of an epoch and the random numbers of step k are drawn
    from streams that are seeded anew from (seed, epoch, index) and (seed, rank, k).

    Args:
        network: unwrapped; its state is what is saved.
        optimizer: knows the network's parameters.
        precision: has the loss scaler.
        average: running average of the weights, or None.
        patience: counts evaluations without a better figure.
        total_batch: samples that all ranks together take at once.
    """

    def __init__(
        self,
        network: paddle.nn.Layer,
        optimizer: Any,
        precision: Precision,
        average: WeightAverage | None = None,
        patience: Patience | None = None,
        total_batch: int = 0,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.precision = precision
        self.average = average
        self.patience = patience or Patience()
        self.at = Position(total_batch=total_batch)

    def capture(self, averaged: bool = False) -> Checkpoint:
        """Take a checkpoint; with ``averaged`` its weights are the averaged ones."""
        at = self.at
        states = {
            "epoch": at.epoch - 1,  # PaddleOCR's meaning: the last epoch that is finished
            "iteration": at.iteration,
            "global_step": at.global_step,
            "best_model_dict": dict(at.best),
            "evaluated_at": at.evaluated_at,
            "evaluation_missing": at.evaluation_missing,
            "total_batch": at.total_batch,
            "precision": self.precision.state_dict(),
            "patience": self.patience.state_dict(),
        }
        average = None if self.average is None else self.average.state_dict()
        if averaged and self.average is not None:
            params = self.average.average
        else:
            params = float32_state(self.network, self.optimizer, self.precision.frozen)
        return Checkpoint(params, self.optimizer.state_dict(), states, average)

    def restore(self, path: str, logger: logging.Logger) -> None:
        """Go on from a checkpoint, ours or PaddleOCR's.

        Raises:
            CheckpointError: if it does not fit this network or optimizer.
        """
        checkpoint = load_checkpoint(path)
        load_into(self.network, checkpoint.params, path)
        self.precision.prepare(self.network, self.optimizer)  # O2: the optimizer's state is that of master weights
        if checkpoint.optimizer:
            load_optimizer(self.optimizer, checkpoint.optimizer, f"{path}.pdopt")
        else:
            logger.warning(f"{path}.pdopt does not exist: the optimizer starts anew")
        if self.average is not None:
            if checkpoint.average is None:
                self.average.restart()
                logger.warning(f"{path}.pdema does not exist: the average starts from the loaded weights")
            else:
                self.average.set_state_dict(dict(checkpoint.average))
        states = checkpoint.states
        self.precision.set_state_dict(states.get("precision") or {})
        self.patience.set_state_dict(states.get("patience") or {})
        global_step = int(states.get("global_step", 0))
        self.at = Position(
            epoch=int(states.get("epoch", 0)) + 1,
            iteration=self._iteration(states, path, logger),
            global_step=global_step,
            best=dict(states.get("best_model_dict") or {}),
            evaluated_at=int(states.get("evaluated_at", global_step)),
            evaluation_missing=bool(states.get("evaluation_missing", False)),
            total_batch=self.at.total_batch,
        )
        logger.info(
            f"resumed from {path}: epoch {self.at.epoch}, batch {self.at.iteration}, global_step {global_step}, "
            f"best {', '.join(f'{name}: {value}' for name, value in self.at.best.items()) or 'none yet'}"
        )

    def _iteration(self, states: Mapping[str, Any], path: str, logger: logging.Logger) -> int:
        iteration, own = int(states.get("iteration", 0)), self.at.total_batch
        saved = int(states.get("total_batch") or own)
        if not iteration or saved == own:
            return iteration
        logger.warning(
            f"{path}: was saved with {saved} samples a batch over all ranks, now it is {own}: the run goes on at the "
            "nearest batch that is not later, so its losses are not those that it would have had"
        )
        return iteration * saved // own


def seed_step(seed: int, rank: int, global_step: int) -> None:
    """Seed Paddle's random numbers for one step, so that a resumed run draws what an unbroken one would."""
    paddle.seed(int(np.random.SeedSequence((seed, rank, global_step)).generate_state(1)[0]))
