"""ResNet-vd: deep stem of three 3x3 convolutions, average-pooled shortcuts (He et al., 2019, ResNet-D).

Attribute names are the state-dict contract with PaddleOCR and PaddleClas weights.
"""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (64, 128, 256, 512)


class ConvBN(nn.Layer):
    """Convolution without bias, then batch normalisation; same padding."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        self._conv = nn.Conv2D(
            in_channels, out_channels, kernel_size, stride, padding=(kernel_size - 1) // 2, bias_attr=False
        )
        self._batch_norm = nn.BatchNorm2D(out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H/stride, W/stride)."""
        return self._batch_norm(self._conv(x))


class Shortcut(ConvBN):
    """1x1 projection; where the block strides, 2x2 average pooling does it (the `d` of ResNet-D)."""

    def __init__(self, in_channels: int, out_channels: int, pooled: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1)
        self.pooled = pooled

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, out_channels, H/2, W/2), or of unchanged size when not pooled."""
        if self.pooled:
            x = F.avg_pool2d(x, kernel_size=2, stride=2, padding=0, ceil_mode=True)
        return self._batch_norm(self._conv(x))  # written out: Paddle 2.6 cannot export super()


class Bottleneck(nn.Layer):
    """1x1, 3x3, 1x1 convolutions with four times wider output (layers >= 50)."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, project: bool, pooled: bool) -> None:
        super().__init__()
        self.conv0 = ConvBN(in_channels, width, 1)
        self.conv1 = ConvBN(width, width, 3, stride)
        self.conv2 = ConvBN(width, width * self.expansion, 1)
        self.short = Shortcut(in_channels, width * self.expansion, pooled) if project else None

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, 4 * width, H/stride, W/stride)."""
        y = self.conv2(F.relu(self.conv1(F.relu(self.conv0(x)))))
        return F.relu((x if self.short is None else self.short(x)) + y)


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions (layers < 50)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, project: bool, pooled: bool) -> None:
        super().__init__()
        self.conv0 = ConvBN(in_channels, width, 3, stride)
        self.conv1 = ConvBN(width, width, 3)
        self.short = Shortcut(in_channels, width, pooled) if project else None

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, width, H/stride, W/stride)."""
        y = self.conv1(F.relu(self.conv0(x)))
        return F.relu((x if self.short is None else self.short(x)) + y)


class ResNetVd(nn.Layer):
    """ResNet-vd without its classifier.

    Args:
        layers: 18, 34, 50, 101 or 152.
        in_channels: channels of the picture.

    Attributes:
        out_channels: channels of c2, c3, c4, c5.

    Raises:
        ValueError: for another number of layers.
    """

    def __init__(self, layers: int = 50, in_channels: int = 3) -> None:
        super().__init__()
        if layers not in BLOCKS:
            raise ValueError(f"ResNet_vd: layers is {layers!r}, expected one of {sorted(BLOCKS)}")
        block_type = Bottleneck if layers >= 50 else BasicBlock
        self.conv1_1 = ConvBN(in_channels, 32, 3, stride=2)
        self.conv1_2 = ConvBN(32, 32, 3)
        self.conv1_3 = ConvBN(32, 64, 3)
        self.stages: list[list[nn.Layer]] = []
        self.out_channels: list[int] = []
        channels = 64
        for stage, (depth, width) in enumerate(zip(BLOCKS[layers], WIDTHS, strict=False)):
            blocks = []
            for i in range(depth):
                strided = i == 0 and stage > 0
                block = block_type(channels, width, stride=2 if strided else 1, project=i == 0, pooled=strided)
                blocks.append(self.add_sublayer(f"bb_{stage}_{i}", block))
                channels = width * block_type.expansion
            self.stages.append(blocks)
            self.out_channels.append(channels)

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Extract features.

        Args:
            x: float (B, in_channels, H, W).

        Returns:
            [c2, c3, c4, c5], float (B, C, H/4, W/4) ... (B, C, H/32, W/32), sizes rounded up.
        """
        x = F.relu(self.conv1_1(x))
        x = F.relu(self.conv1_2(x))
        x = F.relu(self.conv1_3(x))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        features = []
        for blocks in self.stages:
            for block in blocks:
                x = block(x)
            features.append(x)
        return features
