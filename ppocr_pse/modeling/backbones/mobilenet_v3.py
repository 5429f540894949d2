"""MobileNetV3 (Howard et al., 2019), large and small, as PaddleOCR cuts it for detection.

Attribute names are the state-dict contract with PaddleOCR's weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import paddle
from paddle import nn
from paddle.nn import functional as F

SCALES = (0.35, 0.5, 0.75, 1.0, 1.25)


class Unit(NamedTuple):
    """One row of tables 1 and 2 of the paper."""

    kernel: int
    expand: int
    out: int
    se: bool
    act: str
    stride: int


LARGE = (
    Unit(3, 16, 16, False, "relu", 1),
    Unit(3, 64, 24, False, "relu", 2),
    Unit(3, 72, 24, False, "relu", 1),
    Unit(5, 72, 40, True, "relu", 2),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(3, 240, 80, False, "hardswish", 2),
    Unit(3, 200, 80, False, "hardswish", 1),
    Unit(3, 184, 80, False, "hardswish", 1),
    Unit(3, 184, 80, False, "hardswish", 1),
    Unit(3, 480, 112, True, "hardswish", 1),
    Unit(3, 672, 112, True, "hardswish", 1),
    Unit(5, 672, 160, True, "hardswish", 2),
    Unit(5, 960, 160, True, "hardswish", 1),
    Unit(5, 960, 160, True, "hardswish", 1),
)
SMALL = (
    Unit(3, 16, 16, True, "relu", 2),
    Unit(3, 72, 24, False, "relu", 2),
    Unit(3, 88, 24, False, "relu", 1),
    Unit(5, 96, 40, True, "hardswish", 2),
    Unit(5, 240, 40, True, "hardswish", 1),
    Unit(5, 240, 40, True, "hardswish", 1),
    Unit(5, 120, 48, True, "hardswish", 1),
    Unit(5, 144, 48, True, "hardswish", 1),
    Unit(5, 288, 96, True, "hardswish", 2),
    Unit(5, 576, 96, True, "hardswish", 1),
    Unit(5, 576, 96, True, "hardswish", 1),
)
# (units, channels of the last 1x1 convolution, index of the first unit that may open a new stage: the large
# model's first stride 2 unit still belongs to c2, the small model's lies at the start of it)
MODELS = {"large": (LARGE, 960, 3), "small": (SMALL, 576, 1)}

ACTIVATIONS: dict[str, Callable[[paddle.Tensor], paddle.Tensor]] = {"relu": F.relu, "hardswish": F.hardswish}


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round to the nearest multiple of ``divisor`` that is not more than 10 % below (paper's rule)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class ConvBNAct(nn.Layer):
    """Convolution without bias, batch normalisation, optional activation; same padding."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        act: str | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=(kernel_size - 1) // 2,
            groups=groups,
            bias_attr=False,
        )
        self.bn = nn.BatchNorm2D(out_channels)
        self.act = act

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H/stride, W/stride)."""
        x = self.bn(self.conv(x))
        return x if self.act is None else ACTIVATIONS[self.act](x)


class SqueezeExcite(nn.Layer):
    """Channel attention (paper, section 5.3)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(channels, channels // reduction, 1)
        self.conv2 = nn.Conv2D(channels // reduction, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return x weighted by channel, float (B, C, H, W)."""
        weight = F.relu(self.conv1(F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self.conv2(weight), slope=0.2, offset=0.5)


class InvertedResidual(nn.Layer):
    """Expand 1x1, depthwise kxk, optional attention, project 1x1."""

    def __init__(self, in_channels: int, expanded: int, out_channels: int, unit: Unit, use_se: bool) -> None:
        super().__init__()
        self.shortcut = unit.stride == 1 and in_channels == out_channels
        self.expand_conv = ConvBNAct(in_channels, expanded, 1, act=unit.act)
        self.bottleneck_conv = ConvBNAct(expanded, expanded, unit.kernel, unit.stride, groups=expanded, act=unit.act)
        self.mid_se = SqueezeExcite(expanded) if use_se else None
        self.linear_conv = ConvBNAct(expanded, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H/stride, W/stride)."""
        y = self.bottleneck_conv(self.expand_conv(x))
        if self.mid_se is not None:
            y = self.mid_se(y)
        y = self.linear_conv(y)
        return x + y if self.shortcut else y


class MobileNetV3(nn.Layer):
    """MobileNetV3 without its classifier.

    Args:
        model_name: ``large`` or ``small``.
        scale: width multiplier: 0.35, 0.5, 0.75, 1.0 or 1.25.
        disable_se: leave out the squeeze-and-excite layers.
        in_channels: channels of the picture.

    Attributes:
        out_channels: channels of c2, c3, c4, c5.

    Raises:
        ValueError: for another model_name or scale.
    """

    def __init__(
        self, model_name: str = "large", scale: float = 0.5, disable_se: bool = False, in_channels: int = 3
    ) -> None:
        super().__init__()
        if model_name not in MODELS:
            raise ValueError(f"MobileNetV3: model_name is {model_name!r}, expected one of {sorted(MODELS)}")
        if scale not in SCALES:
            raise ValueError(f"MobileNetV3: scale is {scale!r}, expected one of {list(SCALES)}")
        units, last_channels, first_stage = MODELS[model_name]
        channels = make_divisible(16 * scale)
        self.conv = ConvBNAct(in_channels, channels, 3, stride=2, act="hardswish")
        stages: list[list[nn.Layer]] = [[]]
        self.out_channels: list[int] = []
        for i, unit in enumerate(units):
            if unit.stride == 2 and i >= first_stage:
                self.out_channels.append(channels)
                stages.append([])
            out_channels = make_divisible(scale * unit.out)
            expanded = make_divisible(scale * unit.expand)
            stages[-1].append(InvertedResidual(channels, expanded, out_channels, unit, unit.se and not disable_se))
            channels = out_channels
        last = make_divisible(scale * last_channels)
        stages[-1].append(ConvBNAct(channels, last, 1, act="hardswish"))
        self.out_channels.append(last)
        self.stages = [self.add_sublayer(f"stage{i}", nn.Sequential(*stage)) for i, stage in enumerate(stages)]

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Extract features.

        Args:
            x: float (B, in_channels, H, W).

        Returns:
            [c2, c3, c4, c5], float (B, C, H/4, W/4) ... (B, C, H/32, W/32), sizes rounded up.
        """
        x = self.conv(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
