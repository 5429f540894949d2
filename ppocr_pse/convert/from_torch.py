"""Names of PyTorch programs: the PSENet authors' (both branches), torchvision's and timm's."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.names import BN_EPSILON, Names, fold_neck_biases, mobilenet_units, substitute

BN = {"weight": "weight", "bias": "bias", "running_mean": "_mean", "running_var": "_variance"}
CLASSIFIER = "of the ImageNet classifier"
FIELD = r"(weight|bias|running_mean|running_var)"
RESNET = (
    (rf"((?:conv|bn)[123])\.{FIELD}", r"backbone.\1.\2"),
    (rf"(layer[1-4]\.\d+\.(?:(?:conv|bn)[123]|downsample\.[01]))\.{FIELD}", r"backbone.\1.\2"),
)


def _with_bn(places: dict[str, str]) -> dict[str, str]:
    """Give Paddle's names to the running statistics at the end of each name."""
    return {
        theirs: re.sub(r"(running_mean|running_var)$", lambda match: BN[match.group(1)], ours)
        for theirs, ours in places.items()
    }


def _classifier(names: Sequence[str]) -> dict[str, str]:
    return {name: CLASSIFIER for name in names if name.split(".")[0] in ("fc", "classifier", "conv_head", "head")}


def torchvision(names: Sequence[str]) -> Names:
    """ResNet 18 to 152 of torchvision, which timm's of the same names equal: our names are theirs."""
    return Names(_with_bn(substitute(names, RESNET)), _classifier(names))


def psenet(names: Sequence[str]) -> Names:
    """The authors' PSENet: ``backbone.``, ``fpn.``, ``det_head.``; before 2020 one flat network with biases."""
    if any(name.startswith("toplayer") for name in names):
        flat = (
            (rf"(toplayer|latlayer[123]|smooth[123])\.{FIELD}", r"neck.\1_.conv.\2"),
            (rf"(toplayer|latlayer[123]|smooth[123])_bn\.{FIELD}", r"neck.\1_.bn.\2"),
            (r"conv2\.(weight|bias)", r"head.conv1.\1"),
            (rf"bn2\.{FIELD}", r"head.bn1.\1"),
            (r"conv3\.(weight|bias)", r"head.conv2.\1"),
            *RESNET,
        )
        return Names(_with_bn(substitute(names, flat)), _classifier(names), fold_neck_biases)
    inside = tuple((rf"(?:backbone\.)?{pattern}", ours) for pattern, ours in RESNET)
    rules = (
        (rf"fpn\.((?:toplayer|latlayer[123]|smooth[123])_\.(?:conv|bn))\.{FIELD}", r"neck.\1.\2"),
        (rf"det_head\.(conv1|bn1|conv2)\.{FIELD}", r"head.\1.\2"),
        *inside,
    )
    return Names(_with_bn(substitute(names, rules)), _classifier(names))


def timm(names: Sequence[str]) -> Names:
    """Translate timm's ``resnet*d`` (our ResNet_vd), its plain ResNets and its MobileNetV3."""
    if "conv_stem.weight" in names:
        return _timm_mobilenet(names)
    if "conv1.0.weight" not in names:
        return torchvision(names)
    rules: list[tuple[str, str]] = [
        (r"conv1\.0\.weight", "backbone.conv1_1._conv.weight"),
        (rf"conv1\.1\.{FIELD}", r"backbone.conv1_1._batch_norm.\1"),
        (r"conv1\.3\.weight", "backbone.conv1_2._conv.weight"),
        (rf"conv1\.4\.{FIELD}", r"backbone.conv1_2._batch_norm.\1"),
        (r"conv1\.6\.weight", "backbone.conv1_3._conv.weight"),
        (rf"bn1\.{FIELD}", r"backbone.conv1_3._batch_norm.\1"),
    ]
    for stage in range(4):
        at, block = rf"layer{stage + 1}\.(\d+)", rf"backbone.bb_{stage}_\1"
        for k in (1, 2, 3):
            rules.append((rf"{at}\.conv{k}\.weight", rf"{block}.conv{k - 1}._conv.weight"))
            rules.append((rf"{at}\.bn{k}\.{FIELD}", rf"{block}.conv{k - 1}._batch_norm.\2"))
        rules.append((rf"{at}\.downsample\.1\.weight", rf"{block}.short._conv.weight"))
        rules.append((rf"{at}\.downsample\.2\.{FIELD}", rf"{block}.short._batch_norm.\2"))
    return Names(_with_bn(substitute(names, rules)), _classifier(names), _identity_shortcut)


def _identity_shortcut(tensors: dict[str, Array]) -> dict[str, str]:
    """Give the first block of a ResNet18_vd or 34_vd the projection that PaddleOCR's has: one that changes nothing."""
    block = "backbone.bb_0_0"
    width = tensors.get(f"{block}.conv1._conv.weight")
    if width is None or f"{block}.conv2._conv.weight" in tensors or f"{block}.short._conv.weight" in tensors:
        return {}
    channels = int(width.shape[0])
    fresh = {
        "_conv.weight": np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1),
        "_batch_norm.weight": np.full(channels, np.sqrt(1 + BN_EPSILON), np.float32),
        "_batch_norm.bias": np.zeros(channels, np.float32),
        "_batch_norm._mean": np.zeros(channels, np.float32),
        "_batch_norm._variance": np.ones(channels, np.float32),
    }
    tensors.update({f"{block}.short.{name}": value for name, value in fresh.items()})
    return {f"{block}.short.{name}": "a projection that changes nothing; timm's block has none" for name in fresh}


def _timm_mobilenet(names: Sequence[str]) -> Names:
    found = {tuple(map(int, match.groups())) for name in names if (match := re.match(r"blocks\.(\d+)\.(\d+)\.", name))}
    blocks = sorted(found)
    ours = mobilenet_units(len(blocks) - 1)
    rules = [
        (r"conv_stem\.weight", "backbone.conv.conv.weight"),
        (rf"bn1\.{FIELD}", r"backbone.conv.bn.\1"),
    ]
    for (stage, i), unit in zip(blocks[:-1], ours[:-1], strict=True):
        at = rf"blocks\.{stage}\.{i}"
        roles = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
        parts = ["expand_conv", "bottleneck_conv", "linear_conv"]
        if f"blocks.{stage}.{i}.conv_pwl.weight" not in names:  # the first one: depthwise, then pointwise
            roles, parts = ["conv_dw", "bn1", "conv_pw", "bn2"], parts[1:]
        for k, part in enumerate(parts):
            rules.append((rf"{at}\.{roles[2 * k]}\.weight", rf"{unit}.{part}.conv.weight"))
            rules.append((rf"{at}\.{roles[2 * k + 1]}\.{FIELD}", rf"{unit}.{part}.bn.\1"))
        rules.append((rf"{at}\.se\.conv_reduce\.(weight|bias)", rf"{unit}.mid_se.conv1.\1"))
        rules.append((rf"{at}\.se\.conv_expand\.(weight|bias)", rf"{unit}.mid_se.conv2.\1"))
    stage, i = blocks[-1]
    rules.append((rf"blocks\.{stage}\.{i}\.conv\.weight", f"{ours[-1]}.conv.weight"))
    rules.append((rf"blocks\.{stage}\.{i}\.bn1\.{FIELD}", rf"{ours[-1]}.bn.\1"))
    places = _with_bn(substitute(names, rules))
    others = [name for name in names if name not in places]
    return Names(places, _classifier(others))
