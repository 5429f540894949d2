from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from ppocr_pse.build import build_model
from ppocr_pse.deploy.export import ExportError, export_model
from ppocr_pse.deploy.fold import fold_batch_norm
from ppocr_pse.deploy.probe import probe_input, relative_difference
from tests.deploy.conftest import TinyNetwork, make_spec

BACKBONES = [{"name": "ResNet_vd", "layers": 18}, {"name": "MobileNetV3", "model_name": "small", "scale": 0.35}]


def normalisations(model: nn.Layer) -> int:
    return sum(isinstance(layer, nn.BatchNorm2D) for layer in model.sublayers())


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone["name"])
def test_folding_leaves_no_normalisation_and_changes_nothing(backbone: dict) -> None:
    neck, head = {"name": "FPN", "out_channels": 8}, {"name": "PSEHead", "hidden_dim": 8}
    model = build_model({"Backbone": backbone, "Neck": neck, "Head": head})
    rng = np.random.default_rng(0)
    for name, tensor in model.state_dict().items():  # statistics that are not 0 and 1
        if name.endswith(("_mean", "bias")):
            tensor.set_value(rng.normal(0, 0.2, tensor.shape).astype(np.float32))
        if name.endswith(("_variance", "norm.weight", "bn.weight")):
            tensor.set_value(rng.uniform(0.5, 2, tensor.shape).astype(np.float32))
    model.eval()
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    picture = paddle.to_tensor(probe_input(80, 96))
    expected = model(picture)["maps"].numpy()
    folded, count = fold_batch_norm(model, picture)
    assert count == normalisations(model) > 0
    assert normalisations(folded) == 0
    assert relative_difference(folded(picture)["maps"].numpy(), expected) < 2e-5
    for name, tensor in model.state_dict().items():
        assert (tensor.numpy() == before[name]).all(), name


def test_a_normalisation_without_a_convolution_before_it_stays() -> None:
    model = nn.Sequential(nn.Conv2D(3, 4, 1), nn.ReLU(), nn.BatchNorm2D(4))
    folded, count = fold_batch_norm(model, paddle.zeros([1, 3, 8, 8]))
    assert count == 0
    assert normalisations(folded) == 1


def test_an_output_that_is_used_twice_is_noticed(tmp_path) -> None:
    class Twice(TinyNetwork):
        def forward(self, x: paddle.Tensor) -> dict[str, paddle.Tensor]:
            y = self.stem[0](x)
            return {"maps": self.head(paddle.concat([self.stem[1](y), y], axis=1))}

    model = Twice()
    model.stem[1]._mean.set_value(np.full(8, 3, np.float32))
    with pytest.raises(ExportError, match="twice"):
        export_model(model, make_spec(), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
