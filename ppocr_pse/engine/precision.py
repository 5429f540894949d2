"""Mixed precision behind one `forward` context and one `step`; off and on take the same path."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import paddle


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
        use_dynamic_loss_scaling: halve the scale on overflow, double it after a thousand good steps.
        custom_black_list: operations that stay in float32.
        custom_white_list: operations that are always cast.

    Raises:
        ValueError: for another level or dtype.
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
        self.scaler = paddle.amp.GradScaler(
            enable=self.enabled and amp_dtype == "float16",
            init_loss_scaling=float(scale_loss),
            use_dynamic_loss_scaling=use_dynamic_loss_scaling,
        )

    @property
    def tolerates_overflow(self) -> bool:
        """Whether a step with gradients that are not finite is skipped rather than taken."""
        return self.enabled and self.dtype == "float16"

    def prepare(self, model: paddle.nn.Layer, optimizer: Any) -> None:
        """Cast the network for O2 in place, with float32 master weights; call it after the weights are loaded."""
        if self.enabled and self.level == "O2":
            paddle.amp.decorate(models=model, optimizers=optimizer, level="O2", dtype=self.dtype, master_weight=True)

    def forward(self) -> AbstractContextManager[Any]:
        """Context for the forward pass; compute the loss outside of it, in float32."""
        return paddle.amp.auto_cast(
            enable=self.enabled,
            custom_black_list=self.black_list,
            custom_white_list=self.white_list,
            level=self.level,
            dtype=self.dtype,
        )

    def step(self, loss: paddle.Tensor, optimizer: Any) -> None:
        """Backward pass, optimizer step (skipped on overflow), gradients cleared.

        Args:
            loss: float32 scalar.
            optimizer: updated in place.
        """
        if self.tolerates_overflow:
            self.scaler.scale(loss).backward()
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            loss.backward()
            optimizer.step()
        optimizer.clear_grad()

    def state_dict(self) -> dict[str, Any]:
        """State of the loss scaler; empty when there is none."""
        return self.scaler.state_dict() if self.tolerates_overflow else {}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with a saved loss scaler."""
        if state and self.tolerates_overflow:
            self.scaler.load_state_dict(state)
