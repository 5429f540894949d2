"""imgaug's augmenters by name: `draw` takes random numbers, `apply` uses them; polygons always follow the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ppocr_pse import polygons as geometry
from ppocr_pse.data.augment.imgaug_compat import load_augmenters
from ppocr_pse.data.augment.imgaug_specs import FAULTS, AugmenterSpec, build_augmenter, parse_augmenter
from ppocr_pse.data.augment.moves import Move, Size, mirror, rotate, scale_by, split_like
from ppocr_pse.data.pictures import size_of
from ppocr_pse.types import Polygon, Sample

Rng = np.random.Generator
MIN_REMAINING = 0.2  # a text of which less is left in the picture can hardly be told from clutter: don't-care
FAR = 1e6  # pixels; a point thrown further out by a perspective is as good as there


Drawn = tuple[AugmenterSpec, float]
"""An augmenter with the number drawn for it, see AugmenterSpec.draw."""

DEFAULT_AUGMENTERS = (
    {"type": "Fliplr", "args": {"p": 0.5}},
    {"type": "Affine", "args": {"rotate": [-10, 10]}},
    {"type": "Resize", "args": {"size": [0.5, 3]}},
)


class IaaAugment:
    """imgaug augmenters, applied in list order.

    Resize, Fliplr and Affine rotation are drawn here and handed to imgaug as fixed numbers, so that PaddleOCR's
    meaning holds: Resize takes one factor for both axes, sizes are cut to whole pixels, bilinear; any other
    augmenter of ``imgaug.augmenters`` (``pillike.Name`` and ``imgcorruptlike.Name`` too) is built by name and seeded
    with a drawn number.

    Polygons may leave the picture after those three, as in PaddleOCR. All others can bend an outline so that
    it crosses itself, or cut texts off for good: their texts are mended and cut at the border, see ``mend_polygons``.

    Args:
        augmenter_args: list of {type, args}; PaddleOCR's default chain when absent.

    Raises:
        ValueError: at construction, for an unknown augmenter or arguments that it refuses, when it is made or when
            it is tried on a small picture.
    """

    def __init__(self, augmenter_args: Sequence[Any] | None = None) -> None:
        entries = DEFAULT_AUGMENTERS if augmenter_args is None else augmenter_args
        self.specs = tuple(parse_augmenter(entry) for entry in entries)
        trial = Sample(np.full((64, 64, 3), 99, np.uint8), (), np.zeros(0, bool), "a trial picture")
        for spec in self.specs:
            spec.check()
            if spec.spread is None:
                apply_other(spec, 0, trial)

    def draw(self, rng: Rng) -> list[Drawn]:
        """Draw one number for each augmenter, in list order."""
        return [(spec, spec.draw(rng)) for spec in self.specs]

    @staticmethod
    def apply(sample: Sample, drawn: Sequence[Drawn]) -> Sample:
        """Apply what was drawn, one augmenter after the other."""
        for spec, number in drawn:
            if spec.spread is None:
                sample = apply_other(spec, int(number), sample)
                continue
            move = planned_move(spec, number, size_of(sample.image))
            if move is not None:
                image = _fixed(spec, number, move).augment_image(sample.image)
                sample = replace(sample, image=image, polygons=move.polygons(sample.polygons))
        return sample

    def __call__(self, sample: Sample, rng: Rng) -> Sample:
        """Draw and apply."""
        return self.apply(sample, self.draw(rng))


def planned_move(spec: AugmenterSpec, number: float, size: Size) -> Move | None:
    """What a Resize, Fliplr or Affine rotation does to a picture of a size; None when it is drawn to do nothing."""
    if spec.name == "Resize":
        return scale_by(size, number)
    if spec.name == "Fliplr":
        return mirror(size) if number else None
    return rotate(size, number)


def _fixed(spec: AugmenterSpec, number: float, move: Move) -> Any:
    iaa = load_augmenters()
    if spec.name == "Resize":
        return iaa.Resize({"height": move.size[0], "width": move.size[1]}, interpolation="linear")
    return iaa.Fliplr(1.0) if spec.name == "Fliplr" else iaa.Affine(rotate=number)


def apply_other(spec: AugmenterSpec, seed: int, sample: Sample) -> Sample:
    """Build any augmenter of imgaug and apply it; the same seed gives the same sample.

    Raises:
        ValueError: if there is no such augmenter, or it refuses its arguments or the picture.
    """
    import imgaug

    imgaug.seed(seed)  # some augmenters make others inside, which take the global generator
    augmenter = build_augmenter(spec, np.random.default_rng(seed))
    try:
        return apply_augmenter(augmenter, sample)
    except FAULTS as error:
        given = dict(spec.args) or list(spec.positional)
        raise ValueError(
            f"IaaAugment: {spec.name} with {given} fails on {sample.source}: {str(error)[:400]}"
        ) from error


def apply_augmenter(augmenter: Any, sample: Sample) -> Sample:
    """Apply an imgaug augmenter to the picture and to all its polygons in one go, and mend what it broke."""
    from imgaug.augmentables import Keypoint, KeypointsOnImage

    fixed = augmenter.to_deterministic()
    image = np.ascontiguousarray(fixed.augment_image(sample.image))
    if not sample.polygons:
        return replace(sample, image=image)
    points = np.concatenate(sample.polygons)
    keypoints = KeypointsOnImage([Keypoint(x, y) for x, y in points.tolist()], shape=sample.image.shape)
    moved = fixed.augment_keypoints(keypoints).to_xy_array().astype(np.float32)
    if np.array_equal(moved, points) and image.shape == sample.image.shape:  # only the colours changed
        return replace(sample, image=image)
    return mend_polygons(replace(sample, image=image, polygons=split_like(moved, sample.polygons)))


def mend_polygons(sample: Sample) -> Sample:
    """Make outlines usable again after a step that may have bent or cut them; no text is dropped.

    An outline that crosses itself is untangled (``polygons.uncross``). What lies beyond the picture is cut off at the
    border; a text of which less than a fifth remains becomes don't-care. A text that is wholly outside stays there,
    where it draws nothing.
    """
    height, width = sample.image.shape[:2]
    ignored = sample.ignored.copy()
    mended: list[Polygon] = []
    for i, polygon in enumerate(sample.polygons):
        outline = geometry.uncross(np.nan_to_num(polygon, posinf=FAR, neginf=-FAR).clip(-FAR, FAR))
        inside = geometry.intersect_rectangle(outline, width, height)
        if inside is not None:
            ignored[i] |= geometry.area(inside) < MIN_REMAINING * geometry.area(outline)
        mended.append(outline if inside is None else inside)
    return replace(sample, polygons=tuple(mended), ignored=ignored)
