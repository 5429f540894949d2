"""A PSENet layer as what the predictor runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import paddle


class PaddleNetwork:
    """A PSENet layer as a Network; evaluation mode while it runs, the former mode afterwards."""

    name = "paddle"
    lanes = 0  # devices and gradients are set thread by thread

    def __init__(self, model: paddle.nn.Layer) -> None:
        self.model = model

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        training = self.model.training
        self.model.eval()
        try:
            with paddle.no_grad():
                return self.model(paddle.to_tensor(images))["maps"].astype("float32").numpy()
        finally:
            if training:
                self.model.train()
