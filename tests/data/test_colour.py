"""Colour: the steps drawn, and what they do to a pixel."""

from __future__ import annotations

import numpy as np

from ppocr_pse.data.augment.colour import ColorJitter


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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


def test_contrast_keeps_the_mean_grey_of_the_whole() -> None:
    """Half 50, half 150: mean 100; twice the contrast gives 0 and 200, also for a part that holds 150 only."""
    whole = np.full((4, 4, 3), 50, np.uint8)
    whole[:, 2:] = 150
    steps = [("contrast", 2.0)]
    assert np.unique(ColorJitter.apply(whole, steps)).tolist() == [0, 200]
    assert np.unique(ColorJitter.apply(whole[:, 2:], steps, whole)).tolist() == [200]
    assert np.unique(ColorJitter.apply(whole[:, 2:], steps)).tolist() == [150]


def test_contrast_looks_at_the_whole_as_earlier_steps_left_it() -> None:
    """Brightness 0.5 first: half 25, half 75, mean 50; twice the contrast gives 0 and 100."""
    whole = np.full((4, 4, 3), 50, np.uint8)
    whole[:, 2:] = 150
    steps = [("brightness", 0.5), ("contrast", 2.0)]
    assert np.unique(ColorJitter.apply(whole[:, 2:], steps, whole)).tolist() == [100]


def test_hue_turns_red_into_green() -> None:
    red = np.array([[[0, 0, 255]]], np.uint8)
    blue, green, red_left = ColorJitter.apply(red, [("hue", 1 / 3)])[0, 0].tolist()
    assert green == 255 and blue < 8 and red_left < 8
