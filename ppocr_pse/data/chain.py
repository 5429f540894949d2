"""The training transforms in order: from an annotation and random numbers to what the network sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.augment import RandomCropImgMask, crop
from ppocr_pse.data.preprocess import DecodeImage, NormalizeImage, ToCHWImage
from ppocr_pse.data.stages import StageClock
from ppocr_pse.data.targets import MakePseGt, Window, make_pse_targets, shrink_text
from ppocr_pse.types import Annotation, PseTargets, Sample

Policy = Callable[[Sample, np.random.Generator], Sample]


@dataclass(frozen=True)
class DetLabelEncode:
    """PaddleOCR's step that parses the labels; reading the label file does it here."""


@dataclass(frozen=True)
class KeepKeys:
    """PaddleOCR's step that orders the batch; the order is fixed here, so it is only checked.

    Args:
        keep_keys: [image, gt_text, gt_kernels, mask] in training, [image, shape, polys, ignore_tags] in evaluation.
    """

    keep_keys: Sequence[str]

    TRAIN = ("image", "gt_text", "gt_kernels", "mask")
    EVAL = ("image", "shape", "polys", "ignore_tags")

    def __post_init__(self) -> None:
        if tuple(self.keep_keys) not in (self.TRAIN, self.EVAL):
            raise ValueError(
                f"KeepKeys: keep_keys is {list(self.keep_keys)}, expected {list(self.TRAIN)} or {list(self.EVAL)}"
            )


@dataclass(frozen=True)
class TrainItem:
    """One sample as the network sees it.

    Attributes:
        image: float32 (3, H, W), normalised.
        targets: maps of the same height and width.
        source: path of the picture.
        seconds: time that each stage took: decode, augment, targets.
    """

    image: npt.NDArray[np.float32]
    targets: PseTargets
    source: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainChain:
    """The training transforms in order: decode, random policies, targets and crop, normalise."""

    decode: DecodeImage
    policies: tuple[Policy, ...]
    targets: MakePseGt
    crop: RandomCropImgMask
    normalize: NormalizeImage

    def __call__(self, annotation: Annotation, rng: np.random.Generator) -> TrainItem:
        """Make one item; every random number comes from ``rng``."""
        clock = StageClock()
        image = self.decode(annotation.image)
        clock.lap("decode")
        sample = Sample(image, annotation.polygons, annotation.ignored, str(annotation.image))
        for policy in self.policies:
            sample = policy(sample, rng)
        sample = enlarge_short_side(sample, self.targets.size)
        clock.lap("augment")
        texts = [
            shrink_text(polygon, bool(ignored), self.targets)
            for polygon, ignored in zip(sample.polygons, sample.ignored, strict=False)
        ]
        height, width = sample.image.shape[:2]
        crop_h, crop_w = self.crop.size  # type: ignore[misc]
        text_map = [piece for text in texts for piece in text.text]
        top, left = self.crop.draw(rng, height, width, text_map)
        targets = make_pse_targets(texts, Window(top, left, crop_h, crop_w), (height, width), len(self.targets.rates))
        clock.lap("targets")
        window = crop(sample, top, left, crop_h, crop_w)
        pixels = ToCHWImage()(self.normalize(window.image))
        clock.lap("augment")
        return TrainItem(pixels, targets, sample.source, clock.seconds)


def enlarge_short_side(sample: Sample, size: int) -> Sample:
    """Scale picture and polygons up until the short side has ``size`` pixels; larger ones stay."""
    height, width = sample.image.shape[:2]
    if min(height, width) >= size:
        return sample
    scale = size / min(height, width)
    image = cv2.resize(sample.image, None, fx=scale, fy=scale)
    polygons = tuple((polygon * scale).astype(np.float32) for polygon in sample.polygons)
    return Sample(image, polygons, sample.ignored, sample.source)
