"""Learning-rate schedules.

They take lengths in EPOCHS, as PaddleOCR's files do, and step once an iteration; ``epochs`` and ``steps_per_epoch``
come from the training run, not from the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from paddle.optimizer import lr as schedules

Schedule = Any  # paddle.optimizer.lr.LRScheduler; Paddle ships no types


def with_warmup(schedule: Schedule, peak: float, warmup_epoch: float, steps_per_epoch: int) -> Schedule:
    """Put a linear rise from 0 to ``peak`` before a schedule."""
    steps = round(warmup_epoch * steps_per_epoch)
    if steps <= 0:
        return schedule
    return schedules.LinearWarmup(schedule, warmup_steps=steps, start_lr=0.0, end_lr=peak)


def step(
    learning_rate: float,
    step_size: float,
    gamma: float = 0.1,
    warmup_epoch: float = 0,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> Schedule:
    """Multiply by ``gamma`` every ``step_size`` epochs."""
    schedule = schedules.StepDecay(learning_rate, step_size=max(1, round(step_size * steps_per_epoch)), gamma=gamma)
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


def cosine(learning_rate: float, warmup_epoch: float = 0, *, epochs: int, steps_per_epoch: int) -> Schedule:
    """Half a cosine wave down to 0 at the end of training."""
    schedule = schedules.CosineAnnealingDecay(learning_rate, T_max=max(1, epochs * steps_per_epoch))
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


def linear(
    learning_rate: float,
    end_lr: float = 0.0,
    power: float = 1.0,
    warmup_epoch: float = 0,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> Schedule:
    """Polynomial decay to ``end_lr`` at the end of training (power 1 is linear)."""
    schedule = schedules.PolynomialDecay(
        learning_rate, decay_steps=max(1, epochs * steps_per_epoch), end_lr=end_lr, power=power
    )
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


def polynomial(
    learning_rate: float, factor: float = 0.9, end_lr: float = 0.0, *, epochs: int, steps_per_epoch: int
) -> Schedule:
    """PaddleOCR's DecayLearningRate: polynomial decay with power ``factor``."""
    return linear(learning_rate, end_lr, factor, epochs=epochs, steps_per_epoch=steps_per_epoch)


def piecewise(
    decay_epochs: Sequence[float],
    values: Sequence[float],
    warmup_epoch: float = 0,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> Schedule:
    """A constant rate between the epochs named; one more value than epochs."""
    if len(values) != len(decay_epochs) + 1:
        raise ValueError(f"Piecewise: {len(values)} values for {len(decay_epochs)} decay_epochs, expected one more")
    boundaries = [round(epoch * steps_per_epoch) for epoch in decay_epochs]
    schedule = schedules.PiecewiseDecay(boundaries, list(values))
    return with_warmup(schedule, values[0], warmup_epoch, steps_per_epoch)


def multi_step(
    learning_rate: float,
    milestones: Sequence[float],
    gamma: float = 0.1,
    warmup_epoch: float = 0,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> Schedule:
    """Multiply by ``gamma`` at each of the epochs named."""
    schedule = schedules.MultiStepDecay(learning_rate, [round(e * steps_per_epoch) for e in milestones], gamma)
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


def const(learning_rate: float, warmup_epoch: float = 0, *, epochs: int, steps_per_epoch: int) -> Schedule:
    """The same rate throughout."""
    schedule = schedules.LambdaDecay(learning_rate, lambda _: 1.0)
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


def one_cycle(
    max_lr: float,
    anneal_strategy: str = "cos",
    three_phase: bool = False,
    warmup_epoch: float = 0,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> Schedule:
    """Smith and Topin's 1cycle: max_lr / 25 up to max_lr in 30 % of the steps, then down to max_lr / 250,000."""
    schedule = schedules.OneCycleLR(
        max_lr,
        total_steps=max(2, epochs * steps_per_epoch),
        divide_factor=25.0,
        end_learning_rate=max_lr / 25.0 / 1e4,
        anneal_strategy=anneal_strategy,
        three_phase=three_phase,
    )
    return with_warmup(schedule, max_lr, warmup_epoch, steps_per_epoch)


def cyclical_cosine(
    learning_rate: float, cycle: float, warmup_epoch: float = 0, *, epochs: int, steps_per_epoch: int
) -> Schedule:
    """Half a cosine wave down to 0, begun anew every ``cycle`` epochs."""
    period = max(1, round(cycle * steps_per_epoch))
    schedule = schedules.LambdaDecay(learning_rate, lambda k: 0.5 * (1.0 + math.cos(math.pi * (k % period) / period)))
    return with_warmup(schedule, learning_rate, warmup_epoch, steps_per_epoch)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "Step": step,
    "Cosine": cosine,
    "Linear": linear,
    "DecayLearningRate": polynomial,
    "Piecewise": piecewise,
    "MultiStepDecay": multi_step,
    "Const": const,
    "OneCycle": one_cycle,
    "CyclicalCosine": cyclical_cosine,
}
