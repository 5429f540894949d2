"""Windows: those that look at text, those that cut none, and what lies beyond the border."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask, crop, text_extent
from ppocr_pse.types import Sample
from tests.data.samples import rng, sample


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


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(-40, 90), st.integers(-40, 70)), min_size=3, max_size=6), max_size=3))
def test_extent_equals_that_of_the_map(points: list) -> None:
    polygons, canvas = [np.array(p, np.int32) for p in points], np.zeros((40, 60), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [polygon], 1)
    where = np.array(np.nonzero(canvas))
    expected = (*where.min(axis=1), *where.max(axis=1)) if where.size else None
    assert text_extent(polygons, 40, 60) == expected


def test_crop_beyond_the_border_is_black() -> None:
    after = crop(sample(), 10, 100, 100, 50)
    assert after.image.shape == (100, 50, 3)
    np.testing.assert_allclose(after.polygons[0][0], [10 - 100, 20 - 10])
    assert after.image[70:].max() == 0


def words() -> Sample:
    """Three care texts and a don't-care bar; each pixel's value tells its column."""
    image = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    boxes = [(20, 10, 60, 30), (100, 20, 150, 40), (30, 60, 80, 80), (0, 45, 200, 50)]
    polygons = tuple(np.array([[a, b], [c, b], [c, d], [a, d]], np.float32) for a, b, c, d in boxes)
    return Sample(image, polygons, np.array([False, False, False, True]), "s")


def test_east_windows_cut_no_care_text_and_hold_at_least_one() -> None:
    policy, sizes = EastRandomCropData([64, 64], max_tries=50), set()
    for seed in range(200):
        top, left, height, width = policy.draw(rng(seed), words())
        inside = 0
        for polygon in words().polygons[:3]:
            (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
            shared_x, shared_y = min(x1, left + width) - max(x0, left), min(y1, top + height) - max(y0, top)
            if shared_x > 0 and shared_y > 0:
                assert (shared_x, shared_y) == (x1 - x0, y1 - y0)
                inside += 1
        assert inside and height >= 10 and width >= 20
        sizes.add((height, width))
    assert len(sizes) > 50


def test_east_keeps_the_ratio_and_fills_up_with_black() -> None:
    """A 100 x 50 window into 80 (width) x 60: factor 0.8, 40 rows of picture, 20 black ones."""
    after = EastRandomCropData([80, 60]).apply(words(), (0, 10, 50, 100))
    assert after.image.shape == (60, 80, 3)
    assert after.image[:40].min() >= 10 and after.image[40:].max() == 0
    np.testing.assert_allclose(after.polygons[0], (words().polygons[0] - [10, 0]) * 0.8, rtol=1e-6)
    assert after.image[20, 40, 0] == pytest.approx(10 + 40.5 / 0.8 - 0.5, abs=1)


def test_east_can_stretch() -> None:
    after = EastRandomCropData([80, 60], keep_ratio=False).apply(words(), (0, 0, 50, 100))
    assert after.image[59, 79, 0] >= 98
    np.testing.assert_allclose(after.polygons[0][2], [60 * 0.8, 30 * 1.2], rtol=1e-6)


def test_east_clips_dont_care_texts_and_keeps_their_mark() -> None:
    after = EastRandomCropData([64, 64]).apply(words(), (0, 10, 100, 100))
    assert len(after.polygons) == 4 and after.ignored[3]
    assert after.polygons[3].min() >= 0 and after.polygons[3].max() <= 64


def test_east_takes_the_whole_picture_when_nothing_fits() -> None:
    full = Sample(
        words().image, (np.array([[0, 0], [200, 0], [200, 100], [0, 100]], np.float32),), np.array([False]), "s"
    )
    empty = Sample(words().image, (), np.zeros(0, bool), "s")
    for sample_ in (full, empty):
        assert EastRandomCropData().draw(rng(), sample_) == (0, 0, 100, 200)
    assert EastRandomCropData(max_tries=0).draw(rng(), words()) == (0, 0, 100, 200)


@pytest.mark.parametrize("bad", [{"size": [640]}, {"size": [8, 640]}, {"max_tries": -1}, {"min_crop_side_ratio": 2}])
def test_wrong_east_settings(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EastRandomCropData(**bad)
