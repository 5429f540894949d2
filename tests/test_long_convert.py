"""Conversions against the programs: a network with random weights there, its file converted, equal outputs here.

Needs what is not among this project's requirements: `pip install torch timm torchvision mindspore mindocr paddleclas`
(the last two with `--no-deps`; of each only the definition of the networks is imported). What is absent is skipped.
Run it with `python -m pytest -m long tests/test_long_convert.py -s` to see the table.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_model
from ppocr_pse.cli.convert_weights import main
from ppocr_pse.convert import describe, read_weights, translate
from ppocr_pse.engine.checkpoint import load_params
from tests.convert.networks import LAYERS, bare_package, filled

pytestmark = pytest.mark.long
IMAGE = np.random.default_rng(5).standard_normal((1, 3, 96, 160)).astype(np.float32)
ODD = IMAGE[:, :, :75, :101]  # neither even nor a multiple of the stride


def fill_torch(model: Any) -> Any:
    import torch

    rng = np.random.default_rng(3)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(filled(name, tuple(tensor.shape), rng)))
    return model.eval()


def run_torch(model: Callable[[Any], Any], image: np.ndarray) -> list[np.ndarray]:
    import torch

    with torch.no_grad():
        out = model(torch.from_numpy(np.ascontiguousarray(image)))
    return [one.numpy() for one in (out if isinstance(out, (list, tuple)) else [out])]


def converted(source: Path, tmp_path: Path, format_name: str) -> tuple[paddle.nn.Layer, int]:
    """Our network with the file's weights, and how many tensors the file gave."""
    target = tmp_path / "converted"
    for named in (format_name, "auto"):
        assert main([str(source), str(target), "--from", named]) == 0
    params = load_params(str(target))
    model = build_model(describe(translate(read_weights(source)[0], format_name)))
    own = model.state_dict()
    for name, value in params.items():
        own[name].set_value(value)
    assert set(params) >= {name for name in own if name.startswith("backbone.")}
    model.eval()
    return model, len(params)


def compare(label: str, count: int, ours: list[Any], theirs: list[np.ndarray]) -> None:
    worst = max(float(np.abs(mine.numpy() - other).max()) for mine, other in zip(ours, theirs, strict=True))
    largest = max(float(np.abs(other).max()) for other in theirs)
    print(f"\n| {label} | {count} | {worst:.1e} | {largest:.1f} |")
    assert worst <= 1e-4 * max(1.0, largest)
    assert largest > 0.05, "the outputs are as good as zero: they show nothing"


# ---- PyTorch


def authors_psenet(layers: int, flat: bool) -> Any:
    """A twin of the authors' network: `flat`, as it was at first, or three parts with the deep stem."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    def conv(cin: int, cout: int, k: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
        return nn.Conv2d(cin, cout, k, stride, k // 2, bias=bias)

    class Block(nn.Module):
        def __init__(self, cin: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(cin, width, 1), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
            self.downsample = None
            if stride > 1 or cin != 4 * width:
                self.downsample = nn.Sequential(conv(cin, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))

        def forward(self, x: Any) -> Any:
            y = F.relu(self.bn1(self.conv1(x)))
            y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
            return F.relu(y + (x if self.downsample is None else self.downsample(x)))

    def add_backbone(module: Any, deep: bool) -> None:
        module.conv1, module.bn1 = conv(3, 64, 3 if deep else 7, 2), nn.BatchNorm2d(64)
        if deep:
            module.conv2, module.bn2 = conv(64, 64, 3), nn.BatchNorm2d(64)
            module.conv3, module.bn3 = conv(64, 128, 3), nn.BatchNorm2d(128)
        channels = 128 if deep else 64
        for i, (depth, width) in enumerate(zip(LAYERS[layers], (64, 128, 256, 512), strict=True)):
            blocks = []
            for k in range(depth):
                blocks.append(Block(channels, width, 2 if k == 0 and i else 1))
                channels = 4 * width
            setattr(module, f"layer{i + 1}", nn.Sequential(*blocks))

    def features(module: Any, x: Any, deep: bool) -> list[Any]:
        x = F.relu(module.bn1(module.conv1(x)))
        if deep:
            x = F.relu(module.bn3(module.conv3(F.relu(module.bn2(module.conv2(x))))))
        x = F.max_pool2d(x, 3, 2, 1)
        found = []
        for i in range(4):
            x = getattr(module, f"layer{i + 1}")(x)
            found.append(x)
        return found

    def resize(x: Any, like: Any) -> Any:
        return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)  # F.upsample's default

    def fuse(levels: dict[str, Any], smooth: Callable[[int, Any], Any]) -> Any:
        p5 = levels["c5"]
        p4 = smooth(1, resize(p5, levels["c4"]) + levels["c4"])
        p3 = smooth(2, resize(p4, levels["c3"]) + levels["c3"])
        p2 = smooth(3, resize(p3, levels["c2"]) + levels["c2"])
        return torch.cat([p2, resize(p3, p2), resize(p4, p2), resize(p5, p2)], 1)

    inputs = {"toplayer": 2048, "latlayer1": 1024, "latlayer2": 512, "latlayer3": 256}
    smooths = {f"smooth{i}": 256 for i in (1, 2, 3)}

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            add_backbone(self, deep=False)
            for name, cin in {**inputs, **smooths}.items():
                setattr(self, name, conv(cin, 256, 1 if name in inputs else 3, bias=True))
                setattr(self, f"{name}_bn", nn.BatchNorm2d(256))
            self.conv2, self.bn2, self.conv3 = (
                conv(1024, 256, 3, bias=True),
                nn.BatchNorm2d(256),
                conv(256, 7, 1, bias=True),
            )

        def forward(self, x: Any) -> Any:
            def apply(name: str, y: Any) -> Any:
                return F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(y)))

            c2, c3, c4, c5 = features(self, x, deep=False)
            levels = {"c5": apply("toplayer", c5), "c4": apply("latlayer1", c4)}
            levels |= {"c3": apply("latlayer2", c3), "c2": apply("latlayer3", c2)}
            fused = fuse(levels, lambda i, y: apply(f"smooth{i}", y))
            return self.conv3(F.relu(self.bn2(self.conv2(fused))))

    class Part(nn.Module):
        pass

    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.fpn, self.det_head = Part(), Part(), Part()
            add_backbone(self.backbone, deep=True)
            for name, cin in {**inputs, **smooths}.items():
                unit = Part()
                unit.conv, unit.bn = conv(cin, 256, 1 if name in inputs else 3), nn.BatchNorm2d(256)
                setattr(self.fpn, f"{name}_", unit)
            head = self.det_head
            head.conv1, head.bn1, head.conv2 = (
                conv(1024, 256, 3, bias=True),
                nn.BatchNorm2d(256),
                conv(256, 7, 1, bias=True),
            )

        def forward(self, x: Any) -> Any:
            def apply(name: str, y: Any) -> Any:
                unit = getattr(self.fpn, f"{name}_")
                return F.relu(unit.bn(unit.conv(y)))

            c2, c3, c4, c5 = features(self.backbone, x, deep=True)
            levels = {"c5": apply("toplayer", c5), "c4": apply("latlayer1", c4)}
            levels |= {"c3": apply("latlayer2", c3), "c2": apply("latlayer3", c2)}
            fused = fuse(levels, lambda i, y: apply(f"smooth{i}", y))
            head = self.det_head
            return head.conv2(F.relu(head.bn1(head.conv1(fused))))

    return fill_torch(Flat() if flat else Parts())


@pytest.mark.parametrize("image", [IMAGE, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before_1.6"])
@pytest.mark.parametrize(("layers", "flat"), [(50, False), (50, True), (152, True)])
def test_psenet_authors(tmp_path: Path, layers: int, flat: bool, zipped: bool, image: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    model = authors_psenet(layers, flat)
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    checkpoint = {"epoch": 7, "lr": 0.1, "state_dict": state, "optimizer": optimizer.state_dict()}
    file = tmp_path / "checkpoint.pth.tar"
    torch.save(checkpoint, file, _use_new_zipfile_serialization=zipped)
    ours, count = converted(file, tmp_path, "psenet")
    label = f"authors' PSENet {layers}, {'flat' if flat else 'parts'}"
    compare(label, count, [ours(paddle.to_tensor(image))["maps"]], run_torch(model, image))


@pytest.mark.parametrize("layers", [18, 34, 50, 101, 152])
def test_torchvision(tmp_path: Path, layers: int) -> None:
    torch = pytest.importorskip("torch")
    bare_torchvision()
    models = importlib.import_module("torchvision.models.resnet")
    model = fill_torch(getattr(models, f"resnet{layers}")(weights=None))
    torch.save(model.state_dict(), tmp_path / "resnet.pth")
    ours, count = converted(tmp_path / "resnet.pth", tmp_path, "torchvision")

    def features(x: Any) -> list[Any]:
        x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        found = []
        for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
            x = layer(x)
            found.append(x)
        return found

    compare(f"torchvision resnet{layers}", count, ours.backbone(paddle.to_tensor(ODD)), run_torch(features, ODD))


def bare_torchvision() -> None:
    """Import torchvision without its compiled kernels: its wheel may have been made for another build of torch."""
    pytest.importorskip("torch")
    needs("torchvision")
    bare_package("torchvision")


def needs(program: str) -> None:
    if program not in sys.modules and importlib.util.find_spec(program) is None:
        pytest.skip(f"{program} is not installed (pip install --no-deps {program})")


@pytest.mark.parametrize(
    "name",
    ["resnet18d", "resnet34d", "resnet50d", "resnet101d", "resnet50", "mobilenetv3_large_100", "mobilenetv3_small_100"],
)
def test_timm(tmp_path: Path, name: str) -> None:
    bare_torchvision()
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    model = fill_torch(timm.create_model(name, pretrained=False))
    file = tmp_path / "model.safetensors"
    save_file(model.state_dict(), str(file))
    ours, count = converted(file, tmp_path, "timm")
    wanted = 4 if "resnet" in name else 0
    mine = ours.backbone(paddle.to_tensor(ODD))
    if wanted:
        found = model.forward_intermediates
        theirs = run_torch(lambda x: found(x, intermediates_only=True)[-4:], ODD)
    else:

        def features(x: Any) -> list[Any]:
            x = model.bn1(model.conv_stem(x))
            last: dict[int, Any] = {}
            for stage in model.blocks:
                x = stage(x)
                last[x.shape[2]] = x
            return [last[size] for size in sorted(last, reverse=True)][-4:]

        theirs = run_torch(features, ODD)
    compare(f"timm {name}", count, mine, theirs)


def test_timm_widths_that_are_cut_otherwise_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare_torchvision()
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    for name in ("mobilenetv3_large_075", "mobilenetv3_small_075", "mobilenetv3_small_050", "mobilenetv3_rw"):
        save_file(timm.create_model(name, pretrained=False).state_dict(), str(tmp_path / "model.safetensors"))
        assert main([str(tmp_path / "model.safetensors"), str(tmp_path / "new")]) == 2
        print(name, capsys.readouterr().err[:300])
        assert not (tmp_path / "new.pdparams").exists()


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_torch(tmp_path: Path, half: str) -> None:
    torch = pytest.importorskip("torch")
    model = authors_psenet(50, flat=False)
    model = model.to(getattr(torch, half))
    torch.save(model.state_dict(), tmp_path / "half.pth")
    ours, count = converted(tmp_path / "half.pth", tmp_path, "psenet")
    theirs = run_torch(model.to(torch.float32), IMAGE)  # the rounded weights, as numbers of single precision
    compare(f"authors' PSENet 50, {half}", count, [ours(paddle.to_tensor(IMAGE))["maps"]], theirs)


# ---- MindSpore and PaddleClas


@pytest.mark.parametrize("image", [IMAGE, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("kind", ["r50", "r152", "mv3"])
def test_mindocr(tmp_path: Path, kind: str, image: np.ndarray) -> None:
    for package in ("mindspore", "mindocr"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install mindspore; pip install --no-deps mindocr)")
    np.save(tmp_path / "image.npy", image)
    # a process of its own: MindSpore and Paddle bring two oneDNN libraries that do not bear each other
    command = [sys.executable, "-m", "tests.convert.mindocr_network", kind, str(tmp_path)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)
    ours, count = converted(tmp_path / "psenet.ckpt", tmp_path, "mindocr")
    theirs = np.load(tmp_path / "maps.npy")
    compare(f"MindOCR PSENet {kind}", count, [ours(paddle.to_tensor(image))["maps"]], [theirs])


@pytest.mark.parametrize("scale", ["x0_35", "x0_5", "x1_0"])
@pytest.mark.parametrize("size", ["large", "small"])
def test_paddleclas_mobilenet(tmp_path: Path, size: str, scale: str) -> None:
    models = paddleclas("mobilenet_v3")
    model = getattr(models, f"MobileNetV3_{size}_{scale}")()
    check_paddleclas(
        model, tmp_path, f"MobileNetV3_{size}_{scale}", lambda m, x: m.last_second_conv(m.blocks(m.conv(x)))
    )


@pytest.mark.parametrize("name", ["ResNet18_vd", "ResNet50_vd", "ResNet50"])
def test_paddleclas_resnet(tmp_path: Path, name: str) -> None:
    model = getattr(paddleclas("resnet"), name)()
    check_paddleclas(model, tmp_path, name, lambda m, x: m.blocks(m.max_pool(m.stem(x))))


def paddleclas(module: str) -> Any:
    needs("paddleclas")
    for package in ("", ".ppcls", ".ppcls.arch", ".ppcls.arch.backbone", ".ppcls.arch.backbone.legendary_models"):
        bare_package(f"paddleclas{package}")
    sys.modules.setdefault("ppcls", sys.modules["paddleclas.ppcls"])
    bare_package("paddleclas.ppcls.utils")
    logger = importlib.import_module("paddleclas.ppcls.utils.logger")
    logger._logger = logging.getLogger("paddleclas")
    return importlib.import_module(f"paddleclas.ppcls.arch.backbone.legendary_models.{module}")


def check_paddleclas(model: Any, tmp_path: Path, label: str, last: Callable[[Any, Any], Any]) -> None:
    rng = np.random.default_rng(3)
    for name, tensor in model.state_dict().items():
        tensor.set_value(filled(name, tuple(tensor.shape), rng))
    model.eval()
    file = tmp_path / "model.pdparams"
    paddle.save(model.state_dict(), str(file))
    ours, count = converted(file, tmp_path, "paddleclas")
    image = paddle.to_tensor(IMAGE)
    compare(f"PaddleClas {label}", count, [ours.backbone(image)[-1]], [last(model, image).numpy()])
