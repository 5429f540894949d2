"""Which network a set of tensors is of: the Architecture section of a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.names import few
from ppocr_pse.convert.translate import FORMATS, Translation

SCALES = (0.35, 0.5, 0.75, 1.0, 1.25)
LAST_CHANNELS = {15: 960, 11: 576}
DEFAULT_WIDTH = 256


def describe(translation: Translation) -> dict[str, Any]:
    """Describe the network that the tensors fit.

    Neck and head of a file that has only a backbone are given PaddleOCR's width.

    Returns:
        An Architecture section.

    Raises:
        ConvertError: if they are of no backbone that is known here.
    """
    tensors = translation.tensors
    backbone = _backbone(tensors)
    neck: dict[str, Any] = {
        "name": "FPN",
        "out_channels": _outputs(tensors, "neck.toplayer_.conv.weight", DEFAULT_WIDTH),
    }
    head = {
        "name": "PSEHead",
        "hidden_dim": _outputs(tensors, "head.conv1.weight", neck["out_channels"]),
        "out_channels": _outputs(tensors, "head.conv2.weight", 7),
    }
    settings = FORMATS[translation.format].settings
    backbone |= settings.get(backbone["name"], {})
    if any(name.startswith("neck.") for name in tensors):
        neck |= settings.get("FPN", {})
    return {
        "model_type": "det", "algorithm": "PSE", "Transform": None, "Backbone": backbone, "Neck": neck, "Head": head,
    }  # fmt: skip


def differences(translation: Translation, architecture: Mapping[str, Any]) -> list[str]:
    """Say which keys make an Architecture's network compute something else than the one the tensors come from.

    Shapes do not show these: hard or soft gates, where padding and resizing begin.
    """
    settings = FORMATS[translation.format].settings
    wrong = []
    for part, defaults in (
        ("Backbone", {"pool_padding": "both", "variant": "ppocr"}),
        ("Neck", {"upsample": "half_pixel"}),
    ):
        if not any(name.startswith(part.lower() + ".") for name in translation.tensors):
            continue
        section = architecture[part]
        for key, value in settings.get(section["name"], {}).items():
            if section.get(key, defaults[key]) != value:
                wrong.append(f"Architecture.{part}.{key}={value}")
    return wrong


def _outputs(tensors: Mapping[str, Array], name: str, otherwise: int) -> int:
    return int(tensors[name].shape[0]) if name in tensors else otherwise


def _backbone(tensors: Mapping[str, Array]) -> dict[str, Any]:
    bottleneck = any(re.search(r"(bb_0_0\.conv2\._conv|layer1\.0\.conv3)\.weight$", name) for name in tensors)
    for name, pattern in (("ResNet_vd", r"backbone\.(bb_\d_\d+)\."), ("ResNet", r"backbone\.(layer\d\.\d+)\.")):
        blocks = {match.group(1) for tensor in tensors if (match := re.match(pattern, tensor))}
        if not blocks:
            continue
        layers = {8: 18, 16: 50 if bottleneck else 34, 33: 101, 50: 152}.get(len(blocks))
        if layers is None:
            raise ConvertError(f"a {name} of {len(blocks)} blocks, expected 8, 16, 33 or 50 (18 to 152 layers)")
        found: dict[str, Any] = {"name": name, "layers": layers}
        if name == "ResNet":
            found["stem"] = "deep" if "backbone.conv2.weight" in tensors else "conv7"
        return found
    units = {
        match.group(1) for name in tensors if (match := re.match(r"backbone\.(stage\d\.\d+)\.linear_conv\.", name))
    }
    last = tensors.get("backbone.stage3.3.conv.weight")
    if len(units) not in LAST_CHANNELS or last is None:
        raise ConvertError(
            f"no backbone that is known here (ResNet, ResNet_vd, MobileNetV3): {few(sorted(tensors))}. "
            "Name the network's configuration with -c to see what is missing"
        )
    width = LAST_CHANNELS[len(units)]
    scale = min(SCALES, key=lambda scale: abs(width * scale - last.shape[0]))
    found = {"name": "MobileNetV3", "model_name": "large" if len(units) == 15 else "small", "scale": scale}
    if not any(".mid_se." in name for name in tensors):
        found["disable_se"] = True
    return found
