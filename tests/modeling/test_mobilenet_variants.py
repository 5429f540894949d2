"""MobileNetV3 as PaddleOCR, timm and MindOCR have it."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from ppocr_pse.modeling import MobileNetV3
from ppocr_pse.modeling.backbones.mobilenet_v3 import VARIANTS


def shapes(variant: str) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in MobileNetV3(scale=1.0, variant=variant).state_dict().items()}


def test_layers() -> None:
    ppocr, timm, mindocr = shapes("ppocr"), shapes("timm"), shapes("mindocr")
    assert mindocr == ppocr
    assert set(ppocr) - set(timm) == {name for name in ppocr if name.startswith("stage0.0.expand_conv.")}
    assert set(timm) < set(ppocr)
    squeeze = "stage1.0.mid_se.conv1.weight"  # 72 channels / 4 = 18; timm: the next multiple of 8 not 10 % below
    assert (ppocr[squeeze], timm[squeeze]) == ([18, 72, 1, 1], [24, 72, 1, 1])


def test_gates() -> None:
    x = paddle.to_tensor([-4.0, -1.0, 0.0, 1.0, 2.75])
    expected = {
        "ppocr": [0, 0.3, 0.5, 0.7, 1],
        "timm": [0, 1 / 3, 0.5, 2 / 3, 5.75 / 6],
        "mindocr": 1 / (1 + np.exp(-x.numpy())),
    }
    for variant, gate in expected.items():
        np.testing.assert_allclose(VARIANTS[variant].gate(x).numpy(), gate, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("variant", "centre"), [("ppocr", (1, 1)), ("timm", (1, 1)), ("mindocr", (0, 0))])
def test_where_a_strided_depthwise_convolution_pads(variant: str, centre: tuple[int, int]) -> None:
    """Window (0, 0) of a 3x3 stride 2 convolution over an even map: weight [1, 1] sees pixel (0, 0), or (1, 1) does."""
    unit = MobileNetV3(scale=1.0, variant=variant).stages[0][1].bottleneck_conv.conv
    weight = np.zeros(unit.weight.shape, np.float32)
    weight[:, 0, centre[0], centre[1]] = 1
    unit.weight.set_value(weight)
    image = np.zeros((1, weight.shape[0], 8, 8), np.float32)
    image[:, :, 0, 0] = 1
    assert float(unit(paddle.to_tensor(image))[0, 0, 0, 0].item()) == 1


def test_wrong_variant() -> None:
    with pytest.raises(ValueError, match=r"variant is 'mindspore', expected one of \['ppocr', 'timm', 'mindocr'\]"):
        MobileNetV3(variant="mindspore")
