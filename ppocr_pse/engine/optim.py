"""Optimizers and the running average of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paddle

from ppocr_pse.engine.schedules import Schedule


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
        self.average = {name: tensor.detach().clone() for name, tensor in self._weights().items()}

    @paddle.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in self._weights().items():
            average = self.average[name]
            # a frozen tensor has difference 0 and so stays what it is to the last bit
            average.add_((tensor.detach().astype(average.dtype) - average) * (1.0 - decay))

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
