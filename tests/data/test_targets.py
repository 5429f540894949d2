"""Targets: equal to PaddleOCR's maps, to the paper's rules, and the same in the window as in the whole picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse import polygons as geometry
from ppocr_pse.data.targets import MakePseGt, Window, make_pse_targets, shrink_text

WHOLE = Window(0, 0, 160, 320)


def draw(polygons: list, ignored: list, settings: MakePseGt, window: Window = WHOLE, size: tuple = (160, 320)):
    texts = [shrink_text(np.array(p, np.float32), i, settings) for p, i in zip(polygons, ignored)]
    return make_pse_targets(texts, window, size, len(settings.rates))


@pytest.mark.parametrize("name", ["quads0", "quads1", "tiny0", "tiny1"])
def test_equals_paddleocr(name: str, golden: Path) -> None:
    stored = np.load(golden / "make_pse_gt.npz")
    maps = draw(list(stored[f"{name}/polys"]), stored[f"{name}/ignore"].tolist(), MakePseGt(7, 0.4, 128))
    np.testing.assert_array_equal(maps.kernels, stored[f"{name}/kernels"])
    np.testing.assert_array_equal(maps.text, stored[f"{name}/kernels"][0])
    np.testing.assert_array_equal(maps.mask, stored[f"{name}/mask"])
    assert {maps.text.dtype, maps.kernels.dtype, maps.mask.dtype} == {np.dtype(np.uint8)}


def test_rates() -> None:
    np.testing.assert_allclose(MakePseGt().rates, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    np.testing.assert_allclose(MakePseGt(target="paper").rates, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


def test_paper_targets_of_a_rectangle() -> None:
    """200 x 60 at rate .5: offset 12,000 * .75 / 520 = 17.3 px; at .4: 19.4 px; the text map is the full rectangle."""
    box = [[50, 40], [250, 40], [250, 100], [50, 100]]
    maps = draw([box], [False], MakePseGt(target="paper"))
    assert maps.text.sum() == 201 * 61
    ys, xs = np.nonzero(maps.kernels[4])
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (57, 83, 67, 233)
    assert maps.mask.min() == 1


def test_paper_caps_the_offset_at_twenty_pixels() -> None:
    """200 x 140 at rate .4 would move 34.6 px; the cap leaves 160 x 100."""
    box = [[50, 10], [250, 10], [250, 150], [50, 150]]
    ys, xs = np.nonzero(draw([box], [False], MakePseGt(target="paper")).kernels[5])
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (30, 130, 70, 230)


def test_a_thin_word_is_dont_care_for_paddleocr_and_text_for_the_paper() -> None:
    thin = [[20, 20], [80, 20], [80, 24], [20, 24]]
    ours = draw([thin], [False], MakePseGt(target="paper"))
    assert ours.mask.min() == 1
    assert all(kernel[22, 50] for kernel in ours.kernels)
    theirs = draw([thin], [False], MakePseGt(target="ppocr"))
    assert theirs.mask[22, 50] == 0


def test_a_polygon_that_falls_apart_keeps_every_piece() -> None:
    """A dumbbell: two 60 x 60 squares joined by a 4 px bridge."""
    dumbbell = [
        [10, 20],
        [70, 20],
        [70, 48],
        [130, 48],
        [130, 20],
        [190, 20],
        [190, 80],
        [130, 80],
        [130, 52],
        [70, 52],
        [70, 80],
        [10, 80],
    ]
    maps = draw([dumbbell], [False], MakePseGt(target="ppocr"))
    assert maps.kernels[3][50, 40] and maps.kernels[3][50, 160] and not maps.kernels[3][50, 100]
    assert maps.mask.min() == 1


def test_ignored_texts_are_masked_whole_but_their_kernels_are_drawn() -> None:
    box = [[50, 40], [250, 40], [250, 100], [50, 100]]
    maps = draw([box], [True], MakePseGt())
    assert maps.mask[40:101, 50:251].max() == 0 and maps.mask.sum() == 160 * 320 - 201 * 61
    assert maps.kernels[0].any()


coordinates = st.tuples(st.floats(-60, 380), st.floats(-60, 220))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(coordinates, min_size=3, max_size=7), min_size=1, max_size=3),
    st.integers(0, 100),
    st.integers(0, 200),
    st.integers(20, 60),
    st.integers(20, 120),
    st.sampled_from(["ppocr", "paper"]),
)
def test_drawing_a_window_equals_cutting_it_out_of_the_whole(
    polygons: list, top: int, left: int, height: int, width: int, target: str
) -> None:
    ignored = [i % 2 == 1 for i in range(len(polygons))]
    settings_ = MakePseGt(target=target)
    whole = draw(polygons, ignored, settings_)
    part = draw(polygons, ignored, settings_, Window(top, left, height, width))
    rows, columns = slice(top, top + height), slice(left, left + width)
    np.testing.assert_array_equal(part.text, whole.text[rows, columns])
    np.testing.assert_array_equal(part.kernels, whole.kernels[:, rows, columns])
    np.testing.assert_array_equal(part.mask, whole.mask[rows, columns])


@settings(max_examples=50, deadline=None)
@given(st.lists(coordinates, min_size=3, max_size=6))
def test_a_whole_picture_equals_plain_opencv(points: list) -> None:
    """The text map of the paper is cv2.fillPoly of the polygon, also where it leaves the picture."""
    maps = draw([points], [False], MakePseGt(target="paper"))
    canvas = np.zeros((160, 320), np.uint8)
    cv2.fillPoly(canvas, [np.array(points, np.float32).astype(np.int32)], 1)
    np.testing.assert_array_equal(maps.text, canvas)


def test_a_window_beyond_the_picture_is_empty_there() -> None:
    maps = draw(
        [[[0, 0], [319, 0], [319, 159], [0, 159]]], [False], MakePseGt(target="paper"), Window(100, 280, 100, 100)
    )
    assert maps.text[:60, :40].min() == 1 and maps.text[60:].max() == 0 and maps.text[:, 40:].max() == 0


@pytest.mark.parametrize(("x", "y", "inside"), [(290, 110, 30 * 41), (230, 140, 41 * 20), (290, 140, 30 * 20)])
def test_a_text_beyond_the_picture_is_cut_at_its_border_also_in_a_larger_window(x: int, y: int, inside: int) -> None:
    """Text of 41 x 41 in a picture of 160 x 320: nothing from column 320 or row 160 on."""
    box = [[x, y], [x + 40, y], [x + 40, y + 40], [x, y + 40]]
    maps = draw([box], [True], MakePseGt(target="paper"), Window(100, 220, 120, 120))
    assert maps.text.sum() == maps.text[:60, :100].sum() == inside
    assert maps.mask.sum() == 120 * 120 - inside


@pytest.mark.parametrize("bad", [{"target": "x"}, {"kernel_num": 1}, {"min_shrink_ratio": 1.0}])
def test_wrong_settings(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        MakePseGt(**bad)


def test_area_of_the_offset_formula() -> None:
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
    assert geometry.shrink_offset(square, 0.5) == pytest.approx(100 * 0.75 / 40)
