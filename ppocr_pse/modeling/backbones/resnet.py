"""Plain ResNet (He et al., CVPR 2016): projections without pooling, a choice of stems.

Attribute names are those of torchvision, ``paddle.vision.models`` and the PSENet authors' program: ``conv1``, ``bn1``,
``layer1.0.conv1`` ... ``layer4.2.bn3``, ``layer1.0.downsample.0``; the authors' stem adds ``conv2``, ``bn2``,
``conv3``, ``bn3``. A bottleneck strides in its 3x3 convolution, as in all of these.
"""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (64, 128, 256, 512)
STEM_CHANNELS = {"conv7": 64, "deep": 128}
POOL_PADDINGS = ("both", "end")


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2D:
    """Make a convolution without bias; same padding."""
    return nn.Conv2D(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias_attr=False)


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Make the 1x1 convolution that a shortcut needs when size or width change, else None."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(conv(in_channels, out_channels, 1, stride), nn.BatchNorm2D(out_channels))


class BasicBlock(nn.Layer):
    """Two 3x3 convolutions (layers < 50)."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2D(width)
        self.downsample = projection(in_channels, width, stride)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, width, H/stride, W/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu((x if self.downsample is None else self.downsample(x)) + y)


class Bottleneck(nn.Layer):
    """1x1, 3x3, 1x1 convolutions with four times wider output (layers >= 50)."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2D(width)
        self.conv3 = conv(width, width * self.expansion, 1)
        self.bn3 = nn.BatchNorm2D(width * self.expansion)
        self.downsample = projection(in_channels, width * self.expansion, stride)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return float (B, 4 * width, H/stride, W/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu((x if self.downsample is None else self.downsample(x)) + y)


class ResNet(nn.Layer):
    """ResNet without its classifier.

    Args:
        layers: 18, 34, 50, 101 or 152.
        stem: ``conv7``: one 7x7 convolution (torchvision, timm, MindOCR, mmocr); ``deep``: three 3x3 convolutions to
            64, 64 and 128 channels (the PSENet authors' program).
        pool_padding: where the stem's 3x3 pooling pads: ``both`` sides of the map, or ``end``: bottom and right only,
            where the stride leaves something over (MindSpore's and TensorFlow's ``same``; for MindOCR's weights).
        in_channels: channels of the picture.

    Attributes:
        out_channels: channels of c2, c3, c4, c5.

    Raises:
        ValueError: for another number of layers, stem or pool_padding.
    """

    def __init__(self, layers: int = 50, stem: str = "conv7", pool_padding: str = "both", in_channels: int = 3) -> None:
        super().__init__()
        if layers not in BLOCKS:
            raise ValueError(f"ResNet: layers is {layers!r}, expected one of {sorted(BLOCKS)}")
        if stem not in STEM_CHANNELS:
            raise ValueError(f"ResNet: stem is {stem!r}, expected one of {sorted(STEM_CHANNELS)}")
        if pool_padding not in POOL_PADDINGS:
            raise ValueError(f"ResNet: pool_padding is {pool_padding!r}, expected one of {list(POOL_PADDINGS)}")
        self.deep = stem == "deep"
        self.pool_padding: int | str = 1 if pool_padding == "both" else "SAME"
        self.conv1 = conv(in_channels, 64, 3 if self.deep else 7, stride=2)
        self.bn1 = nn.BatchNorm2D(64)
        if self.deep:
            self.conv2 = conv(64, 64, 3)
            self.bn2 = nn.BatchNorm2D(64)
            self.conv3 = conv(64, 128, 3)
            self.bn3 = nn.BatchNorm2D(128)
        block_type = Bottleneck if layers >= 50 else BasicBlock
        channels = STEM_CHANNELS[stem]
        self.stages: list[nn.Layer] = []
        self.out_channels: list[int] = []
        for stage, (depth, width) in enumerate(zip(BLOCKS[layers], WIDTHS, strict=True)):
            blocks: list[nn.Layer] = []
            for i in range(depth):
                blocks.append(block_type(channels, width, stride=2 if i == 0 and stage > 0 else 1))
                channels = width * block_type.expansion
            self.stages.append(self.add_sublayer(f"layer{stage + 1}", nn.Sequential(*blocks)))
            self.out_channels.append(channels)

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Extract features.

        Args:
            x: float (B, in_channels, H, W).

        Returns:
            [c2, c3, c4, c5], float (B, C, H/4, W/4) ... (B, C, H/32, W/32), sizes rounded up.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        if self.deep:
            x = F.relu(self.bn2(self.conv2(x)))
            x = F.relu(self.bn3(self.conv3(x)))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=self.pool_padding)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
