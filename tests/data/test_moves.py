"""Moves put points where imgaug and OpenCV put the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.augment.imgaug_compat import load_augmenters
from ppocr_pse.data.augment.moves import Move, enlarge_to, mirror, rotate, scale_by

SIZE = (70, 130)
POINTS = np.array([[0, 0], [130, 0], [130, 70], [12.5, 33.25], [-8, 90]], np.float32)


def by_imgaug(augmenter: object) -> np.ndarray:
    from imgaug.augmentables import Keypoint, KeypointsOnImage

    points = KeypointsOnImage([Keypoint(x, y) for x, y in POINTS.tolist()], shape=(*SIZE, 3))
    return augmenter.to_deterministic().augment_keypoints(points).to_xy_array()


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 4), st.floats(-180, 180))
def test_moves_equal_imgaug(factor: float, degrees: float) -> None:
    iaa, scaled = load_augmenters(), scale_by(SIZE, factor)
    sides = {"height": scaled.size[0], "width": scaled.size[1]}
    assert scaled.size == (int(70 * factor), int(130 * factor))
    for move, augmenter in (
        (scaled, iaa.Resize(sides)),
        (mirror(SIZE), iaa.Fliplr(1.0)),
        (rotate(SIZE, degrees), iaa.Affine(rotate=degrees)),
    ):
        np.testing.assert_allclose(move.points(POINTS), by_imgaug(augmenter), atol=1e-3)


def test_a_quarter_turn_by_hand() -> None:
    """About the centre (65, 35): the point 10 px right of it comes to lie 10 px below it."""
    np.testing.assert_allclose(rotate(SIZE, 90).points(np.array([[75, 35]], np.float32)), [[65, 45]], atol=1e-4)
    assert rotate(SIZE, 90).size == SIZE and rotate(SIZE, 90).turned and not rotate(SIZE, 0).turned


@pytest.mark.parametrize(("size", "expected"), [((70, 130), (100, 186)), ((33, 40), (100, 121))])
def test_enlarging_gives_the_sizes_of_cv2_resize(size: tuple[int, int], expected: tuple[int, int]) -> None:
    move = enlarge_to(size, 100)
    assert move is not None and move.size == expected
    assert move.points(np.array([[1, 1]], np.float32))[0, 0] == pytest.approx(100 / size[0])
    assert enlarge_to((100, 300), 100) is None


def test_texts_come_back_one_by_one() -> None:
    move = Move(np.diag([2.0, 3.0, 1.0]), SIZE)
    moved = move.polygons((POINTS[:3], POINTS[1:]))
    assert [len(polygon) for polygon in moved] == [3, 4]
    np.testing.assert_allclose(moved[1], POINTS[1:] * [2, 3])
    assert move.polygons(()) == ()
