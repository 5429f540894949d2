"""Random changes of a sample: `draw` takes numbers from a generator, `apply` uses them and is deterministic."""

from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.augment.paste import CopyPaste

__all__ = ["ColorJitter", "CopyPaste", "EastRandomCropData", "IaaAugment", "RandomCropImgMask"]
