"""Texts cut out and made upright."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.outputs.rectify import rectify

RNG = np.random.default_rng(3)
NOISE = cv2.GaussianBlur(RNG.integers(0, 256, (200, 300, 3)).astype(np.uint8), (0, 0), 2)


def test_an_upright_quad_is_the_part_of_the_picture() -> None:
    quad = np.array([[30, 40], [130, 40], [130, 70], [30, 70]], np.int32)
    assert (rectify(NOISE, quad) == NOISE[40:70, 30:130]).all()


@pytest.mark.parametrize("turn", range(4))
def test_the_first_corner_and_the_winding_have_no_say(turn: int) -> None:
    quad = np.array([[30, 40], [130, 50], [128, 75], [28, 70]], np.int32)
    expected = rectify(NOISE, quad)
    assert expected.shape == (30, 100, 3)
    assert (rectify(NOISE, np.roll(quad, turn, axis=0)) == expected).all()
    assert (rectify(NOISE, np.roll(quad[::-1], turn, axis=0)) == expected).all()


def test_a_part_of_the_picture_gives_what_the_whole_gives() -> None:
    quad = np.array([[100, 60], [190, 90], [180, 120], [92, 92]], np.float32)
    a, b, c, d = quad
    width = int(max(np.linalg.norm(a - b), np.linalg.norm(c - d)))
    height = int(max(np.linalg.norm(a - d), np.linalg.norm(b - c)))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    whole = cv2.warpPerspective(NOISE, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    crop = rectify(NOISE, quad)
    assert crop.shape == whole.shape
    assert np.abs(crop.astype(int) - whole).max() <= 3


def test_a_slanted_word_lies() -> None:
    picture = np.full((200, 200, 3), 255, np.uint8)
    quad = np.array([[40, 100], [120, 20], [140, 40], [60, 120]], np.int32)  # rises to the right
    cv2.fillPoly(picture, [quad], (0, 0, 0))
    crop = rectify(picture, quad)
    assert crop.shape == (28, 113, 3)
    assert crop[2:-2, 2:-2].mean() < 5


@pytest.mark.parametrize(("height", "turned"), [(29, False), (30, True)])
def test_a_high_word_is_turned_to_the_left(height: int, turned: bool) -> None:
    quad = np.array([[50, 50], [70, 50], [70, 50 + height], [50, 50 + height]], np.int32)
    part = NOISE[50 : 50 + height, 50:70]
    assert (rectify(NOISE, quad) == (np.rot90(part) if turned else part)).all()


def test_an_outline_stands_for_its_rectangle_of_least_area() -> None:
    outline = np.array([[30, 40], [80, 45], [130, 40], [130, 70], [80, 75], [30, 70]], np.int32)
    rectangle = np.array([[30, 40], [130, 40], [130, 75], [30, 75]], np.int32)
    crop = rectify(NOISE, outline)
    assert crop.shape == (35, 100, 3)
    assert np.abs(crop.astype(int) - rectify(NOISE, rectangle)).max() <= 1
    crossed = rectangle[[0, 2, 1, 3]]
    assert rectify(NOISE, crossed).shape == crop.shape


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-20, 320), st.integers(-20, 220)), min_size=3, max_size=9))
def test_any_outline_gives_a_crop(points: list[tuple[int, int]]) -> None:
    crop = rectify(NOISE, np.array(points, np.int32))
    assert crop.dtype == np.uint8
    assert crop.ndim == 3
    assert min(crop.shape[:2]) >= 1
    assert crop.shape[0] < 1.5 * crop.shape[1] or crop.shape[1] == 1


def test_pictures_longer_than_opencv_warps() -> None:
    strip = np.zeros((20, 70_000, 3), np.uint8)
    strip[:, 60_000:] = 255
    word = np.array([[59_990, 2], [60_010, 2], [60_010, 12], [59_990, 12]], np.int32)
    assert rectify(strip, word)[5, :, 0].tolist() == [0] * 10 + [255] * 10
    line = rectify(strip, np.array([[0, 0], [70_000, 0], [70_000, 20], [0, 20]], np.int32))
    assert line.shape == (20, 32_000, 3)
    assert (line[10, 27_000, 0], line[10, 28_000, 0]) == (0, 255)
