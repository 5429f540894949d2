"""Which class or function a name in a configuration stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.augment.paste import CopyPaste
from ppocr_pse.data.chain import DetLabelEncode, KeepKeys
from ppocr_pse.data.formats import FORMATS
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, ToCHWImage
from ppocr_pse.data.targets import MakePseGt
from ppocr_pse.engine.optim import OPTIMIZERS
from ppocr_pse.engine.schedules import SCHEDULES
from ppocr_pse.losses import PSELoss
from ppocr_pse.metrics import DetMetric
from ppocr_pse.modeling import FPN, MobileNetV3, PSEHead, ResNet, ResNetVd
from ppocr_pse.postprocess import PSEDecoder

Table = Mapping[str, Callable[..., Any]]

BACKBONES: Table = MappingProxyType({"ResNet_vd": ResNetVd, "ResNet": ResNet, "MobileNetV3": MobileNetV3})
NECKS: Table = MappingProxyType({"FPN": FPN})
HEADS: Table = MappingProxyType({"PSEHead": PSEHead})
LOSSES: Table = MappingProxyType({"PSELoss": PSELoss})
POSTPROCESSES: Table = MappingProxyType({"PSEPostProcess": PSEDecoder})
METRICS: Table = MappingProxyType({"DetMetric": DetMetric})
TRANSFORMS: Table = MappingProxyType(
    {
        "DecodeImage": DecodeImage,
        "DetLabelEncode": DetLabelEncode,
        "ColorJitter": ColorJitter,
        "IaaAugment": IaaAugment,
        "EastRandomCropData": EastRandomCropData,
        "CopyPaste": CopyPaste,
        "MakePseGt": MakePseGt,
        "RandomCropImgMask": RandomCropImgMask,
        "DetResizeForTest": DetResizeForTest,
        "NormalizeImage": NormalizeImage,
        "ToCHWImage": ToCHWImage,
        "KeepKeys": KeepKeys,
    }
)

__all__ = [
    "BACKBONES",
    "FORMATS",
    "HEADS",
    "LOSSES",
    "METRICS",
    "NECKS",
    "OPTIMIZERS",
    "POSTPROCESSES",
    "SCHEDULES",
    "TRANSFORMS",
    "Table",
]
