"""Mixed precision behind one `forward` context and one `step`; off and on take the same path."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import paddle


class LossScaleCollapse(RuntimeError):
    """Every step overflows, whatever the scale of the loss: training would go on without learning."""


class Precision:
    """How a forward pass is cast and how its loss is scaled.

    Paddle's CPU kernels have no mixed precision, so on a CPU this is off whatever was asked for;
    ``notice`` then says so.

    Args:
        device: as ``paddle.device.get_device()`` names it.
        use_amp: ask for mixed precision.
        amp_level: ``O1`` casts operations from a list, ``O2`` the whole network.
        amp_dtype: ``float16`` or ``bfloat16``; only float16 needs loss scaling.
        scale_loss: first scale of the loss.
        use_dynamic_loss_scaling: change the scale as overflows come and stay away; otherwise it stays as it is.
        custom_black_list: operations that stay in float32.
        custom_white_list: operations that are always cast.
        incr_every_n_steps: multiply the scale by ``incr_ratio`` after so many good steps in a row.
        incr_ratio: above 1.
        decr_every_n_nan_or_inf: multiply the scale by ``decr_ratio`` after so many overflows in a row.
        decr_ratio: above 0, below 1.
        max_skipped_steps: overflows in a row that are taken for a collapse.

    Attributes:
        skipped: steps skipped because of an overflow, in all.
        skipped_in_a_row: up to now.
        frozen: float32 values of parameters that are not trained, by tensor name, once O2 has cast them.

    Raises:
        ValueError: for a value outside those named.
    """

    def __init__(
        self,
        device: str,
        use_amp: bool = False,
        amp_level: str = "O1",
        amp_dtype: str = "float16",
        scale_loss: float = 1.0,
        use_dynamic_loss_scaling: bool = False,
        custom_black_list: Sequence[str] | None = None,
        custom_white_list: Sequence[str] | None = None,
        incr_every_n_steps: int = 2000,
        incr_ratio: float = 2.0,
        decr_every_n_nan_or_inf: int = 1,
        decr_ratio: float = 0.5,
        max_skipped_steps: int = 30,
    ) -> None:
        if amp_level not in ("O1", "O2"):
            raise ValueError(f"Global.amp_level is {amp_level!r}, expected O1 or O2")
        if amp_dtype not in ("float16", "bfloat16"):
            raise ValueError(f"Global.amp_dtype is {amp_dtype!r}, expected float16 or bfloat16")
        self.enabled = use_amp and not device.startswith("cpu")
        self.notice = (
            f"mixed precision is off: device {device} has none (Global.use_amp is ignored)"
            if use_amp and not self.enabled
            else ""
        )
        self.level = amp_level
        self.dtype = amp_dtype
        self.black_list = custom_black_list
        self.white_list = custom_white_list
        self.max_skipped_steps = max_skipped_steps
        self.skipped = 0
        self.skipped_in_a_row = 0
        self._prepared = False
        self.frozen: dict[str, paddle.Tensor] = {}
        self.scaler = paddle.amp.GradScaler(
            enable=self.enabled and amp_dtype == "float16",
            init_loss_scaling=float(scale_loss),
            incr_ratio=incr_ratio,
            decr_ratio=decr_ratio,
            incr_every_n_steps=incr_every_n_steps,
            decr_every_n_nan_or_inf=decr_every_n_nan_or_inf,
            use_dynamic_loss_scaling=use_dynamic_loss_scaling,
        )

    @property
    def tolerates_overflow(self) -> bool:
        """Whether a step with gradients that are not finite is skipped rather than taken."""
        return self.enabled and self.dtype == "float16"

    @property
    def scale(self) -> float:
        """Present scale of the loss; 1 when there is none. Waits for the device."""
        return float(self.scaler.state_dict()["scale"].item()) if self.tolerates_overflow else 1.0

    def prepare(self, model: paddle.nn.Layer, optimizer: Any) -> None:
        """Cast the network for O2 in place, with float32 master weights; call it after the weights are loaded.

        A second call has no effect.
        """
        if self.enabled and self.level == "O2" and not self._prepared:
            self._prepared = True
            untrained = [(p, p.detach().clone()) for p in model.parameters() if p.stop_gradient]
            paddle.amp.decorate(models=model, optimizers=optimizer, level="O2", dtype=self.dtype, master_weight=True)
            # the optimizer keeps master copies of what it trains only
            self.frozen = {p.name: value for p, value in untrained if p.dtype != value.dtype}

    def forward(self) -> AbstractContextManager[Any]:
        """Context for the forward pass; compute the loss outside of it, in float32."""
        return paddle.amp.auto_cast(
            enable=self.enabled,
            custom_black_list=self.black_list,
            custom_white_list=self.white_list,
            level=self.level,
            dtype=self.dtype,
        )

    def evaluation(self) -> AbstractContextManager[Any]:
        """Context for evaluation: float32, but for a network that O2 has cast."""
        return self.forward() if self.enabled and self.level == "O2" else contextlib.nullcontext()

    def step(self, loss: paddle.Tensor, optimizer: Any, update: bool = True) -> None:
        """Backward pass, optimizer step (skipped on overflow), gradients cleared.

        Args:
            loss: float32 scalar.
            optimizer: updated in place.
            update: False only adds the gradients to those that are there, for a later call to step with.

        Raises:
            LossScaleCollapse: after ``max_skipped_steps`` overflows in a row.
        """
        if not self.tolerates_overflow:
            loss.backward()
            if update:
                optimizer.step()
                optimizer.clear_grad()
            return
        self.scaler.scale(loss).backward()
        if update:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints at each overflow; the log counts them
                self.scaler.step(optimizer)
                overflow = bool(self.scaler._cache_found_inf)  # Paddle has no public name for it
                self.scaler.update()
            optimizer.clear_grad()
            self._count(overflow)

    def _count(self, overflow: bool) -> None:
        if not overflow:
            self.skipped_in_a_row = 0
            return
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= self.max_skipped_steps:
            raise LossScaleCollapse(
                f"the gradients overflowed {self.skipped_in_a_row} times in a row and the scale of the loss fell to "
                f"{self.scale:g}: nothing is learned any more. The forward pass itself is probably not finite in "
                f"{self.dtype}: lower Optimizer.lr, set Optimizer.clip_norm_global, try Global.amp_dtype=bfloat16 or "
                "Global.amp_level=O1, or train without Global.use_amp; then resume from `latest`, which is from before"
            )

    def state_dict(self) -> dict[str, Any]:
        """State of the loss scaler and the count of skipped steps; empty when there is no scaler."""
        if not self.tolerates_overflow:
            return {}
        counts = {"skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row}
        return {**self.scaler.state_dict(), **counts}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with a saved loss scaler; its knobs are those of this run, not those of the file."""
        if not state or not self.tolerates_overflow:
            return
        kept = {key: state[key] for key in ("scale", "incr_count", "decr_count")}
        self.scaler.load_state_dict({**self.scaler.state_dict(), **kept})
        self.skipped = int(state.get("skipped", 0))
        self.skipped_in_a_row = int(state.get("skipped_in_a_row", 0))


def float32_state(
    network: paddle.nn.Layer, optimizer: Any, frozen: Mapping[str, paddle.Tensor] | None = None
) -> dict[str, paddle.Tensor]:
    """Collect a network's state in float32: for weights that O2 has cast, the values before it.

    Args:
        network: as it is trained.
        optimizer: has the master copies of the weights that it trains.
        frozen: ``Precision.frozen``, those of the weights that it does not.

    Returns:
        Tensors by state-dict name; those that are float32 already are not copied.
    """
    masters = {**(frozen or {}), **optimizer.state_dict().get("master_weights", {})}
    state = {}
    for name, tensor in network.state_dict().items():
        master = masters.get(tensor.name)
        if master is not None:
            state[name] = master
        else:
            state[name] = tensor.astype("float32") if tensor.is_floating_point() else tensor
    return state
