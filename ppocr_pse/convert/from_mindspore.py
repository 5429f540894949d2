"""Names of MindOCR's PSENet: ResNet or MobileNetV3, PSEFPN, PSEHead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.names import Names, fold_neck_biases, mobilenet_units, substitute

BN = {"gamma": "weight", "beta": "bias", "moving_mean": "_mean", "moving_variance": "_variance"}
BN_FIELD = r"(gamma|beta|moving_mean|moving_variance)"
FIELD = rf"(weight|bias|{BN_FIELD[1:-1]})"
LEVELS = {
    "reduce_{}_c5": "toplayer_", "reduce_{}_c4": "latlayer1_", "reduce_{}_c3": "latlayer2_",
    "reduce_{}_c2": "latlayer3_", "smooth_{}_p4": "smooth1_", "smooth_{}_p3": "smooth2_", "smooth_{}_p2": "smooth3_",
}  # fmt: skip
TRAINING = re.compile(
    r"^(moments?\d?|moment[12]|accum|learning_rate|global_step|current_iterator|beta[12]_power|scale_sense|epoch_num|"
    r"loss_scale|step|last_overflow.*|current_.*)(\.|$)"
)


def mindocr(names: Sequence[str]) -> Names:
    """MindOCR's detectors, and MindCV's ResNet backbones, which lack the prefix ``backbone.``."""
    rules = [
        (rf"(?:backbone\.)?((?:conv|bn)1)\.{FIELD}", r"backbone.\1.\2"),
        (rf"(?:backbone\.)?(layer[1-4]\.\d+\.(?:conv|bn)[123])\.{FIELD}", r"backbone.\1.\2"),
        (rf"(?:backbone\.)?(layer[1-4]\.\d+)\.down_sample\.([01])\.{FIELD}", r"backbone.\1.downsample.\2.\3"),
        (rf"head\.(conv1|bn1|conv2)\.{FIELD}", r"head.\1.\2"),
    ]
    for theirs, ours in LEVELS.items():
        rules.append((rf"neck\.{theirs.format('conv')}\.(weight|bias)", rf"neck.{ours}.conv.\1"))
        rules.append((rf"neck\.{theirs.format('bn')}\.{BN_FIELD}", rf"neck.{ours}.bn.\1"))
    rules += _mobilenet(names)
    places = {theirs: re.sub(rf"{BN_FIELD}$", _statistic, ours) for theirs, ours in substitute(names, rules).items()}
    reasons = {name: "of the optimizer" for name in names if TRAINING.match(name)}
    reasons |= {name: "of the ImageNet classifier" for name in names if name.startswith("classifier.")}
    return Names(places, reasons, _finish)


def _statistic(match: re.Match[str]) -> str:
    return BN[match.group(1)]


def _mobilenet(names: Sequence[str]) -> list[tuple[str, str]]:
    inside = [match for name in names if (match := re.match(r"(?:backbone\.)?features\.(\d+)\.layers\.(\d+)\.", name))]
    if not inside:
        return []
    units = sorted({int(match.group(1)) for match in inside})
    ours = mobilenet_units(len(units))
    rules: list[tuple[str, str]] = []
    for n, unit in zip(units, ours, strict=False):
        at = rf"(?:backbone\.)?features\.{n}\.layers"
        mine = {name.removeprefix("backbone.") for name in names}
        layers = sorted({int(match.group(2)) for match in inside if int(match.group(1)) == n})
        norms = [k for k in layers if f"features.{n}.layers.{k}.gamma" in mine]
        squeeze = [k for k in layers if f"features.{n}.layers.{k}.conv_reduce.weight" in mine]
        parts = ("expand_conv", "bottleneck_conv", "linear_conv")[-len(norms) :]
        for k, part in zip(norms, parts, strict=False):  # a convolution, then its normalisation
            rules.append((rf"{at}\.{k - 1}\.weight", f"{unit}.{part}.conv.weight"))
            rules.append((rf"{at}\.{k}\.{BN_FIELD}", rf"{unit}.{part}.bn.\1"))
        for k in squeeze:
            rules.append((rf"{at}\.{k}\.conv_reduce\.(weight|bias)", rf"{unit}.mid_se.conv1.\1"))
            rules.append((rf"{at}\.{k}\.conv_expand\.(weight|bias)", rf"{unit}.mid_se.conv2.\1"))
    for n, place in ((0, "backbone.conv"), (units[-1] + 1, ours[-1])):
        rules.append((rf"(?:backbone\.)?features\.{n}\.weight", f"{place}.conv.weight"))
        rules.append((rf"(?:backbone\.)?features\.{n + 1}\.{BN_FIELD}", rf"{place}.bn.\1"))
    return rules


def _finish(tensors: dict[str, Array]) -> dict[str, str]:
    """Fold the neck's biases; give dense layers of squeeze-and-excite the shape of 1x1 convolutions."""
    made = fold_neck_biases(tensors)
    for name, value in tensors.items():
        if re.search(r"\.mid_se\.conv[12]\.weight$", name) and value.ndim == 2:
            tensors[name] = value.reshape(*value.shape, 1, 1)
            made[name] = "a dense layer's weights as those of a 1x1 convolution"
    return made
