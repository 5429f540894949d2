"""Policies: the numbers drawn, what is done with them, polygons that follow, windows that look at text."""

from __future__ import annotations

import numpy as np
import pytest

from ppocr_pse.data.augment import ColorJitter, IaaAugment, RandomCropImgMask, crop, parse_augmenter, text_extent
from ppocr_pse.types import Sample

BOX = np.array([[10, 20], [50, 20], [50, 40], [10, 40]], np.float32)


def sample(height: int = 80, width: int = 120, box: np.ndarray = BOX) -> Sample:
    image = np.zeros((height, width, 3), np.uint8)
    x0, y0 = box.min(axis=0).astype(int)
    x1, y1 = box.max(axis=0).astype(int)
    image[y0:y1, x0:x1] = 255
    return Sample(image, (box,), np.array([False]), "s")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def follows(after: Sample, tolerance: float = 2.5) -> None:
    """The bright area of the picture and the polygon have the same bounding box."""
    ys, xs = np.nonzero(after.image[..., 0] > 127)
    low, high = after.polygons[0].min(axis=0), after.polygons[0].max(axis=0)
    np.testing.assert_allclose([xs.min(), ys.min()], low, atol=tolerance)
    np.testing.assert_allclose([xs.max() + 1, ys.max() + 1], high, atol=tolerance)


def test_brightness_and_saturation_of_one_pixel() -> None:
    """Brightness 1.2: (10, 100, 200) -> (12, 120, 240); saturation 0: all channels become the grey value."""
    pixel = np.array([[[10, 100, 200]]], np.uint8)
    assert ColorJitter.apply(pixel, [("brightness", 1.2)])[0, 0].tolist() == [12, 120, 240]
    grey = round(0.114 * 10 + 0.587 * 100 + 0.299 * 200)
    assert ColorJitter.apply(pixel, [("saturation", 0.0)])[0, 0].tolist() == [grey] * 3
    assert ColorJitter.apply(pixel, [("brightness", 2.0)])[0, 0].tolist() == [20, 200, 255]


def test_order_matters_and_is_drawn() -> None:
    jitter = ColorJitter(brightness=0.125, saturation=0.5)
    draws = [jitter.draw(rng(seed)) for seed in range(300)]
    assert {tuple(key for key, _ in steps) for steps in draws} == {
        ("brightness", "saturation"),
        ("saturation", "brightness"),
    }
    factors = {key: [dict(steps)[key] for steps in draws] for key in ("brightness", "saturation")}
    assert 0.875 <= min(factors["brightness"]) < 0.89 and 1.11 < max(factors["brightness"]) <= 1.125
    assert 0.5 <= min(factors["saturation"]) < 0.53 and 1.47 < max(factors["saturation"]) <= 1.5


def test_resize_takes_one_factor_for_both_axes_and_cuts_to_whole_pixels() -> None:
    policy = IaaAugment([{"type": "Resize", "args": {"size": [0.5, 3]}}])
    factors = []
    for seed in range(40):
        after = policy(sample(), rng(seed))
        factor = np.random.default_rng(seed).uniform(0.5, 3)
        assert after.image.shape[:2] == (int(80 * factor), int(120 * factor))
        follows(after)
        factors.append(factor)
    assert min(factors) < 0.8 and max(factors) > 2.7


def test_flip() -> None:
    after = IaaAugment([{"type": "Fliplr", "args": {"p": 1.0}}])(sample(), rng())
    np.testing.assert_allclose(after.polygons[0], [[110, 20], [70, 20], [70, 40], [110, 40]])
    follows(after, 0)
    assert IaaAugment([{"type": "Fliplr", "args": {"p": 0.0}}])(sample(), rng()).polygons[0] is not None
    drawn = [IaaAugment([["Fliplr", 0.5]])(sample(), rng(s)).polygons[0][0, 0] == 110 for s in range(100)]
    assert 30 < sum(drawn) < 70


def test_rotation_keeps_the_canvas_and_turns_about_the_centre() -> None:
    policy = IaaAugment([{"type": "Affine", "args": {"rotate": [-10, 10]}}])
    for seed in range(10):
        after = policy(sample(), rng(seed))
        angle = np.deg2rad(np.random.default_rng(seed).uniform(-10, 10))
        assert after.image.shape == (80, 120, 3)
        follows(after, 3)
        x, y = (BOX - [60, 40]).T
        turned = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)
        expected = turned + np.array([60, 40])
        np.testing.assert_allclose(after.polygons[0], expected, atol=0.7)


def test_any_imgaug_augmenter_by_name_and_the_same_for_the_same_seed() -> None:
    policy = IaaAugment([{"type": "GaussianBlur", "args": {"sigma": [0.5, 3.0]}}, {"type": "Flipud", "args": {"p": 1}}])
    first, again, other = policy(sample(), rng(1)), policy(sample(), rng(1)), policy(sample(), rng(2))
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != other.image).any()
    np.testing.assert_allclose(first.polygons[0][:, 1], [60, 60, 40, 40])


def test_texts_with_different_numbers_of_points_and_none() -> None:
    curved = np.array([[5, 5], [20, 2], [40, 5], [40, 15], [20, 12], [5, 15]], np.float32)
    mixed = Sample(np.zeros((80, 120, 3), np.uint8), (BOX, curved), np.array([False, True]), "s")
    after = IaaAugment()(mixed, rng(3))
    assert [p.shape for p in after.polygons] == [(4, 2), (6, 2)]
    empty = Sample(mixed.image, (), np.zeros(0, bool), "s")
    assert IaaAugment()(empty, rng(3)).polygons == ()


def test_names_of_newer_paddleocr_files() -> None:
    """The range written ( 0.5, 3 ) inside braces reaches us as {'scale_limit': '( 0.5', '3 )': None}."""
    spec = parse_augmenter({"type": "RandomScale", "args": {"scale_limit": "( 0.5", "3 )": None}})
    assert (spec.name, spec.args) == ("Resize", {"size": (0.5, 3.0)})
    assert parse_augmenter({"type": "HorizontalFlip", "args": {"p": 0.5}}).name == "Fliplr"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "Resise", "args": {}}, "no augmenter named 'Resise'"),
        ({"type": "Affine", "args": {"rotat": 3}}, "Affine refuses"),
        ({"kind": "Affine"}, "expected"),
        ("Affine", "expected"),
    ],
)
def test_wrong_augmenters(entry: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        IaaAugment([entry])


def test_windows_with_text_touch_it() -> None:
    """Text at rows 300..320 of 1000: with p = 0 every 100 px window starts between row 200 and 220."""
    policy = RandomCropImgMask([100, 100], p=0.0)
    text = [np.array([[500, 300], [600, 300], [600, 320], [500, 320]], np.int32)]
    tops, lefts = zip(*(policy.draw(rng(seed), 1000, 1000, text) for seed in range(300)))
    assert (min(tops), max(tops)) == (200, 220)
    assert 400 <= min(lefts) < 410 and 490 < max(lefts) <= 500


def test_share_of_windows_that_look_at_text_is_five_eighths() -> None:
    policy = RandomCropImgMask([100, 100])
    text = [np.array([[0, 0], [20, 0], [20, 10], [0, 10]], np.int32)]
    at_text = sum(policy.draw(rng(seed), 1000, 1000, text) == (0, 0) for seed in range(2000))
    assert abs(at_text / 2000 - 5 / 8) < 0.03


def test_windows_without_text_are_uniform_and_small_pictures_start_at_zero() -> None:
    policy = RandomCropImgMask([100, 100], p=0.0)
    tops, _ = zip(*(policy.draw(rng(seed), 1000, 150, []) for seed in range(300)))
    assert min(tops) < 20 and max(tops) > 880
    assert policy.draw(rng(), 60, 60, []) == (0, 0)


def test_extent_looks_only_at_what_lies_inside() -> None:
    inside = np.array([[-5, 3], [7, 3], [7, 9]], np.int32)
    outside = np.array([[200, 3], [210, 3], [210, 9]], np.int32)
    assert text_extent([inside, outside], 100, 100) == (3, 0, 9, 7)
    assert text_extent([outside], 100, 100) is None


def test_crop_beyond_the_border_is_black() -> None:
    after = crop(sample(), 10, 100, 100, 50)
    assert after.image.shape == (100, 50, 3)
    np.testing.assert_allclose(after.polygons[0][0], [10 - 100, 20 - 10])
    assert after.image[70:].max() == 0
