"""Plain ResNet: torchvision's names, any input size, stems, padding, gradients."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_model
from ppocr_pse.modeling import ResNet
from ppocr_pse.schema import ConfigError

# tensors without the classifier and without torchvision's counters: per block 2 or 3 pairs of a convolution and five
# numbers of its normalisation
TENSORS = {18: 100, 50: 265, 152: 775}


def architecture(backbone: dict, upsample: str = "half_pixel") -> dict:
    return {
        "Backbone": {"name": "ResNet", **backbone},
        "Neck": {"name": "FPN", "out_channels": 8, "upsample": upsample},
        "Head": {"name": "PSEHead", "hidden_dim": 8, "out_channels": 7},
    }


@pytest.mark.parametrize("layers", [18, 50, 152])
def test_names_are_those_of_paddle_vision(layers: int) -> None:
    own = {name: list(tensor.shape) for name, tensor in ResNet(layers).state_dict().items()}
    reference = getattr(paddle.vision.models, f"resnet{layers}")().state_dict()
    assert own == {name: list(tensor.shape) for name, tensor in reference.items() if not name.startswith("fc.")}
    assert len(own) == TENSORS[layers]


@pytest.mark.parametrize("layers", [18, 50])
def test_features_equal_paddle_vision(layers: int) -> None:
    reference = getattr(paddle.vision.models, f"resnet{layers}")(num_classes=-1, with_pool=False)
    model = ResNet(layers)
    model.set_state_dict(reference.state_dict())
    model.eval()
    reference.eval()
    image = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, 75, 101)).astype(np.float32))
    np.testing.assert_allclose(model(image)[-1].numpy(), reference(image).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (33, 57), (32, 32)])
@pytest.mark.parametrize(
    ("layers", "stem", "padding"), [(18, "deep", "both"), (18, "conv7", "end"), (50, "deep", "end")]
)
def test_strides_and_channels(layers: int, stem: str, padding: str, size: tuple[int, int]) -> None:
    model = ResNet(layers, stem, padding)
    model.eval()
    features = model(paddle.zeros([1, 3, *size]))
    assert [f.shape[1] for f in features] == model.out_channels
    assert [list(f.shape[2:]) for f in features] == [[-(-side // s) for side in size] for s in (4, 8, 16, 32)]


def test_the_deep_stem_is_the_authors() -> None:
    shapes = {name: list(tensor.shape) for name, tensor in ResNet(18, "deep").state_dict().items()}
    assert shapes["conv1.weight"] == [64, 3, 3, 3]
    assert shapes["conv2.weight"] == [64, 64, 3, 3]
    assert shapes["conv3.weight"] == [128, 64, 3, 3]
    assert shapes["layer1.0.downsample.0.weight"] == [64, 128, 1, 1]  # 128 channels come in, so even it projects


def test_where_the_pooling_pads() -> None:
    """One bright pixel: at an even place of the map the two paddings see it in other windows."""
    for padding, lit in (("both", [0, 1]), ("end", [0])):
        model = ResNet(18, "conv7", padding)
        pooled = paddle.nn.functional.max_pool2d(
            paddle.to_tensor([[[[0.0, 9, 0, 0, 0, 0, 0, 0]] * 8]]), 3, 2, padding=model.pool_padding
        )
        assert np.flatnonzero(pooled.numpy()[0, 0, 0]).tolist() == lit


@pytest.mark.parametrize("stem", ["conv7", "deep"])
def test_every_parameter_receives_a_gradient(stem: str) -> None:
    model = build_model(architecture({"layers": 18, "stem": stem}))
    image = paddle.to_tensor(np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32))
    (model(image)["maps"] * paddle.randn([2, 7, 16, 16])).sum().backward()
    learning = [(key, p) for key, p in model.named_parameters() if not p.stop_gradient]
    assert not [key for key, p in learning if p.grad is None or not float(p.grad.abs().sum())]


def test_upsampling_places_its_samples_as_told() -> None:
    """Doubling [0, 4]: half-pixel centres at -.25 .25 .75 1.25, asymmetric 0 .5 1 1.5, corners 0 1/3 2/3 1."""
    from ppocr_pse.modeling.fpn import upsample_to

    x, reference = paddle.to_tensor([[[[0.0, 4.0]] * 2]]), paddle.zeros([1, 1, 2, 4])
    expected = {"half_pixel": [0, 1, 3, 4], "asymmetric": [0, 2, 4, 4], "align_corners": [0, 4 / 3, 8 / 3, 4]}
    for upsample, row in expected.items():
        np.testing.assert_allclose(upsample_to(x, reference, upsample).numpy()[0, 0, 0], row, rtol=1e-6)


@pytest.mark.parametrize(
    ("backbone", "upsample", "message"),
    [
        ({"layers": 51}, "half_pixel", "layers is 51, expected one of [18, 34, 50, 101, 152]"),
        ({"stem": "conv5"}, "half_pixel", "stem is 'conv5', expected one of ['conv7', 'deep']"),
        ({"pool_padding": "same"}, "half_pixel", "pool_padding is 'same', expected one of ['both', 'end']"),
        ({}, "nearest", "upsample is 'nearest', expected one of ['half_pixel', 'asymmetric', 'align_corners']"),
    ],
)
def test_wrong_keys(backbone: dict, upsample: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build_model(architecture({"layers": 18, **backbone}, upsample))
    assert message in str(error.value)
