"""The networks: names, shapes and logits equal PaddleOCR's; any input size; every parameter learns."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_model
from ppocr_pse.schema import ConfigError

MODELS = ("r18_vd", "r34_vd", "r50_vd", "r101_vd", "r152_vd", "mv3", "mv3_small")


def architecture(name: str, width: int | None = None) -> dict:
    backbones = {
        "mv3": {"name": "MobileNetV3", "model_name": "large", "scale": 0.5},
        "mv3_small": {"name": "MobileNetV3", "model_name": "small", "scale": 1.0},
    }
    backbone = backbones.get(name) or {"name": "ResNet_vd", "layers": int(name[1:-3])}
    width = width or (96 if name.startswith("mv3") else 256)
    return {
        "model_type": "det",
        "algorithm": "PSE",
        "Transform": None,
        "Backbone": backbone,
        "Neck": {"name": "FPN", "out_channels": width},
        "Head": {"name": "PSEHead", "hidden_dim": width, "out_channels": 7},
    }


def set_by_formula(model: paddle.nn.Layer) -> None:
    """Fill every tensor with numbers that depend on its name and shape only."""
    for name, tensor in model.state_dict().items():
        rng = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
        x = rng.standard_normal(int(np.prod(tensor.shape))).reshape(tensor.shape)
        if name.endswith("_variance"):
            x = 1 + 0.1 * abs(x)
        elif name.endswith("_mean"):
            x = 0.1 * x
        elif x.ndim == 4:
            x = x * np.sqrt(1 / np.prod(x.shape[1:]))
        elif name.endswith("weight"):
            x = 1 + 0.1 * x
        else:
            x = 0.1 * x
        tensor.set_value(x.astype(np.float32))


@pytest.mark.parametrize("name", MODELS)
def test_equals_paddleocr(name: str, golden: Path) -> None:
    model = build_model(architecture(name))
    names = [[key, list(tensor.shape)] for key, tensor in model.state_dict().items()]
    assert names == json.loads((golden / "state_dict_names.json").read_text())[name]

    set_by_formula(model)
    model.eval()
    image = np.random.RandomState(7).standard_normal((2, 3, 96, 160)).astype(np.float32)
    maps = model(paddle.to_tensor(image))["maps"].numpy()
    expected = np.load(golden / "model_logits.npz")[name]
    assert np.abs(maps - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("size", [(80, 96), (33, 57), (32, 32), (100, 36)])
@pytest.mark.parametrize("name", ["r18_vd", "mv3"])
def test_any_input_size(name: str, size: tuple[int, int]) -> None:
    model = build_model(architecture(name, 16))
    model.eval()
    maps = model(paddle.zeros([1, 3, *size]))["maps"]
    assert list(maps.shape) == [1, 7, -(-size[0] // 4), -(-size[1] // 4)]


@pytest.mark.parametrize("scale", [0.35, 0.5, 0.75, 1.0, 1.25])
@pytest.mark.parametrize("model_name", ["large", "small"])
@pytest.mark.parametrize("disable_se", [False, True])
def test_mobilenet_strides(model_name: str, scale: float, disable_se: bool) -> None:
    model = build_model(
        {
            "Backbone": {
                "name": "MobileNetV3", "model_name": model_name, "scale": scale, "disable_se": disable_se,
            },
            "Neck": {"name": "FPN", "out_channels": 8},
            "Head": {"name": "PSEHead", "hidden_dim": 8, "out_channels": 7},
        }
    )  # fmt: skip
    model.eval()
    features = model.backbone(paddle.zeros([1, 3, 64, 96]))
    assert [list(f.shape[2:]) for f in features] == [[16, 24], [8, 12], [4, 6], [2, 3]]
    assert [f.shape[1] for f in features] == model.backbone.out_channels
    assert any("mid_se" in key for key in model.state_dict()) is not disable_se


@pytest.mark.parametrize("name", ["r18_vd", "r50_vd", "mv3", "mv3_small"])
def test_every_parameter_receives_a_gradient(name: str) -> None:
    model = build_model(architecture(name, 16))
    set_by_formula(model)
    image = paddle.to_tensor(np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32))
    (model(image)["maps"] * paddle.randn([2, 7, 16, 16])).sum().backward()
    learning = [(key, p) for key, p in model.named_parameters() if not p.stop_gradient]
    silent = [key for key, p in learning if p.grad is None or not float(p.grad.abs().sum())]
    assert not silent


@pytest.mark.parametrize("name", ["r18_vd", "mv3"])
def test_all_batch_norm_layers_can_be_synchronised(name: str) -> None:
    model = build_model(architecture(name, 16))
    count = sum(key.endswith("_variance") for key in model.state_dict())
    converted = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    layers = [layer for layer in converted.sublayers() if isinstance(layer, paddle.nn.SyncBatchNorm)]
    assert len(layers) == count


def test_bn_momentum_is_a_switch_of_the_neck() -> None:
    description = architecture("r18_vd", 16)
    assert {layer.bn._momentum for layer in build_model(description).neck.children()} == {0.1}
    description["Neck"]["bn_momentum"] = 0.9
    assert {layer.bn._momentum for layer in build_model(description).neck.children()} == {0.9}


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("Backbone", "layers", 51, "layers is 51, expected one of [18, 34, 50, 101, 152]"),
        ("Backbone", "layer", 50, "Architecture.Backbone.layer: unknown key; did you mean 'layers'?"),
        ("Backbone", "name", "ResNet_v", "unknown name 'ResNet_v'; did you mean 'ResNet_vd'?"),
        ("Neck", "in_channels", [1, 2, 3, 4], "Architecture.Neck.in_channels: unknown key"),
        ("Head", "out_channels", "7", "expected a whole number"),
    ],
)
def test_wrong_architecture(part: str, key: str, value: object, message: str) -> None:
    description = architecture("r50_vd")
    description[part][key] = value
    with pytest.raises(ConfigError) as error:
        build_model(description)
    assert message in str(error.value)
