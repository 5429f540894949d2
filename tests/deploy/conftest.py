"""A network of four layers, which exports in a second, and an export of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn import functional as F

from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.deploy.export import export_model
from ppocr_pse.deploy.spec import InferenceSpec
from ppocr_pse.postprocess import PSEDecoder

PROGRAM = "inference.pdmodel" if paddle.__version__.startswith("2.") else "inference.json"


class TinyNetwork(nn.Layer):
    """Strides and upsampling like the real one's: odd sizes are rounded up at every level."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(8))
        self.fine, self.fine_bn = nn.Conv2D(8, 8, 3, 2, 1), nn.BatchNorm2D(8)
        self.coarse, self.coarse_bn = nn.Conv2D(8, 8, 3, 2, 1, groups=4), nn.BatchNorm2D(8)
        self.head = nn.Conv2D(16, 7, 1)

    def forward(self, x: paddle.Tensor) -> dict[str, paddle.Tensor]:
        c2 = F.relu(self.fine_bn(self.fine(F.hardswish(self.stem(x)))))
        c3 = F.relu(self.coarse_bn(self.coarse(c2)))
        up = F.interpolate(c3, size=c2.shape[2:], mode="bilinear")
        return {"maps": self.head(paddle.concat([c2, up], axis=1)) * 4.0}


def make_network(seed: int = 0) -> TinyNetwork:
    """The network with all its numbers drawn, running statistics too."""
    network, rng = TinyNetwork(), np.random.default_rng(seed)
    for name, tensor in network.state_dict().items():
        low = 0.5 if "_variance" in name or "bn.weight" in name or "stem.1.weight" in name else -0.5
        tensor.set_value(rng.uniform(low, low + 1.0, tensor.shape).astype(np.float32))
    network.eval()
    return network


def make_spec() -> InferenceSpec:
    preprocess = Preprocess(DecodeImage(img_mode="BGR"), DetResizeForTest(limit_side_len=64), NormalizeImage())
    decoder = PSEDecoder(thresh=0.0, box_thresh=0.5, min_area=4, scale=1)
    return InferenceSpec(preprocess, decoder, {"Backbone": {"name": "Tiny", "layers": 4}})


def names_in(folder: Path) -> list[str]:
    """What a folder holds, hidden files too, sorted."""
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture(scope="session")
def network() -> TinyNetwork:
    """Not to be changed."""
    paddle.set_device("cpu")
    return make_network()


@pytest.fixture(scope="session")
def folder(network: TinyNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of it, not to be changed; with ONNX where paddle2onnx is installed."""
    folder = tmp_path_factory.mktemp("export")
    export_model(network, make_spec(), folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two pictures and a file that is none."""
    import cv2

    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in ("a.png", "b.png"):
        picture = rng.integers(0, 255, (9, 13, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(picture, (110, 80), interpolation=cv2.INTER_CUBIC))
    (folder / "notes.txt").write_text("not a picture")
    return folder
