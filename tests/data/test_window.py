"""The fast path against the plain chain: the same maps for the same numbers, the same pixels where that can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.augment.moves import Move, enlarge_to, mirror, rotate, scale_by
from ppocr_pse.data.chain import TrainChain, TrainItem
from ppocr_pse.data.pictures import Picture, whole
from ppocr_pse.data.preprocess import DecodeImage, NormalizeImage
from ppocr_pse.data.targets import MakePseGt, Window
from ppocr_pse.data.window import compose, draw_plan, obstacle, render
from ppocr_pse.types import Annotation
from tests.data.test_pictures import write_jpeg

RESIZE = {"type": "Resize", "args": {"size": [0.5, 3]}}
FLIP = {"type": "Fliplr", "args": {"p": 0.5}}
TURN = {"type": "Affine", "args": {"rotate": [-10, 10]}}
COLOUR = ColorJitter(0.125, saturation=0.5)
SHAPE = (90, 150)


def scene() -> np.ndarray:
    """Smooth, so that interpolation changes little; columns and rows rise by one grey level a pixel."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.stack([20 + x, 60 + y, 140 - (x + y) / 2], axis=2).astype(np.uint8)


def rectangle(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


@pytest.fixture
def annotation(tmp_path: Path) -> Annotation:
    cv2.imwrite(str(tmp_path / "scene.png"), scene())
    curved = np.array([[90, 50], [105, 44], [120, 50], [120, 64], [105, 58], [90, 64]], np.float32)
    polygons = (
        rectangle(10, 8, 40, 14),
        rectangle(70, 20, 50, 12),
        curved,
        rectangle(5, 70, 30, 4),
        rectangle(130, 80, 40, 30),
    )
    ignored = np.array([False, False, False, False, True])
    return Annotation(tmp_path / "scene.png", polygons, ignored, ("",) * 5, "label.txt:1")


def chain(augmenters: list[Any], colour: ColorJitter = COLOUR, size: int = 64, **changes: Any) -> TrainChain:
    made = TrainChain(
        DecodeImage("BGR"),
        (colour, IaaAugment(augmenters)),
        MakePseGt(size=size),
        RandomCropImgMask([64, 64]),
        NormalizeImage(),
        fast=True,
    )
    return replace(made, **changes)


def both(fast: TrainChain, annotation: Annotation, seed: int) -> tuple[TrainItem, TrainItem]:
    plain = replace(fast, fast=False)
    return fast(annotation, np.random.default_rng(seed)), plain(annotation, np.random.default_rng(seed))


def same_maps(a: TrainItem, b: TrainItem) -> None:
    for key in ("text", "kernels", "mask"):
        np.testing.assert_array_equal(getattr(a.targets, key), getattr(b.targets, key), err_msg=key)


@pytest.mark.parametrize("target", ["ppocr", "paper"])
@pytest.mark.parametrize("order", [(RESIZE, FLIP, TURN), (FLIP, TURN, RESIZE)])
def test_the_same_numbers_give_the_same_maps_and_nearly_the_same_pixels(
    annotation: Annotation, order: tuple[Any, ...], target: str
) -> None:
    fast = chain(list(order), targets=MakePseGt(size=64, target=target))
    differences, with_text = [], 0
    for seed in range(60):
        a, b = both(fast, annotation, seed)
        same_maps(a, b)
        with_text += bool(a.targets.text.any())
        gaps = np.abs(a.image.astype(int) - b.image)
        differences.append(gaps.mean())
        assert np.median(gaps) <= 2, seed
    assert with_text > 30
    assert np.mean(differences) < 1.5


def test_without_scaling_and_turning_every_pixel_is_the_same(annotation: Annotation) -> None:
    windows = set()
    for seed in range(40):
        a, b = both(chain([FLIP]), annotation, seed)
        same_maps(a, b)
        np.testing.assert_array_equal(a.image, b.image)
        windows.add(a.image.tobytes())
    assert len(windows) > 30


def test_both_draw_from_the_same_distribution(annotation: Annotation) -> None:
    """Seeds of their own; scale from the slope of the scene, texts and kernels from the maps, 4 standard errors."""
    fast = chain([RESIZE, FLIP, TURN], ColorJitter())
    plain = replace(fast, fast=False)

    def figures(item: TrainItem) -> list[float]:
        slope = np.hypot(*np.gradient(cv2.GaussianBlur(item.image[0].astype(np.float32), (0, 0), 3)))
        kernels = item.targets.kernels.reshape(7, -1).mean(axis=1)
        return [1 / np.median(slope[8:-8, 8:-8]), item.targets.text.mean(), *kernels, item.targets.mask.mean()]

    count = 200
    ours = np.array([figures(fast(annotation, np.random.default_rng(i))) for i in range(count)])
    theirs = np.array([figures(plain(annotation, np.random.default_rng(count + i))) for i in range(count)])
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / count)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error).all()
    assert ours[:, 0].min() < 0.9 and ours[:, 0].max() > 2.5  # 0.71 (64 / 90) to 3
    spread = np.sort(ours[:, 0]), np.sort(theirs[:, 0])
    assert np.abs(spread[0] - spread[1]).max() < 0.4


def test_corners_that_a_turn_leaves_empty_are_black(annotation: Annotation) -> None:
    turned = chain(
        [{"type": "Affine", "args": {"rotate": 30}}], crop=RandomCropImgMask([90, 90]), targets=MakePseGt(size=90)
    )
    shares = []
    for seed in range(20):
        a, b = both(turned, annotation, seed)
        black = [(item.image == 0).all(axis=0) for item in (a, b)]
        edge = cv2.dilate(black[1].astype(np.uint8), np.ones((3, 3))) != cv2.erode(
            black[1].astype(np.uint8), np.ones((3, 3))
        )
        np.testing.assert_array_equal(black[0][~edge], black[1][~edge])
        shares.append(black[0].mean())
    assert max(shares) > 0.1


def test_a_canvas_smaller_than_the_window_is_filled_up_with_black(annotation: Annotation) -> None:
    """A turned picture of 90 x 150 in a window of 128 x 128: nothing is below row 90, as the canvas ends there."""
    small = chain([TURN], crop=RandomCropImgMask([128, 128]))
    a, b = both(small, annotation, 3)
    same_maps(a, b)
    assert a.image.shape == b.image.shape == (3, 128, 128)
    assert a.image[:, 90:].max() == b.image[:, 90:].max() == 0 and a.image[:, 80:90].max() > 0


def test_contrast_looks_at_the_whole_picture_as_the_plain_chain_does(annotation: Annotation) -> None:
    colour = ColorJitter(brightness=0.2, contrast=0.5, saturation=0.2, hue=0.1)
    for seed in range(20):
        a, b = both(chain([FLIP], colour), annotation, seed)
        assert np.abs(a.image.astype(int) - b.image).max() <= 2


def picture_of(image: np.ndarray, reduction: int = 1) -> Picture:
    return Picture(image, (image.shape[0] * reduction, image.shape[1] * reduction), reduction)


@pytest.mark.parametrize("size", [(64, 96), (37, 53)])
def test_every_move_lands_where_opencv_puts_it(size: tuple[int, int]) -> None:
    """Sub-windows of a picture enlarged 2.5 times equal the same parts of cv2.resize."""
    image = cv2.resize(scene(), size[::-1])
    steps = [scale_by(size, 2.5)]
    expected = cv2.resize(image, steps[0].size[::-1])
    for top, left in ((0, 0), (30, 41), (steps[0].size[0] - 50, steps[0].size[1] - 50)):
        part = render(picture_of(image), steps, Window(top, left, 50, 50), [])
        assert np.abs(part.astype(int) - expected[top : top + 50, left : left + 50]).max() <= 1
    flipped = render(picture_of(image), [mirror(size)], Window(3, 5, 20, 30), [])
    np.testing.assert_array_equal(flipped, image[:, ::-1][3:23, 5:35])
    quarter = render(
        picture_of(image[:, : size[0]]), [rotate((size[0], size[0]), 90)], Window(0, 0, size[0], size[0]), []
    )
    np.testing.assert_array_equal(quarter, np.rot90(image[:, : size[0]], -1))


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    """Two bright and two dark columns in turn become grey at a quarter of the size, wherever the window begins."""
    stripes = np.zeros((200, 300, 3), np.uint8)
    stripes[:, 0::4] = stripes[:, 3::4] = 255
    part = render(picture_of(stripes), [scale_by((200, 300), 0.25)], Window(4, 7, 32, 32), [])
    assert part.min() >= 126 and part.max() <= 129


@pytest.mark.parametrize("reduction", [2, 4])
def test_a_picture_decoded_at_a_reduced_size_lands_in_the_same_place(reduction: int) -> None:
    """A ramp of 200 x 400 against the same ramp averaged over cells, shrunk to a quarter."""
    ramp = np.repeat(np.repeat(np.linspace(0, 255, 400)[None, :, None], 200, axis=0), 3, axis=2)
    small = cv2.resize(ramp, (400 // reduction, 200 // reduction), interpolation=cv2.INTER_AREA)
    steps = [scale_by((200, 400), 0.25), rotate((50, 100), 8)]
    full, reduced = (
        render(picture_of(image.round().astype(np.uint8), r), steps, Window(5, 20, 40, 60), [])
        for image, r in ((ramp, 1), (small, reduction))
    )
    assert np.abs(full.astype(int) - reduced).max() <= 3


def test_large_jpegs_are_decoded_only_as_large_as_needed(tmp_path: Path) -> None:
    y, x = np.mgrid[:800, :1200]
    image = np.stack([x / 5, y / 4, (x + y) / 10], axis=2).astype(np.uint8)
    path = write_jpeg(tmp_path / "large.jpg", image, orientation=6)
    annotation = Annotation(path, (rectangle(100, 200, 400, 200),), np.array([False]), ("",), "label.txt:1")
    seen = []

    def reader(path: Path, reduction_for: Any) -> Picture:
        seen.append(DecodeImage("BGR").read(path, reduction_for))
        return seen[-1]

    shrink = chain([{"type": "Resize", "args": {"size": [0.1, 0.3]}}, FLIP, TURN], ColorJitter())
    for seed in range(12):
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        a = replace(shrink, read=reader)(annotation, rng)
        b = replace(shrink, read=lambda path, _: DecodeImage("BGR").read(path, whole))(annotation, again)
        same_maps(a, b)
        assert np.percentile(np.abs(a.image.astype(int) - b.image), 99) <= 4
    assert {picture.reduction for picture in seen} == {2, 4, 8}
    assert {picture.size for picture in seen} == {(1200, 800)}


def test_the_plan_asks_for_no_more_than_the_last_enlargement_leaves() -> None:
    """Resize 0.1 of 400 x 600 would be 40 x 60, but the short side is brought to 160: 0.4 in all, every 2nd pixel."""
    plan = draw_plan([IaaAugment([{"type": "Resize", "args": {"size": [0.1, 0.1]}}])], 160, np.random.default_rng(0))
    assert plan.reduction(400, 600) == 2 and plan.reduction(160, 160) == 1
    assert plan.steps((400, 600))[-1].size == (160, 240)


def test_a_picture_in_a_cache_is_not_written_to(annotation: Annotation) -> None:
    kept = scene()
    kept.flags.writeable = False
    for fast in (True, False):
        made = chain([RESIZE, FLIP, TURN], fast=fast, read=lambda path, wish: picture_of(kept))
        for seed in range(3):
            made(annotation, np.random.default_rng(seed))
    np.testing.assert_array_equal(kept, scene())


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ((COLOUR, IaaAugment([RESIZE, FLIP, TURN])), None),
        ((IaaAugment(),), None),
        ((), None),
        ((IaaAugment(), COLOUR), "ColorJitter stands after IaaAugment"),
        ((IaaAugment([TURN, RESIZE, TURN]),), "more than once"),
        ((IaaAugment([{"type": "GaussianBlur"}]),), "IaaAugment has GaussianBlur"),
        ((IaaAugment([{"type": "Affine", "args": {"rotate": 3, "shear": 2}}]),), "IaaAugment has Affine"),
        ((EastRandomCropData(),), "EastRandomCropData is no affine move"),
    ],
)
def test_what_stands_in_the_way(policies: tuple[Any, ...], words: str | None) -> None:
    reason = obstacle(policies)
    assert reason is None if words is None else words in str(reason)
    if words is not None:
        with pytest.raises(ValueError, match="fast path cannot be taken"):
            chain([], policies=policies)


def test_composition_is_one_move_after_the_other() -> None:
    steps: list[Move] = [scale_by(SHAPE, 1.7), mirror((153, 255)), rotate((153, 255), 7)]
    enlarged = enlarge_to((153, 255), 200)
    assert enlarged is not None
    points = rectangle(3, 5, 60, 20)
    expected = points
    for step in [*steps, enlarged]:
        expected = step.points(expected)
    matrix = compose([*steps, enlarged])
    np.testing.assert_allclose(np.c_[points, np.ones(4)] @ matrix[:2].T, expected, atol=1e-3)
