"""MindOCR's PSENet with random weights: `python -m tests.convert.mindocr_network r50|r152|mv3 FOLDER`.

Reads FOLDER/image.npy, writes FOLDER/psenet.ckpt and FOLDER/maps.npy, the network's output for the picture. The
definition is MindOCR's own; its packages are imported without their `__init__`, which ask for all of MindOCR.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.convert.networks import LAYERS, bare_package, filled

PACKAGES = (
    "",
    ".utils",
    ".models",
    ".models.utils",
    ".models.backbones",
    ".models.backbones.mindcv_models",
    ".models.necks",
    ".models.heads",
)


def build(kind: str) -> Any:
    import mindspore as ms

    for package in PACKAGES:
        bare_package(f"mindocr{package}")
    fpn = importlib.import_module("mindocr.models.necks.fpn").PSEFPN
    head = importlib.import_module("mindocr.models.heads.det_pse_head").PSEHead
    if kind == "mv3":
        mobilenet = importlib.import_module("mindocr.models.backbones.det_mobilenet").DetMobileNetV3
        parameters = {"se_version": "SqueezeExciteV2", "always_expand": True}
        backbone = mobilenet("large", alpha=0.5, out_stages=[5, 8, 14, 20], bottleneck_params=parameters)
    else:
        resnet = importlib.import_module("mindocr.models.backbones.det_resnet")
        backbone = resnet.DetResNet(resnet.Bottleneck, list(LAYERS[int(kind[1:])]))
    width, hidden = {"mv3": (96, 96), "r152": (128, 256)}.get(kind, (256, 256))

    class PSENet(ms.nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.neck = fpn(backbone.out_channels, width)
            self.head = head(width, hidden, 7)

        def construct(self, x: Any) -> Any:
            return self.head(self.neck(self.backbone(x)))

    model = PSENet()
    rng = np.random.default_rng(3)
    for parameter in model.get_parameters():
        parameter.set_data(ms.Tensor(filled(parameter.name, parameter.shape, rng)))
    return model.set_train(False)


def main(kind: str, folder: Path) -> None:
    import mindspore as ms

    model = build(kind)
    ms.save_checkpoint(model, str(folder / "psenet.ckpt"))
    np.save(folder / "maps.npy", model(ms.Tensor(np.ascontiguousarray(np.load(folder / "image.npy")))).asnumpy())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
