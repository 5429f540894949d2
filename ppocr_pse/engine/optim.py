"""Learning-rate schedules, optimizers and the running average of the weights.

Schedules take lengths in EPOCHS, as PaddleOCR's files do, and step once an iteration; ``epochs`` and
``steps_per_epoch`` come from the training run, not from the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paddle
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


def adam(
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    *,
    schedule: Schedule,
    parameters: Sequence[Any],
    weight_decay: Any = None,
    grad_clip: Any = None,
) -> paddle.optimizer.Optimizer:
    """Adam; weight decay is coupled (added to the gradient)."""
    return paddle.optimizer.Adam(
        schedule, beta1, beta2, epsilon, parameters=parameters, weight_decay=weight_decay, grad_clip=grad_clip
    )


def adamw(
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    one_dim_param_no_weight_decay: bool = False,
    *,
    schedule: Schedule,
    parameters: Sequence[Any],
    weight_decay: Any = None,
    grad_clip: Any = None,
) -> paddle.optimizer.Optimizer:
    """AdamW; weight decay is decoupled, optionally not on biases and normalisation weights."""
    decayed = {p.name for p in parameters if len(p.shape) > 1} if one_dim_param_no_weight_decay else None
    return paddle.optimizer.AdamW(
        schedule,
        beta1,
        beta2,
        epsilon,
        parameters=parameters,
        weight_decay=0.0 if weight_decay is None else weight_decay,
        apply_decay_param_fun=None if decayed is None else decayed.__contains__,
        grad_clip=grad_clip,
    )


def momentum(
    momentum: float = 0.9,
    *,
    schedule: Schedule,
    parameters: Sequence[Any],
    weight_decay: Any = None,
    grad_clip: Any = None,
) -> paddle.optimizer.Optimizer:
    """Stochastic gradient descent with momentum; weight decay is coupled."""
    return paddle.optimizer.Momentum(
        schedule, momentum, parameters=parameters, weight_decay=weight_decay, grad_clip=grad_clip
    )


def regularizer(name: str, factor: float = 0.0) -> Any:
    """L2 as a plain coefficient (what each optimizer makes of it is its own affair), or L1 decay."""
    if name.replace("Decay", "") == "L2":
        return float(factor)
    if name.replace("Decay", "") == "L1":
        return paddle.regularizer.L1Decay(factor)
    raise ValueError(f"regularizer: name is {name!r}, expected L1 or L2")


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
OPTIMIZERS: dict[str, Callable[..., paddle.optimizer.Optimizer]] = {
    "Adam": adam,
    "AdamW": adamw,
    "Momentum": momentum,
}


class WeightAverage:
    """Exponential moving average of all tensors of a model, running statistics included.

    Early on the average follows faster: the decay used at update n is min(decay, (1 + n) / (10 + n)).

    Args:
        model: whose state is averaged.
        decay: share of the old average that is kept at each update, 0 to below 1.
        weights: gives the state in float32 when the model itself has been cast; the model's own when None.
    """

    def __init__(
        self, model: paddle.nn.Layer, decay: float, weights: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        self.model = model
        self.decay = decay
        self._weights = weights or model.state_dict
        self.restart()

    def restart(self) -> None:
        """Begin with the present weights."""
        self.updates = 0
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    @paddle.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in self._weights().items():
            average = self.average[name]
            average.scale_(decay)
            average.add_(tensor.detach().astype(average.dtype) * (1.0 - decay))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while, then the trained ones back."""
        trained = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        _put(self.model, self.average)
        try:
            yield
        finally:
            _put(self.model, trained)

    def state_dict(self) -> dict[str, Any]:
        """Averages by tensor name, and the number of updates."""
        return {"average": self.average, "updates": self.updates}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved average."""
        self.updates = int(state["updates"])
        for name, tensor in state["average"].items():
            self.average[name].set_value(tensor)


def _put(model: paddle.nn.Layer, state: dict[str, Any]) -> None:
    for name, tensor in model.state_dict().items():
        tensor.set_value(state[name].astype(tensor.dtype))


def make_optimizer(
    factory: Callable[..., paddle.optimizer.Optimizer],
    settings: dict[str, Any],
    schedule: Schedule,
    parameters: Sequence[Any],
    weight_decay: Any = None,
    clip_norm: float | None = None,
    clip_norm_global: float | None = None,
) -> paddle.optimizer.Optimizer:
    """Put an optimizer together; clip_norm clips each gradient by itself, clip_norm_global all together."""
    clip = None
    if clip_norm is not None:
        clip = paddle.nn.ClipGradByNorm(float(clip_norm))
    elif clip_norm_global is not None:
        clip = paddle.nn.ClipGradByGlobalNorm(float(clip_norm_global))
    trainable = [parameter for parameter in parameters if not parameter.stop_gradient]
    return factory(**settings, schedule=schedule, parameters=trainable, weight_decay=weight_decay, grad_clip=clip)
