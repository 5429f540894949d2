"""The PSE head: fused features to one text map and the kernel maps."""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F


class PSEHead(nn.Layer):
    """3x3 convolution, batch normalisation, ReLU, 1x1 convolution.

    Args:
        in_channels: channels of the fused map.
        hidden_dim: channels between the two convolutions.
        out_channels: number of maps K: channel 0 is the text map, channel K-1 the smallest kernel.
    """

    def __init__(self, in_channels: int, hidden_dim: int = 256, out_channels: int = 7) -> None:
        super().__init__()
        if out_channels < 2:
            raise ValueError(f"PSEHead: out_channels is {out_channels!r}, expected a text map and kernels (>= 2)")
        self.conv1 = nn.Conv2D(in_channels, hidden_dim, 3, padding=1)
        self.bn1 = nn.BatchNorm2D(hidden_dim)
        self.conv2 = nn.Conv2D(hidden_dim, out_channels, 1)
        self.out_channels = out_channels

    def forward(self, x: paddle.Tensor) -> dict[str, paddle.Tensor]:
        """Return {"maps": float (B, K, H/4, W/4)}, logits."""
        return {"maps": self.conv2(F.relu(self.bn1(self.conv1(x))))}
