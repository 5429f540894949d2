"""Outlines: what is found, what is not, and what mending makes of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse import polygons as geometry
from ppocr_pse.data.checks.mend_text import mend_text, turn_polygon
from ppocr_pse.data.checks.shapes import almost_dont_care, outline_flaw, place_flaw, same_outline_key, vanishes
from ppocr_pse.data.targets import MakePseGt, shrink_text

SIZE = (100, 200)  # height, width


def quad(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32)


BOX = quad((10, 10), (50, 10), (50, 30), (10, 30))


def kind(polygon: np.ndarray, ignored: bool = False) -> str | None:
    flaw = outline_flaw(polygon, ignored)
    return flaw.kind if flaw else None


@pytest.mark.parametrize(
    "polygon",
    [
        BOX,
        BOX[::-1],  # the other way round
        np.vstack([BOX, BOX[:1]]),  # closed
        quad((10, 10), (50, 10), (30, 20)),
        quad((0, 0), (40, 0), (10, 10), (0, 40)),  # a dart: not convex, yet simple
        quad((0, 0), (20, 0), (40, 0), (40, 10), (0, 10)),  # three points in a row
        quad((0, 0), (20, 5), (40, 0), (40, 10), (20, 15), (0, 10)),  # curved
    ],
)
def test_simple_outlines_have_no_flaw(polygon: np.ndarray) -> None:
    assert kind(polygon) is None


@pytest.mark.parametrize(("order", "right"), [([0, 1, 3, 2], "1 2 4 3"), ([0, 2, 1, 3], "1 3 2 4")])
def test_z_order_names_the_right_order(order: list[int], right: str) -> None:
    flaw = outline_flaw(BOX[order], False)
    assert flaw is not None
    assert (flaw.kind, right in flaw.message) == ("z-order", True)
    mended = mend_text(BOX[order], SIZE)
    np.testing.assert_array_equal(mended.polygon, BOX)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=4, max_size=9))
def test_mended_outlines_are_sound(points: list[tuple[int, int]]) -> None:
    mended = mend_text(np.array(points, np.float32), SIZE)
    if mended.polygon is not None:
        polygon = mended.polygon.astype(np.float32)
        assert outline_flaw(polygon, False) is None
        assert place_flaw(polygon, SIZE, False) is None


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=4, max_size=8, unique=True))
def test_crossings_agree_with_shapely(points: list[tuple[int, int]]) -> None:
    from shapely.geometry import Polygon

    shape = Polygon(points)
    if shape.is_valid:
        assert kind(np.array(points, np.float32)) is None


def test_a_crossing_outline_loses_the_share_beyond_its_main_part() -> None:
    # a 30 x 10 box whose end is twisted into a triangle of 5 x 10 / 2 = 25 on each side of the crossing point
    twisted = quad((0, 0), (30, 0), (40, 10), (40, 0), (30, 10), (0, 10))
    flaw = outline_flaw(twisted, False)
    assert flaw is not None
    assert flaw.kind == "self-crossing"
    assert "7%" in flaw.message  # 25 / (300 + 25 + 25)
    mended = mend_text(twisted, SIZE)
    assert mended.polygon is not None
    assert not mended.unclear
    assert geometry.area(mended.polygon) == pytest.approx(325, abs=1)


def test_an_hourglass_of_six_points_becomes_dont_care() -> None:
    mended = mend_text(quad((0, 0), (40, 20), (40, 10), (40, 0), (0, 20), (0, 10)), SIZE)
    assert mended.unclear
    assert mended.polygon is not None


@pytest.mark.parametrize(
    "polygon",
    [
        quad((10, 10), (50, 10), (10, 10), (50, 10)),
        quad((10, 10), (30, 10), (50, 10), (20, 10)),
        quad((10, 10), (10.2, 10), (10.2, 10.5), (10, 10.5)),
        quad((10, 10), (10, 10), (10, 10)),
    ],
)
def test_zero_area(polygon: np.ndarray) -> None:
    assert kind(polygon) == "zero-area"
    assert outline_flaw(polygon, True).severity == "warning"  # type: ignore[union-attr]  # don't-care: nothing is lost
    assert mend_text(polygon, SIZE).polygon is None


@pytest.mark.parametrize(
    ("shift", "expected", "area"),
    [
        ((150, 0), None, 800),  # ends on the border, x = 200
        ((151, 0), None, 800),  # within a pixel of it
        ((160, 0), "past-border", 600),
        ((172, 0), "far-outside", 360),  # 22 px: more than a tenth of 200
        ((0, 71), None, 800),
        ((0, 75), "past-border", 600),
        ((190, 0), "outside", None),
        ((-60, 0), "outside", None),
        ((0, 95), "outside", None),
    ],
)
def test_place(shift: tuple[float, float], expected: str | None, area: float | None) -> None:
    moved = BOX + np.float32(shift)
    flaw = place_flaw(moved, SIZE, False)
    assert (flaw.kind if flaw else None) == expected
    mended = mend_text(moved, SIZE).polygon
    assert (None if mended is None else geometry.area(mended)) == (area if area is None else pytest.approx(area))


def test_little_inside_becomes_dont_care() -> None:
    mended = mend_text(quad((190, 10), (290, 10), (290, 30), (190, 30)), SIZE)  # 10 of 100 px inside
    assert mended.unclear
    assert geometry.area(mended.polygon) == pytest.approx(200)  # type: ignore[arg-type]


@given(st.integers(2, 30), st.integers(2, 90), st.sampled_from([0.5, 1.0, 1.7, 3.0]))
def test_vanishing_is_what_training_does(height: int, width: int, scale: float) -> None:
    word = quad((5, 5), (5 + width, 5), (5 + width, 5 + height), (5, 5 + height))
    settings = MakePseGt()
    assert vanishes(word, scale, settings) == shrink_text(word * np.float32(scale), False, settings).ignored


def test_the_60_by_4_word_of_paddleocr_vanishes() -> None:
    assert vanishes(quad((0, 0), (60, 0), (60, 4), (0, 4)), 1.0, MakePseGt())
    assert not vanishes(quad((0, 0), (60, 0), (60, 20), (0, 20)), 1.0, MakePseGt())


def test_the_same_outline_from_another_corner_and_the_other_way() -> None:
    key = same_outline_key(BOX)
    assert same_outline_key(np.roll(BOX, 2, axis=0)) == key
    assert same_outline_key(BOX[::-1]) == key
    assert same_outline_key(BOX + np.float32(1)) != key


@pytest.mark.parametrize("text", ["### ", " *", "##", "####"])
def test_almost_dont_care(text: str) -> None:
    assert almost_dont_care(text)


@pytest.mark.parametrize("text", ["###", "*", "#", "", "#1", "a*"])
def test_not_almost_dont_care(text: str) -> None:
    assert not almost_dont_care(text)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_turn_as_opencv_turns_the_picture(orientation: int) -> None:
    stored = np.zeros((40, 60, 3), np.uint8)
    box = quad((5, 10), (30, 10), (30, 20), (5, 20))
    cv2.fillPoly(stored, [box.astype(np.int32)], (255, 255, 255))
    content = cv2.imencode(".jpg", stored)[1].tobytes()
    seen = cv2.imdecode(np.frombuffer(with_orientation(content, orientation), np.uint8), cv2.IMREAD_COLOR)
    drawn = np.zeros(seen.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [turn_polygon(box, orientation, seen.shape[:2]).astype(np.int32)], 255)
    same = (drawn > 127) == (seen[:, :, 0] > 127)
    assert same.mean() > 0.96  # the pixels on the outline may differ


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG file with an EXIF part that holds nothing but the orientation."""
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    part = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part + jpeg[2:]
