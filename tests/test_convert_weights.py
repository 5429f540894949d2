"""The command convert-weights: a file of another program in, weights of ours out; half a network is refused."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_model
from ppocr_pse.cli import main as command
from ppocr_pse.engine.checkpoint import load_params
from ppocr_pse.engine.weights import load_into, load_pretrained
from tests.convert import writers

IMAGE = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
AUTHORS = (
    (r"^neck\.", "fpn."), (r"^head\.", "det_head."), (r"\._mean$", ".running_mean"), (r"\._variance$", ".running_var"),
)  # fmt: skip


def network(backbone: dict[str, Any], upsample: str = "half_pixel") -> Any:
    paddle.seed(3)
    model = build_model(
        {
            "Backbone": backbone,
            "Neck": {"name": "FPN", "out_channels": 8, "upsample": upsample},
            "Head": {"name": "PSEHead", "hidden_dim": 8, "out_channels": 7},
        }
    )
    model.eval()
    return model


def arrays_of(model: Any, rules: tuple[tuple[str, str], ...] = ()) -> dict[str, np.ndarray]:
    """The network's tensors under another program's names."""
    found = {}
    for name, tensor in model.state_dict().items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor.numpy()
    return found


def run(*arguments: object) -> int:
    return command(["convert-weights", *map(str, arguments)])


@pytest.fixture(scope="module")
def authors() -> Any:
    return network({"name": "ResNet", "layers": 18, "stem": "deep"})


@pytest.fixture(scope="module")
def authors_file(authors: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrays = {f"module.{name}": array for name, array in arrays_of(authors, AUTHORS).items()}
    arrays["module.backbone.bn1.num_batches_tracked"] = np.array(7, np.int64)
    state = {"epoch": 600, "state_dict": writers.tensors(arrays)}
    return writers.write_torch(tmp_path_factory.mktemp("authors") / "checkpoint.pth.tar", state)


@pytest.fixture
def small_config(tmp_path: Path, configs: Path) -> Path:
    file = tmp_path / "authors.yml"
    file.write_text(
        f"_BASE_: {configs / 'det_r50_vd_pse.yml'}\n"
        "Architecture:\n"
        "  Backbone: {name: ResNet, layers: 18, stem: deep}\n"
        "  Neck: {out_channels: 8}\n"
        "  Head: {hidden_dim: 8}\n"
    )
    return file


def test_psenet(authors: Any, authors_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--from", "psenet", authors_file, tmp_path / "new") == 0
    out = capsys.readouterr().out
    assert "names of psenet" in out and "matched: backbone 115/115, neck 35/35, head 8/8\n" in out
    assert "module.backbone.bn1.num_batches_tracked: counter of steps" in out
    assert "Backbone: {name: ResNet, layers: 18, stem: deep, pool_padding: both}" in out
    assert "img_mode: RGB" in out

    fresh = network({"name": "ResNet", "layers": 18, "stem": "deep"})
    for parameter in fresh.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    load_into(fresh, load_params(str(tmp_path / "new")), "new")
    image = paddle.to_tensor(IMAGE)
    np.testing.assert_array_equal(fresh(image)["maps"].numpy(), authors(image)["maps"].numpy())


def test_the_configuration_says_what_network(
    authors_file: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(authors_file, tmp_path / "new.pdparams", "-c", small_config) == 0
    assert (tmp_path / "new.pdparams").is_file()
    assert "network, for the configuration" not in capsys.readouterr().out

    assert run(authors_file, tmp_path / "wide", "-c", small_config, "-o", "Architecture.Neck.out_channels=16") == 2
    error = capsys.readouterr().err
    assert "tensors have another shape: neck.toplayer_.conv.weight: (8, 512, 1, 1) in the file" in error
    assert "(16, 512, 1, 1) in the network" in error
    assert run(authors_file, tmp_path / "deep", "-c", small_config, "-o", "Architecture.Backbone.layers=34") == 2
    assert "backbone 115/195" in capsys.readouterr().err
    assert not list(tmp_path.glob("wide*")) and not list(tmp_path.glob("deep*"))


def test_the_same_shapes_are_not_enough(
    authors_file: Path, small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Padding and sampling have no tensors: a network that differs in them would take the weights and be wrong."""
    options = ("Architecture.Neck.upsample=asymmetric", "Architecture.Backbone.pool_padding=end")
    assert run(authors_file, tmp_path / "new", "-c", small_config, "-o", *options) == 2
    error = capsys.readouterr().err
    assert "add -o Architecture.Backbone.pool_padding=both Architecture.Neck.upsample=half_pixel" in error
    assert not (tmp_path / "new.pdparams").exists()


def test_a_missing_layer_is_refused(authors: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = arrays_of(authors, AUTHORS)
    del arrays["backbone.layer3.1.conv2.weight"]
    file = writers.write_torch(tmp_path / "x.pth", writers.tensors(arrays))
    for flags in ((), ("--backbone-only",)):
        assert run(file, tmp_path / "new", *flags) == 2
        error = capsys.readouterr().err
        assert "1 tensors of the network are not in the file: backbone.layer3.1.conv2.weight" in error
    assert not (tmp_path / "new.pdparams").exists()


def test_a_backbone_alone_has_to_be_asked_for(authors: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {n: a for n, a in arrays_of(authors).items() if n.startswith("backbone.")}
    paddle.save({name: paddle.to_tensor(array) for name, array in arrays.items()}, str(tmp_path / "b.pdparams"))
    assert run(tmp_path / "b.pdparams", tmp_path / "new") == 2
    assert "It is a backbone alone; to convert it as one, add --backbone-only" in capsys.readouterr().err
    assert run(tmp_path / "b.pdparams", tmp_path / "new", "--backbone-only") == 0
    assert "matched: backbone 115/115, neck and head new\n" in capsys.readouterr().out
    verdict = load_pretrained(network({"name": "ResNet", "layers": 18, "stem": "deep"}), str(tmp_path / "new"))
    assert verdict.startswith("loaded 115/115 backbone tensors")


def test_an_imagenet_file_is_a_backbone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = network({"name": "ResNet", "layers": 18})
    rules = ((r"^backbone\.", ""), *AUTHORS[2:])
    arrays = {n: a for n, a in arrays_of(model, rules).items() if not n.startswith(("neck.", "head."))}
    arrays |= {"fc.weight": np.zeros((10, 512), np.float32), "fc.bias": np.zeros(10, np.float32)}
    file = writers.write_safetensors(tmp_path / "model.safetensors", arrays)
    assert run(file, tmp_path / "new") == 0
    out = capsys.readouterr().out
    assert "names of torchvision" in out and "matched: backbone 100/100, neck and head new" in out
    assert "not used: fc.weight, fc.bias: of the ImageNet classifier" in out
    saved = load_params(str(tmp_path / "new"))
    own = model.backbone.state_dict()
    assert set(saved) == {f"backbone.{name}" for name in own}
    for name, tensor in own.items():
        np.testing.assert_array_equal(np.asarray(saved[f"backbone.{name}"]), tensor.numpy())


def test_mindocr_mobilenet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = {"name": "MobileNetV3", "model_name": "small", "scale": 0.35, "variant": "mindocr"}
    model = network(backbone, "asymmetric")
    units = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4), (3, 0), (3, 1), (3, 2)]
    given: dict[str, np.ndarray] = {}
    norm = {"weight": "gamma", "bias": "beta", "_mean": "moving_mean", "_variance": "moving_variance"}
    levels = {"toplayer_": "reduce_{}_c5", "latlayer1_": "reduce_{}_c4", "latlayer2_": "reduce_{}_c3"}
    levels |= {"latlayer3_": "reduce_{}_c2", "smooth1_": "smooth_{}_p4", "smooth2_": "smooth_{}_p3"}
    levels |= {"smooth3_": "smooth_{}_p2"}
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for name, array in state.items():
        part, *path, last = name.split(".")
        if part == "head":
            their = f"head.{path[0]}.{norm[last] if path[0] == 'bn1' else last}"
        elif part == "neck":
            kind = path[1]
            their = f"neck.{levels[path[0]].format(kind)}.{norm[last] if kind == 'bn' else last}"
        else:
            stage = path[0]
            if stage == "conv":
                place = 0
            elif len(path) == 3 and path[2] in ("conv", "bn"):  # the convolution at the end
                place = 14
            else:
                place = 3 + units.index((int(stage[-1]), int(path[1])))
            if place in (0, 14):
                their = f"backbone.features.{place + (path[-1] == 'bn')}.{norm[last] if path[-1] == 'bn' else last}"
            elif path[2] == "mid_se":
                inner = {"conv1": "conv_reduce", "conv2": "conv_expand"}[path[3]]
                array = array.reshape(array.shape[:2]) if array.ndim == 4 else array
                their = f"backbone.features.{place}.layers.6.{inner}.{last}"
            else:
                squeezed = f"backbone.{stage}.{path[1]}.mid_se.conv1.weight" in state
                start = {"expand_conv": 0, "bottleneck_conv": 3, "linear_conv": 7 if squeezed else 6}[path[2]]
                their = f"backbone.features.{place}.layers.{start + (path[3] == 'bn')}."
                their += norm[last] if path[3] == "bn" else last
        given[their] = array
    bias = np.linspace(-1, 1, 8).astype(np.float32)
    for level in levels.values():  # MindOCR's convolutions have a bias; shifting the mean with it changes nothing
        given[f"neck.{level.format('conv')}.bias"] = bias
        given[f"neck.{level.format('bn')}.moving_mean"] = given[f"neck.{level.format('bn')}.moving_mean"] + bias
    file = writers.write_mindspore(tmp_path / "best.ckpt", given)
    assert run("--from", "mindocr", file, tmp_path / "new") == 0
    out = capsys.readouterr().out
    assert "head 8/8" in out and "variant: mindocr" in out and "upsample: asymmetric" in out
    saved = load_params(str(tmp_path / "new"))
    assert set(saved) == set(state)
    for name, array in state.items():
        np.testing.assert_allclose(np.asarray(saved[name]), array, atol=1e-6)


@pytest.mark.parametrize("prefix", ["", "module.", "Student."])
def test_paddleocr_checkpoint_with_prefixes_in_half_precision(golden: Path, tmp_path: Path, prefix: str) -> None:
    params = load_params(str(golden / "ppocr_checkpoint" / "latest"))
    half = {prefix + name: paddle.to_tensor(np.asarray(value).astype(np.float16)) for name, value in params.items()}
    paddle.save(half, str(tmp_path / "half.pdparams"))
    assert run("--from", "paddleocr", tmp_path / "half.pdparams", tmp_path / "new") == 0
    saved = load_params(str(tmp_path / "new"))
    assert set(saved) == set(params)
    for name, value in params.items():
        found = np.asarray(saved[name])
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.asarray(value).astype(np.float16).astype(np.float32))


def test_dry_run_and_the_file_itself(authors_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(authors_file, tmp_path / "new", "--dry-run") == 0
    assert "would write" in capsys.readouterr().out and not list(tmp_path.iterdir())
    assert run(tmp_path / "a.pdparams", tmp_path / "a") == 2
    assert "SRC and DST are one file" in capsys.readouterr().err


class Bomb:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.witness}",)


def test_hostile_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.pdparams").write_bytes(pickle.dumps({"w": Bomb(tmp_path / "witness")}, 2))
    assert run(tmp_path / "x.pdparams", tmp_path / "new") == 2
    assert "refused, nothing of it was run" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.pdparams"]


def test_help_ends_in_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    assert "examples:" in capsys.readouterr().out
