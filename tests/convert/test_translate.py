"""Names of other programs: where each kind of layer goes, what has no place, values that change."""

from __future__ import annotations

import numpy as np
import pytest

from ppocr_pse.convert import ConvertError, translate
from ppocr_pse.convert.translate import guess_format

SAMPLES = {
    "psenet": {
        "backbone.conv3.weight": "backbone.conv3.weight",
        "backbone.bn2.running_mean": "backbone.bn2._mean",
        "backbone.layer4.2.conv3.weight": "backbone.layer4.2.conv3.weight",
        "backbone.layer1.0.downsample.1.running_var": "backbone.layer1.0.downsample.1._variance",
        "fpn.toplayer_.conv.weight": "neck.toplayer_.conv.weight",
        "fpn.latlayer3_.bn.running_var": "neck.latlayer3_.bn._variance",
        "fpn.smooth2_.bn.bias": "neck.smooth2_.bn.bias",
        "det_head.conv1.bias": "head.conv1.bias",
        "det_head.bn1.weight": "head.bn1.weight",
        "det_head.conv2.weight": "head.conv2.weight",
    },
    "torchvision": {
        "conv1.weight": "backbone.conv1.weight",
        "layer1.0.bn1.running_mean": "backbone.layer1.0.bn1._mean",
        "layer3.22.conv2.weight": "backbone.layer3.22.conv2.weight",
        "layer2.0.downsample.0.weight": "backbone.layer2.0.downsample.0.weight",
        "fc.weight": None,
    },
    "timm": {
        "conv1.0.weight": "backbone.conv1_1._conv.weight",
        "conv1.4.running_var": "backbone.conv1_2._batch_norm._variance",
        "conv1.6.weight": "backbone.conv1_3._conv.weight",
        "bn1.running_mean": "backbone.conv1_3._batch_norm._mean",
        "layer3.5.conv3.weight": "backbone.bb_2_5.conv2._conv.weight",
        "layer2.0.downsample.1.weight": "backbone.bb_1_0.short._conv.weight",
        "layer2.0.downsample.2.bias": "backbone.bb_1_0.short._batch_norm.bias",
        "fc.bias": None,
    },
    "mindocr": {
        "backbone.conv1.weight": "backbone.conv1.weight",
        "backbone.bn1.moving_variance": "backbone.bn1._variance",
        "backbone.layer2.0.down_sample.0.weight": "backbone.layer2.0.downsample.0.weight",
        "backbone.layer2.0.down_sample.1.gamma": "backbone.layer2.0.downsample.1.weight",
        "neck.reduce_conv_c5.weight": "neck.toplayer_.conv.weight",
        "neck.reduce_bn_c2.beta": "neck.latlayer3_.bn.bias",
        "neck.smooth_bn_p2.moving_mean": "neck.smooth3_.bn._mean",
        "head.conv1.bias": "head.conv1.bias",
        "head.bn1.gamma": "head.bn1.weight",
        "moment1.backbone.conv1.weight": None,
        "global_step": None,
    },
    "paddleocr": {
        "backbone.bb_0_0.short._conv.weight": "backbone.bb_0_0.short._conv.weight",
        "neck.toplayer_.bn._mean": "neck.toplayer_.bn._mean",
        "conv1_1._batch_norm._variance": "backbone.conv1_1._batch_norm._variance",
        "fc.weight": None,
    },
}


def fake(names: dict[str, str | None]) -> dict[str, np.ndarray]:
    return {name: np.full((2, 2, 1, 1), i, np.float32) for i, name in enumerate(names)}


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.Student.", "_layers."])
@pytest.mark.parametrize("format_name", SAMPLES)
def test_names(format_name: str, prefix: str) -> None:
    samples = SAMPLES[format_name]
    given = {prefix + name: value for name, value in fake(samples).items()}
    for named in (format_name, "auto"):
        result = translate(given, named)
        assert result.format == format_name
        for name, ours in samples.items():
            if ours is None:
                assert prefix + name in result.left_out
            else:
                assert result.origins[ours] == prefix + name
                np.testing.assert_array_equal(result.tensors[ours], given[prefix + name])
        assert len(result.origins) + len(result.left_out) == len(given)


def test_the_teacher_is_left_and_the_student_taken() -> None:
    given = {"Student.backbone.conv.bn._mean": np.ones(2), "Teacher.backbone.conv.bn._mean": np.zeros(2)}
    result = translate(given)
    np.testing.assert_array_equal(result.tensors["backbone.conv.bn._mean"], np.ones(2, np.float32))
    assert result.left_out == {"Teacher.backbone.conv.bn._mean": "of the teacher, or an average"}


def test_half_precision_becomes_single_and_counters_go() -> None:
    given = {"layer1.0.bn1.running_mean": np.ones(2, np.float16), "layer1.0.bn1.num_batches_tracked": np.array(9)}
    result = translate(given)
    assert {name: str(value.dtype) for name, value in result.tensors.items()} == {
        "backbone.layer1.0.bn1._mean": "float32"
    }
    assert "counter" in result.left_out["layer1.0.bn1.num_batches_tracked"]


@pytest.mark.parametrize(
    "names",
    [
        ("reduce_conv_c5.bias", "reduce_bn_c5.moving_mean", "neck."),
        ("toplayer.bias", "toplayer_bn.running_mean", ""),
    ],
    ids=["mindocr", "psenet_flat"],
)
def test_a_bias_before_normalisation_goes_into_its_mean(names: tuple[str, str, str]) -> None:
    bias, mean, prefix = names
    given = {prefix + bias: np.array([1.0, -2.0]), prefix + mean: np.array([0.5, 0.25])}
    result = translate(given)
    assert set(result.tensors) == {"neck.toplayer_.bn._mean"}
    np.testing.assert_array_equal(result.tensors["neck.toplayer_.bn._mean"], np.float32([-0.5, 2.25]))
    assert "less the convolution's bias" in result.made["neck.toplayer_.bn._mean"]


def test_the_flat_network_of_the_authors_keeps_its_head_apart_from_the_stem() -> None:
    names = ("conv1.weight", "conv2.weight", "conv3.weight", "bn2.running_mean", "toplayer_bn.weight")
    result = translate({name: np.ones(3) for name in names})
    assert set(result.tensors) == {
        "backbone.conv1.weight", "head.conv1.weight", "head.conv2.weight", "head.bn1._mean", "neck.toplayer_.bn.weight",
    }  # fmt: skip


def test_timm_resnet18d_gets_a_shortcut_that_changes_nothing() -> None:
    given = {"conv1.0.weight": np.ones((2, 3, 3, 3)), "layer1.0.conv2.weight": np.ones((4, 4, 3, 3))}
    result = translate(given, "timm")
    short = {name.split("short.")[1]: value for name, value in result.tensors.items() if "short" in name}
    x = np.random.default_rng(0).standard_normal((4,))
    y = short["_conv.weight"][:, :, 0, 0] @ x
    y = (y - short["_batch_norm._mean"]) / np.sqrt(short["_batch_norm._variance"] + 1e-5)
    np.testing.assert_allclose(y * short["_batch_norm.weight"] + short["_batch_norm.bias"], x, rtol=1e-6)
    assert len(result.made) == 5


def test_two_tensors_for_one_place_are_refused() -> None:
    with pytest.raises(ConvertError, match="two tensors have one name"):
        translate({"module.conv1.weight": np.ones(2), "conv1.weight": np.ones(2)}, "torchvision")
    with pytest.raises(ConvertError, match=r"both claim the place of backbone\.conv1_1\._conv\.weight"):
        translate({"backbone.conv1_1._conv.weight": np.ones(2), "conv1_1._conv.weight": np.ones(2)}, "paddleocr")


def test_names_of_nobody() -> None:
    with pytest.raises(ConvertError, match=r"names of no known program: encoder\.0\.weight"):
        guess_format(["encoder.0.weight"])
    with pytest.raises(ConvertError, match="none of its 1 names is of the format psenet"):
        translate({"encoder.0.weight": np.ones(2)}, "psenet")


@pytest.mark.parametrize("style", ["blocks.{}", "conv{}"])
def test_paddleclas_mobilenet(style: str) -> None:
    """Units are counted through, from 0 today and from 2 before 2021; here they stand in stages of 3, 3, 6 and 3."""
    first = 0 if style.startswith("blocks") else 2
    stem = "conv" if first == 0 else "conv1"
    units = {style.format(first + i): i for i in range(15)}
    names = [f"{unit}.linear_conv.conv.weight" for unit in units]
    names += [f"{stem}.conv.weight", f"{stem}.bn._mean", "last_second_conv.bn._variance", "last_conv.weight"]
    result = translate({name: np.ones(2) for name in names})
    assert result.format == "paddleclas"
    stages = [f"backbone.stage{stage}.{i}" for stage, depth in enumerate((3, 3, 6, 3)) for i in range(depth)]
    for unit, i in units.items():
        assert result.origins[f"{stages[i]}.linear_conv.conv.weight"] == f"{unit}.linear_conv.conv.weight"
    assert result.origins["backbone.conv.bn._mean"] == f"{stem}.bn._mean"
    assert result.origins["backbone.stage3.3.bn._variance"] == "last_second_conv.bn._variance"
    assert result.left_out == {"last_conv.weight": "of the ImageNet classifier"}
    with pytest.raises(ConvertError, match=r"a MobileNetV3 of 14 units, expected 15 \(large\) or 11 \(small\)"):
        translate({name: np.ones(2) for name in names[1:]}, "paddleclas")
