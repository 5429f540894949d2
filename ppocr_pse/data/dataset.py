"""Label files and transform chains to samples: one key in, one training item or one named fault out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.augment import RandomCropImgMask, crop
from ppocr_pse.data.labels import LabelError, LabelFile
from ppocr_pse.data.preprocess import DecodeImage, NormalizeImage, ToCHWImage
from ppocr_pse.data.targets import MakePseGt, Window, make_pse_targets, shrink_text
from ppocr_pse.types import Annotation, PseTargets, Sample

Policy = Callable[[Sample, np.random.Generator], Sample]
Key = tuple[int, int]
"""(epoch, index): what a sample is drawn for; its random numbers depend on nothing else but the seed."""


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
    """

    image: npt.NDArray[np.float32]
    targets: PseTargets
    source: str


@dataclass(frozen=True)
class SampleFault:
    """A picture that could not be used, and why."""

    source: str
    message: str


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
        image = self.decode(annotation.image)
        sample = Sample(image, annotation.polygons, annotation.ignored, str(annotation.image))
        for policy in self.policies:
            sample = policy(sample, rng)
        sample = enlarge_short_side(sample, self.targets.size)
        texts = [
            shrink_text(polygon, bool(ignored), self.targets)
            for polygon, ignored in zip(sample.polygons, sample.ignored, strict=False)
        ]
        height, width = sample.image.shape[:2]
        crop_h, crop_w = self.crop.size  # type: ignore[misc]
        text_map = [piece for text in texts for piece in text.text]
        top, left = self.crop.draw(rng, height, width, text_map)
        targets = make_pse_targets(texts, Window(top, left, crop_h, crop_w), (height, width), len(self.targets.rates))
        window = crop(sample, top, left, crop_h, crop_w)
        return TrainItem(ToCHWImage()(self.normalize(window.image)), targets, sample.source)


def enlarge_short_side(sample: Sample, size: int) -> Sample:
    """Scale picture and polygons up until the short side has ``size`` pixels; larger ones stay."""
    height, width = sample.image.shape[:2]
    if min(height, width) >= size:
        return sample
    scale = size / min(height, width)
    image = cv2.resize(sample.image, None, fx=scale, fy=scale)
    polygons = tuple((polygon * scale).astype(np.float32) for polygon in sample.polygons)
    return Sample(image, polygons, sample.ignored, sample.source)


class PseDataset:
    """Annotations with their transform chain; looked up by (epoch, index).

    Args:
        annotations: usable lines of all label files.
        chain: the training transforms.
        seed: start of every random stream: item (epoch, index) draws from default_rng((seed, epoch, index)).
    """

    def __init__(self, annotations: Sequence[Annotation], chain: TrainChain, seed: int) -> None:
        self.annotations = tuple(annotations)
        self.chain = chain
        self.seed = seed

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.annotations)

    def __getitem__(self, key: Key) -> TrainItem | SampleFault:
        """Make one item, or tell why it cannot be made: no other picture takes its place."""
        epoch, index = key
        annotation = self.annotations[index]
        rng = np.random.default_rng((self.seed, epoch, index))
        try:
            return self.chain(annotation, rng)
        except (ValueError, ArithmeticError, MemoryError, cv2.error) as error:
            reason = str(error).strip() or type(error).__name__
            return SampleFault(str(annotation.image), f"{annotation.source}: {reason}")


@dataclass(frozen=True)
class AnnotationPool:
    """The lines of several label files, with what was left out and how much of each file an epoch takes.

    Attributes:
        annotations: the usable lines of all files, in order.
        shares: (number of lines, ratio) of each file.
        problems: a message for each label or picture that was left out, starting with ``FILE:LINE``.
    """

    annotations: tuple[Annotation, ...]
    shares: tuple[tuple[int, float], ...]
    problems: tuple[str, ...]


def pool_annotations(files: Sequence[LabelFile], ratios: Sequence[float], drop_missing: bool) -> AnnotationPool:
    """Put label files together and look whether their pictures exist.

    Args:
        files: what was read.
        ratios: share of each file that an epoch takes; above 1 repeats.
        drop_missing: leave lines out whose picture does not exist (training); evaluation keeps them,
            since their texts count as missed.

    Raises:
        LabelError: if no picture of any file exists.
    """
    annotations: list[Annotation] = []
    problems: list[str] = []
    shares = []
    missing = 0
    for file, ratio in zip(files, ratios, strict=False):
        problems.extend(file.problems)
        before = len(annotations)
        for annotation in file.annotations:
            if not annotation.image.is_file():
                missing += 1
                problems.append(f"{annotation.source}: no picture at {annotation.image}")
                if drop_missing:
                    continue
            annotations.append(annotation)
        shares.append((len(annotations) - before, ratio))
    total = sum(len(file.annotations) for file in files)
    if total and missing == total:
        first = files[0].annotations[0]
        raise LabelError(
            f"none of the {total} pictures exists; the first would be {first.image} ({first.source}). "
            "Check data_dir: picture paths in the label file are relative to it"
        )
    return AnnotationPool(tuple(annotations), tuple(shares), tuple(problems))
