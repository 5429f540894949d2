"""The training transforms in order: from an annotation and random numbers to what the network sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask, crop
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.augment.moves import enlarge_to
from ppocr_pse.data.augment.paste import CopyPaste
from ppocr_pse.data.pictures import PictureReader, size_of, whole
from ppocr_pse.data.preprocess import DecodeImage, ImageError, NormalizeImage
from ppocr_pse.data.reader.stages import StageClock
from ppocr_pse.data.targets import MakePseGt, Window, text_pieces, window_targets
from ppocr_pse.data.window import draw_plan, obstacle, render
from ppocr_pse.types import Annotation, Polygon, PseTargets, Sample

Policy = ColorJitter | IaaAugment | EastRandomCropData | CopyPaste
Made = tuple[npt.NDArray[np.uint8], PseTargets]


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
    """One sample on its way to the network.

    Attributes:
        image: uint8 (3, H, W), not yet normalised: that is done on the device, see NormalizeImage.on_device.
        targets: maps of the same height and width.
        source: path of the picture.
        seconds: time that each stage took: decode, augment, targets.
    """

    image: npt.NDArray[np.uint8]
    targets: PseTargets
    source: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainChain:
    """The training transforms in order: decode, random policies, targets and crop.

    Attributes:
        decode: how files become pictures.
        policies: random changes, in order.
        targets: how polygons become maps.
        crop: chooses the window; None when a policy has cut it already.
        normalize: what the device is to do with the pixels.
        fast: go by one warp of the crop window, see window.py; None: where nothing stands in the way.
        read: how a picture is read; a cache may stand in. ``decode.read`` when absent.
        donors: pictures that CopyPaste takes texts from.
    """

    decode: DecodeImage
    policies: tuple[Policy, ...]
    targets: MakePseGt
    crop: RandomCropImgMask | None
    normalize: NormalizeImage
    fast: bool | None = None
    read: PictureReader | None = None
    donors: tuple[Annotation, ...] = ()

    def __post_init__(self) -> None:
        if self.fast and self.obstacle:
            raise ValueError(f"the fast path cannot be taken: {self.obstacle}")
        if any(isinstance(policy, CopyPaste) for policy in self.policies) and not self.donors:
            raise ValueError("CopyPaste needs pictures to take texts from, but there are none")

    def __call__(self, annotation: Annotation, rng: np.random.Generator) -> TrainItem:
        """Make one item; every random number comes from ``rng``.

        Raises:
            ImageError: if the picture cannot be read.
        """
        clock = StageClock()
        image, targets = (self._warped if self.warps else self._plain)(annotation, rng, clock)
        pixels = np.empty((3, *image.shape[:2]), np.uint8)
        cv2.mixChannels([image], list(pixels), [0, 0, 1, 1, 2, 2])
        clock.lap("augment")
        return TrainItem(pixels, targets, str(annotation.image), clock.seconds)

    @property
    def obstacle(self) -> str | None:
        """Why the fast path cannot be taken, if so."""
        return "there is no RandomCropImgMask" if self.crop is None else obstacle(self.policies)

    @property
    def warps(self) -> bool:
        """Whether the fast path is taken."""
        return self.obstacle is None if self.fast is None else self.fast

    def describe(self) -> str:
        """Which way samples are made, for the log."""
        if self.warps:
            return "one warp of the crop window a sample (fast)"
        return f"transforms one after the other ({self.obstacle or 'fast: false'})"

    def _warped(self, annotation: Annotation, rng: np.random.Generator, clock: StageClock) -> Made:
        """Draw the numbers, read the picture as small as they allow, and warp the window out of it."""
        plan = draw_plan(self.policies, self.targets.size, rng)  # type: ignore[arg-type]  # held by __post_init__
        picture = (self.read or self.decode.read)(annotation.image, plan.reduction)
        clock.lap("decode")
        steps = plan.steps(picture.size)
        polygons = annotation.polygons
        for step in steps:
            polygons = step.polygons(polygons)
        window, targets = self._draw(polygons, annotation.ignored, steps[-1].size if steps else picture.size, rng)
        clock.lap("targets")
        image = render(picture, steps, window, plan.colour)
        clock.lap("augment")
        return image, targets

    def _plain(self, annotation: Annotation, rng: np.random.Generator, clock: StageClock) -> Made:
        """Change the whole picture step by step, and cut the window out of it at the end."""
        sample = self._load(annotation)
        clock.lap("decode")
        for policy in self.policies:
            if isinstance(policy, CopyPaste):
                sample = policy(sample, rng, lambda: self._donor(rng))
            else:
                sample = policy(sample, rng)
        sample = enlarge_short_side(sample, self.targets.size)
        clock.lap("augment")
        window, targets = self._draw(sample.polygons, sample.ignored, size_of(sample.image), rng)
        clock.lap("targets")
        return crop(sample, window.top, window.left, window.height, window.width).image, targets

    def _draw(
        self,
        polygons: Sequence[Polygon],
        ignored: npt.NDArray[np.bool_],
        size: tuple[int, int],
        rng: np.random.Generator,
    ) -> tuple[Window, PseTargets]:
        """Choose the window of a picture of (height, width) and draw its maps."""
        window = Window(0, 0, *size)
        if self.crop is not None:
            text_map = [piece for polygon in polygons for piece in text_pieces(polygon, self.targets)]
            window = Window(*self.crop.draw(rng, *size, text_map), *self.crop.size)  # type: ignore[misc]
        return window, window_targets(polygons, ignored, window, size, self.targets)

    def _load(self, annotation: Annotation) -> Sample:
        picture = (self.read or self.decode.read)(annotation.image, whole)
        return Sample(picture.pixels, annotation.polygons, annotation.ignored, str(annotation.image))

    def _donor(self, rng: np.random.Generator) -> Sample | None:
        try:
            return self._load(self.donors[int(rng.integers(len(self.donors)))])
        except ImageError:  # named when it is that picture's own turn
            return None


def enlarge_short_side(sample: Sample, size: int) -> Sample:
    """Scale picture and polygons up until the short side has ``size`` pixels; larger ones stay."""
    move = enlarge_to(size_of(sample.image), size)
    if move is None:
        return sample
    factor = float(move.matrix[0, 0])
    image = cv2.resize(sample.image, None, fx=factor, fy=factor)
    return replace(sample, image=image, polygons=move.polygons(sample.polygons))
