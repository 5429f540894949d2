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


class Variant(NamedTuple):
    """What programs do differently with the same tables."""

    gate: Callable[[paddle.Tensor], paddle.Tensor]  # of the squeeze-and-excite layers
    squeeze_divisor: int  # the width of their middle is rounded to a multiple of this
    always_expand: bool  # the 1x1 convolution at the start of a unit stands there even if it widens nothing
    padding: str  # of strided depthwise convolutions: on both sides, or at the bottom and right end only


VARIANTS = {
    "ppocr": Variant(lambda x: F.hardsigmoid(x, slope=0.2, offset=0.5), 1, True, "both"),
    "timm": Variant(lambda x: F.hardsigmoid(x, slope=1 / 6, offset=0.5), 8, False, "both"),
    "mindocr": Variant(F.sigmoid, 1, True, "end"),
}


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
        padding: str = "both",
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=(kernel_size - 1) // 2 if padding == "both" else "SAME",
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

    def __init__(self, channels: int, variant: Variant, reduction: int = 4) -> None:
        super().__init__()
        squeezed = channels // reduction
        if variant.squeeze_divisor > 1:
            squeezed = make_divisible(squeezed, variant.squeeze_divisor)
        self.conv1 = nn.Conv2D(channels, squeezed, 1)
        self.conv2 = nn.Conv2D(squeezed, channels, 1)
        self.gate = variant.gate

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return x weighted by channel, float (B, C, H, W)."""
        weight = F.relu(self.conv1(F.adaptive_avg_pool2d(x, 1)))
        return x * self.gate(self.conv2(weight))


class InvertedResidual(nn.Layer):
    """Expand 1x1, depthwise kxk, optional attention, project 1x1."""

    def __init__(
        self, in_channels: int, expanded: int, out_channels: int, unit: Unit, use_se: bool, variant: Variant
    ) -> None:
        super().__init__()
        self.shortcut = unit.stride == 1 and in_channels == out_channels
        widens = variant.always_expand or expanded != in_channels
        self.expand_conv = ConvBNAct(in_channels, expanded, 1, act=unit.act) if widens else None
        self.bottleneck_conv = ConvBNAct(
            expanded, expanded, unit.kernel, unit.stride, groups=expanded, act=unit.act, padding=variant.padding
        )
        self.mid_se = SqueezeExcite(expanded, variant) if use_se else None
        self.linear_conv = ConvBNAct(expanded, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H/stride, W/stride)."""
        y = self.bottleneck_conv(x if self.expand_conv is None else self.expand_conv(x))
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
        variant: whose MobileNetV3: ``ppocr`` (also PaddleClas'), ``timm`` or ``mindocr``; they differ in the gate of
            squeeze-and-excite (hard sigmoid of slope 0.2; of slope 1/6; sigmoid), its width (timm rounds to a
            multiple of 8), the first unit (timm's has no expanding convolution) and where strided depthwise
            convolutions pad (MindOCR's: bottom and right first).
        in_channels: channels of the picture.

    Attributes:
        out_channels: channels of c2, c3, c4, c5.

    Raises:
        ValueError: for another model_name, scale or variant.
    """

    def __init__(
        self,
        model_name: str = "large",
        scale: float = 0.5,
        disable_se: bool = False,
        variant: str = "ppocr",
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if model_name not in MODELS:
            raise ValueError(f"MobileNetV3: model_name is {model_name!r}, expected one of {sorted(MODELS)}")
        if scale not in SCALES:
            raise ValueError(f"MobileNetV3: scale is {scale!r}, expected one of {list(SCALES)}")
        if variant not in VARIANTS:
            raise ValueError(f"MobileNetV3: variant is {variant!r}, expected one of {list(VARIANTS)}")
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
            use_se = unit.se and not disable_se
            stages[-1].append(InvertedResidual(channels, expanded, out_channels, unit, use_se, VARIANTS[variant]))
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
