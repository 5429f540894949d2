"""Feature pyramid of PSENet (Wang et al., CVPR 2019, section 3.2): c2..c5 to one fused map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F


class ConvBNReLU(nn.Layer):
    """Convolution without bias, batch normalisation, ReLU; same padding.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_size: 1 or 3.
        bn_momentum: share of the OLD running statistics that is kept at each step (Paddle's sense).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bn_momentum: float) -> None:
        super().__init__()
        std = math.sqrt(2.0 / (kernel_size * kernel_size * out_channels))
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            padding=(kernel_size - 1) // 2,
            weight_attr=paddle.ParamAttr(initializer=nn.initializer.Normal(0.0, std)),
            bias_attr=False,
        )
        self.bn = nn.BatchNorm2D(out_channels, momentum=bn_momentum)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H, W)."""
        return F.relu(self.bn(self.conv(x)))


# how Paddle is asked for: the centre of pixel i of the finer map lies at (i + 1/2) * ratio - 1/2, at i * ratio, or at
# the place that puts the first and last pixels of both maps on each other
UPSAMPLES: dict[str, dict[str, Any]] = {
    "half_pixel": {"align_corners": False, "align_mode": 0},
    "asymmetric": {"align_corners": False, "align_mode": 1},
    "align_corners": {"align_corners": True},
}


def upsample_to(x: paddle.Tensor, reference: paddle.Tensor, upsample: str = "half_pixel") -> paddle.Tensor:
    """Resize bilinearly to the height and width of ``reference``, sampling as ``upsample`` (of UPSAMPLES) says.

    The size is taken from the finer map, not from a factor: stride-32 maps are rounded up, so doubling them
    does not give back an odd size, and a factor does not survive export.
    """
    return F.interpolate(x, size=reference.shape[2:], mode="bilinear", **UPSAMPLES[upsample])


class FPN(nn.Layer):
    """Top-down pyramid whose four levels are upsampled to stride 4 and concatenated.

    Args:
        in_channels: channels of c2, c3, c4, c5.
        out_channels: channels of each of p2..p5.
        bn_momentum: momentum of the batch normalisation layers in Paddle's sense
            (running = momentum * running + (1 - momentum) * batch). 0.1 is what PaddleOCR trains with.
        upsample: where bilinear resizing takes its samples: ``half_pixel`` (PaddleOCR, the authors' program on
            PyTorch >= 0.4), ``asymmetric`` (MindOCR) or ``align_corners`` (PyTorch < 0.4).

    Raises:
        ValueError: for a bn_momentum outside [0, 1) or another upsample.

    Attributes:
        out_channels: channels of the fused map, four times the argument.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        bn_momentum: float = 0.1,
        upsample: str = "half_pixel",
    ) -> None:
        super().__init__()
        if not 0.0 <= bn_momentum < 1.0:
            raise ValueError(f"FPN: bn_momentum is {bn_momentum!r}, expected a number from 0 to below 1")
        if upsample not in UPSAMPLES:
            raise ValueError(f"FPN: upsample is {upsample!r}, expected one of {list(UPSAMPLES)}")
        self.upsample = upsample
        c2, c3, c4, c5 = in_channels
        self.toplayer_ = ConvBNReLU(c5, out_channels, 1, bn_momentum)
        self.latlayer1_ = ConvBNReLU(c4, out_channels, 1, bn_momentum)
        self.latlayer2_ = ConvBNReLU(c3, out_channels, 1, bn_momentum)
        self.latlayer3_ = ConvBNReLU(c2, out_channels, 1, bn_momentum)
        self.smooth1_ = ConvBNReLU(out_channels, out_channels, 3, bn_momentum)
        self.smooth2_ = ConvBNReLU(out_channels, out_channels, 3, bn_momentum)
        self.smooth3_ = ConvBNReLU(out_channels, out_channels, 3, bn_momentum)
        self.out_channels = out_channels * 4

    def forward(self, features: Sequence[paddle.Tensor]) -> paddle.Tensor:
        """Fuse the levels.

        Args:
            features: [c2, c3, c4, c5] at strides 4, 8, 16, 32.

        Returns:
            float (B, 4 * out_channels, H/4, W/4): p2, p3, p4, p5 side by side.
        """
        c2, c3, c4, c5 = features
        p5 = self.toplayer_(c5)
        c4 = self.latlayer1_(c4)
        p4 = self.smooth1_(self._to(p5, c4) + c4)
        c3 = self.latlayer2_(c3)
        p3 = self.smooth2_(self._to(p4, c3) + c3)
        c2 = self.latlayer3_(c2)
        p2 = self.smooth3_(self._to(p3, c2) + c2)
        return paddle.concat([p2, self._to(p3, p2), self._to(p4, p2), self._to(p5, p2)], axis=1)

    def _to(self, x: paddle.Tensor, reference: paddle.Tensor) -> paddle.Tensor:
        return upsample_to(x, reference, self.upsample)
