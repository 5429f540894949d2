"""Names of Paddle programs: PaddleOCR's, which are ours, and PaddleClas'."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ppocr_pse.convert.names import Names, mobilenet_units, resnet_blocks, substitute

CLASSIFIER = ("fc", "out", "last_conv")
TAIL = r"(weight|bias|_mean|_variance)"


def _classifier(names: Sequence[str]) -> dict[str, str]:
    return {name: "of the ImageNet classifier" for name in names if name.split(".")[0] in CLASSIFIER}


def paddleocr(names: Sequence[str]) -> Names:
    """PaddleOCR's detectors and backbones, and PaddleClas' before 2021: the names are ours, ``backbone.`` or not."""
    places = {}
    for name in names:
        if re.match(r"(backbone|neck|head)\.", name):
            places[name] = name
        elif name.split(".")[0] not in CLASSIFIER:
            places[name] = f"backbone.{name}"
    return Names(places, _classifier(names))


def paddleclas(names: Sequence[str]) -> Names:
    """PaddleClas' MobileNetV3 (``blocks.N``, and ``convN`` before 2021) and ResNet and ResNet_vd (``blocks.N``)."""
    bare = {name.removeprefix("backbone."): name for name in names}
    units = {int(match.group(1)) for name in bare if (match := re.match(r"blocks\.(\d+)\.", name))}
    rules: list[tuple[str, str]] = []
    if any(name.startswith("last_second_conv.") for name in bare):
        first = "conv"
        if not units:
            units = {int(match.group(1)) for name in bare if (match := re.match(r"conv(\d+)\.linear_conv\.", name))}
            rules.append((rf"conv1\.(conv|bn)\.{TAIL}", r"backbone.conv.\1.\2"))
            first = "conv1"
        at = r"blocks\.{}" if first == "conv" else r"conv{}"
        ours = mobilenet_units(len(units))
        rules.append((rf"conv\.(conv|bn)\.{TAIL}", r"backbone.conv.\1.\2"))
        rules += [(rf"{at.format(n)}\.(.+)", rf"{unit}.\1") for n, unit in zip(sorted(units), ours, strict=False)]
        rules.append((rf"last_second_conv\.(conv|bn)\.{TAIL}", rf"{ours[-1]}.\1.\2"))
    else:
        rules = _resnet(list(bare), sorted(units))
    places = {bare[name]: place for name, place in substitute(bare, rules).items()}
    return Names(places, _classifier(names))


def _resnet(names: Sequence[str], units: Sequence[int]) -> list[tuple[str, str]]:
    vd = any(name.startswith("stem.2.") for name in names)
    rules = []
    for n, (stage, i) in zip(units, resnet_blocks(len(units)), strict=True):
        at = rf"blocks\.{n}"
        if vd:
            block = f"backbone.bb_{stage}_{i}"
            rules.append((rf"{at}\.(conv[012]|short)\.conv\.weight", rf"{block}.\1._conv.weight"))
            rules.append((rf"{at}\.(conv[012]|short)\.bn\.{TAIL}", rf"{block}.\1._batch_norm.\2"))
            continue
        block = f"backbone.layer{stage + 1}.{i}"
        for k in range(3):
            rules.append((rf"{at}\.conv{k}\.conv\.weight", f"{block}.conv{k + 1}.weight"))
            rules.append((rf"{at}\.conv{k}\.bn\.{TAIL}", rf"{block}.bn{k + 1}.\1"))
        rules.append((rf"{at}\.short\.conv\.weight", f"{block}.downsample.0.weight"))
        rules.append((rf"{at}\.short\.bn\.{TAIL}", rf"{block}.downsample.1.\1"))
    if vd:
        for k in range(3):
            rules.append((rf"stem\.{k}\.conv\.weight", f"backbone.conv1_{k + 1}._conv.weight"))
            rules.append((rf"stem\.{k}\.bn\.{TAIL}", rf"backbone.conv1_{k + 1}._batch_norm.\1"))
    else:
        rules.append((r"stem\.0\.conv\.weight", "backbone.conv1.weight"))
        rules.append((rf"stem\.0\.bn\.{TAIL}", r"backbone.bn1.\1"))
    return rules
