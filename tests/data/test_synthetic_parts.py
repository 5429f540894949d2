"""What synthetic scenes are made of: hand-computed geometry, polygons against ink, contrast, grounds."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.synthetic import UNREADABLE
from ppocr_pse.data.synthetic.backgrounds import SAMPLES, make_background, sample_paths
from ppocr_pse.data.synthetic.blocks import set_block, word_polygon
from ppocr_pse.data.synthetic.clutter import THINGS
from ppocr_pse.data.synthetic.inks import Ink, choose_colour
from ppocr_pse.data.synthetic.lettering import FONTS, Arc, Hand, Warp, Wave, glyph, refine, set_word, tilt
from ppocr_pse.data.synthetic.painting import PaintedWord, coverage, is_readable, paint_word
from ppocr_pse.data.synthetic.placing import Room
from ppocr_pse.data.synthetic.surfaces import SURFACES
from ppocr_pse.data.synthetic.texture import Window, clouds, contrast, luma
from ppocr_pse.data.synthetic.words import draw_line

GREY = np.full(3, 100.0, np.float32)
BLACK = np.zeros(3, np.float32)


def signed_area(polygon):
    x, y = np.asarray(polygon, np.float64).T
    return 0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))


def filled(polygon, size):
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask


# --- lettering --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("font", FONTS)
def test_glyphs_are_in_capital_heights(font):
    heights = glyph(font, "H").contours[0][:, 1]
    assert heights.min() == pytest.approx(-1.0) and heights.max() == pytest.approx(0.0, abs=0.02)
    assert len(glyph(font, "o").contours) == 2
    assert 0.3 < glyph(font, "n").advance < 1.3


def test_a_word_is_set_in_pixels_from_the_origin():
    (letter,), length = set_word("H", Hand("DejaVuSans", 20.0, stretch=0.5, slant=0.25))
    points = np.concatenate(letter)
    assert points[:, 1].min() == pytest.approx(-20, abs=0.1) and points[:, 1].max() == pytest.approx(0, abs=0.1)
    leaning = points[points[:, 1] < -19.9, 0].min() - points[points[:, 1] > -0.1, 0].min()
    assert leaning == pytest.approx(0.25 * 20, abs=0.1)  # uprights lean to the right, whatever the stretch
    _, tracked = set_word("HH", Hand("DejaVuSans", 20.0, tracking=0.3, stretch=0.5))
    assert tracked == pytest.approx(2 * length + 0.3 * 20 * 0.5)


def test_arc_bends_a_quarter_circle():
    quarter = 100 * np.pi / 2
    bent = Arc(0.01)(np.array([[0.0, 0.0], [quarter, 0.0], [quarter, -20.0], [0.0, -20.0]]))
    np.testing.assert_allclose(bent, [[0, 0], [100, 100], [120, 100], [0, -20]], atol=1e-9)
    np.testing.assert_allclose(Arc(-0.01)(np.array([[quarter, -20.0]])), [[80, -100]], atol=1e-9)


def test_arc_tells_when_it_folds():
    assert Arc(0.01).holds(-500.0, 69.0) and not Arc(0.01).holds(0.0, 71.0)
    assert Arc(-0.01).holds(-69.0, 500.0) and not Arc(-0.01).holds(-71.0, 0.0)


def test_wave_letters_stand_upright_to_the_line():
    wave = Wave(amplitude=10.0, period=20 * np.pi, phase=0.0)  # slope 1 at the origin
    np.testing.assert_allclose(
        wave(np.array([[0.0, 0.0], [0.0, -np.sqrt(2)], [5 * np.pi, -3.0]])),
        [[0, 0], [1, -1], [5 * np.pi, 7]],
        atol=1e-9,
    )


def test_tilt_is_a_pinhole_camera():
    def seen(matrix, point):
        return Warp(matrix)(np.array([point]))[0]

    np.testing.assert_allclose(seen(tilt(np.pi / 2, 0, 0, 500), [3.0, 0.0]), [0, 3], atol=1e-9)
    # 60 degrees about the vertical axis: x 100 goes to 50, and 100 sin(60) nearer to the camera at 200.
    near = 1 / (1 - np.sin(np.pi / 3) / 2)
    np.testing.assert_allclose(seen(tilt(0, np.pi / 3, 0, 200), [100.0, 10.0]), [50 * near, 10 * near])
    np.testing.assert_allclose(seen(tilt(0.3, 0.4, -0.2, 300), [0.0, 0.0]), [0, 0], atol=1e-12)


def test_refine_keeps_the_outline_and_its_corners():
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    fine = refine(square, 1.5)
    assert len(fine) == 12
    assert np.hypot(*(np.roll(fine, -1, axis=0) - fine).T).max() == pytest.approx(4 / 3)
    assert signed_area(fine) == pytest.approx(16)
    assert all(corner.tolist() in fine.tolist() for corner in square)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_words_can_be_written_in_every_font(seed, count):
    line = draw_line(np.random.default_rng(seed), count)
    assert len(line) == count
    for word in line:
        assert 1 <= len(word) <= 20 and word.isascii() and word.isprintable() and " " not in word
        assert word != UNREADABLE


# --- polygons against ink ---------------------------------------------------------------------------------


def painted(bend, roll, text="Hamburg", stroke=0.0):
    """One word in black on white 300 x 300; returns the ink mask and its polygon."""
    block = set_block(np.random.default_rng(0), [[text]], Hand("DejaVuSans", 30.0), False)
    warp = Warp(tilt(roll, 0.3, 0.2, 400.0), bend).moved(150.0, 150.0)
    word = block.words[0]
    glyphs = [tuple(warp(refine(contour, 2.0)) for contour in letter) for letter in word.glyphs]
    picture = np.full((300, 300, 3), 255, np.uint8)
    paint_word(np.random.default_rng(0), picture, glyphs, Ink(BLACK, BLACK, weight=stroke))
    return picture[:, :, 0] < 128, word_polygon(word, warp, stroke / 2)


@pytest.mark.parametrize("roll", [0.0, 0.5, -1.2])
@pytest.mark.parametrize("stroke", [0.0, 4.0])
def test_straight_polygon_hugs_the_ink(roll, stroke):
    ink, polygon = painted(None, roll, stroke=stroke)
    assert polygon.shape == (4, 2)
    distances = [cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for y, x in np.argwhere(ink)]
    assert min(distances) > -1.0  # no ink outside
    inner = polygon.mean(axis=0) + 0.94 * (polygon - polygon.mean(axis=0))
    assert (ink & (filled(inner, ink.shape) == 0)).sum() > 10  # nor is there room to spare
    start, end = polygon[0], polygon[1]
    np.testing.assert_allclose(np.arctan2(*(end - start)[::-1]), roll, atol=0.15)


@pytest.mark.parametrize("bend", [Arc(0.012), Arc(-0.012), Wave(8.0, 180.0, 0.4)])
def test_bent_polygon_hugs_the_ink(bend):
    ink, polygon = painted(bend, 0.2, "MILESTONE")
    assert len(polygon) >= 8
    inside = filled(polygon, ink.shape) > 0
    assert (ink & inside).sum() >= 0.985 * ink.sum()
    assert cv2.contourArea(polygon) < 0.85 * cv2.contourArea(cv2.boxPoints(cv2.minAreaRect(polygon)))
    half = len(polygon) // 2
    assert polygon[:half, 1].mean() < polygon[half:, 1].mean()  # the first half runs along the top,
    assert polygon[0, 0] < polygon[half - 1, 0]  # from left to right
    spine = (polygon[:half] + polygon[half:][::-1]) / 2
    spine = np.concatenate([spine, spine[::-1]])
    lower = spine + 0.8 * (polygon - spine)  # the same band, four fifths as tall
    assert (ink & (filled(lower, ink.shape) == 0)).sum() > 0.05 * ink.sum()


def test_coverage_counts_area_and_holes():
    outer = np.array([[1.5, 1.5], [9.5, 1.5], [9.5, 9.5], [1.5, 9.5]])  # whole pixels 2..9
    inner = np.array([[3.5, 3.5], [7.5, 3.5], [7.5, 7.5], [3.5, 7.5]])
    share = coverage([(outer, inner)], Window(0, 0, 12, 12))
    assert share[2, 2] == 1.0 and share[5, 5] == 0.0 and share[0, 0] == 0.0
    assert share.sum() == pytest.approx(8 * 8 - 4 * 4, rel=0.1)
    shifted = coverage([(outer + 100, inner + 100)], Window(100, 100, 112, 112))
    np.testing.assert_array_equal(share, shifted)


# --- contrast ---------------------------------------------------------------------------------------------


def test_contrast_weighs_brightness_over_hue():
    assert contrast(GREY, GREY + 40) == pytest.approx(40)
    red = np.array([0, 0, 255], np.float32)
    same_luma = np.full(3, float(luma(red)), np.float32)
    assert contrast(red, same_luma) == pytest.approx(0.25 * np.linalg.norm(red - same_luma), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 255), st.floats(20, 110))
def test_chosen_paint_stands_out(seed, level, least):
    ground = np.full(3, level, np.float32)
    assert contrast(choose_colour(np.random.default_rng(seed), [ground], least), ground) >= least


@pytest.mark.parametrize(
    ("difference", "ripple", "expected"),
    [(60, 0, True), (10, 0, False), (-60, 0, True), (40, 70, False), (90, 50, True)],
)
def test_readable_means_contrast_above_the_texture(difference, ripple, expected):
    picture = np.full((40, 60, 3), 120, np.uint8)
    picture[:, ::2] += np.uint8(ripple)
    picture[:, 1::2] -= np.uint8(ripple)
    ink = np.zeros((40, 60), np.float32)
    ink[12:28, 20:40] = 1
    picture[12:28, 20:40] = 120 + difference
    assert is_readable(picture, PaintedWord(Window(0, 0, 60, 40), ink), 20.0, 20.0) is expected


# --- ground, clutter, room --------------------------------------------------------------------------------


@pytest.mark.parametrize("paint", [*dict.fromkeys(SURFACES)], ids=lambda paint: paint.__name__)
def test_surfaces_and_things_are_drawn(paint):
    picture = paint(np.random.default_rng(1), 96, 130)
    assert picture.shape == (96, 130, 3) and picture.dtype == np.uint8 and picture.std() > 0


@pytest.mark.parametrize("draw", THINGS, ids=lambda draw: draw.__name__)
def test_clutter_changes_the_picture(draw):
    picture = np.full((200, 200, 3), 77, np.uint8)
    for seed in range(5):
        draw(np.random.default_rng(seed), picture)
    assert (picture != 77).any(axis=2).mean() > 0.0005


def test_backgrounds_use_installed_samples_only():
    assert sample_paths() and {path.name for path in sample_paths()} <= set(SAMPLES)
    assert not {"page.png", "text.png"} & set(SAMPLES)  # they hold lettering without labels
    for photos in (0.0, 1.0):
        assert make_background(np.random.default_rng(2), 80, 120, photos).shape == (80, 120, 3)


def test_clouds_have_unit_variance_and_fine_detail_stays_fine():
    for scale in (12, 300):
        spread = np.mean([clouds(np.random.default_rng(seed), 256, 256, scale).std() for seed in range(8)])
        assert 0.6 < spread < 1.4


def test_room_keeps_blocks_apart():
    room = Room(np.zeros((100, 100, 3), np.uint8))
    square = np.array([[10, 10], [40, 10], [40, 40], [10, 40]], np.float64)
    assert room.is_free(square)
    room.take(square)
    assert (
        not room.is_free(square + 25)
        and not room.is_free(square + np.array([33, 0]))
        and room.is_free(square + np.array([45, 0]))
    )
