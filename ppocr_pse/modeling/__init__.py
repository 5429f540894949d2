"""The network: backbone (c2..c5), feature pyramid (p2..p5), PSE head (maps)."""

from ppocr_pse.modeling.backbones.mobilenet_v3 import MobileNetV3
from ppocr_pse.modeling.backbones.resnet import ResNet
from ppocr_pse.modeling.backbones.resnet_vd import ResNetVd
from ppocr_pse.modeling.fpn import FPN
from ppocr_pse.modeling.head import PSEHead
from ppocr_pse.modeling.psenet import PSENet

__all__ = ["FPN", "MobileNetV3", "PSEHead", "PSENet", "ResNet", "ResNetVd"]
