"""Polygon maths on shapes whose values are plain to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse import polygons as geometry

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
floats = st.floats(-50, 50, width=32)


def test_area_and_perimeter() -> None:
    assert geometry.area(SQUARE) == geometry.area(SQUARE[::-1]) == 100
    assert geometry.perimeter(SQUARE) == 40
    bow_tie = SQUARE[[0, 2, 1, 3]]
    assert geometry.area(bow_tie) == 0


def test_shrink_a_square_by_two() -> None:
    (piece,) = geometry.shrink(SQUARE, 2)
    assert piece.dtype == np.int32
    assert (piece.min(axis=0).tolist(), piece.max(axis=0).tolist()) == ([2, 2], [8, 8])
    assert geometry.shrink(SQUARE, 6) == []
    assert geometry.shrink(SQUARE[:2], 1) == [] and geometry.shrink(SQUARE[[0, 0, 0]], 1) == []


@given(st.lists(st.tuples(floats, floats), min_size=3, max_size=8), st.floats(0, 20))
def test_shrinking_never_leaves_the_bounding_box(points: list, offset: float) -> None:
    polygon = np.array(points, np.float32)
    for piece in geometry.shrink(polygon, offset):
        assert (piece >= polygon.min(axis=0) - 1).all() and (piece <= polygon.max(axis=0) + 1).all()


def test_intersect_rectangle() -> None:
    """A square from (-5, -5) to (5, 5) leaves a quarter inside."""
    inside = geometry.intersect_rectangle(SQUARE - 5, 100, 100)
    assert inside is not None and geometry.area(inside) == 25
    np.testing.assert_array_equal(geometry.intersect_rectangle(SQUARE, 100, 100), SQUARE)
    assert geometry.intersect_rectangle(SQUARE + 200, 100, 100) is None


@given(st.lists(st.tuples(floats, floats), min_size=3, max_size=8))
def test_intersection_with_a_rectangle_against_shapely(points: list) -> None:
    from shapely.geometry import Polygon, box

    hull = Polygon(points).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 1:
        return
    ours = geometry.intersect_rectangle(np.array(hull.exterior.coords[:-1], np.float32), 20, 30)
    area = 0.0 if ours is None else geometry.area(ours)
    assert area == pytest.approx(hull.intersection(box(0, 0, 20, 30)).area, abs=0.05)


def test_min_area_quad_and_order() -> None:
    quad = geometry.min_area_quad(np.array([[1, 1], [9, 1], [9, 4], [1, 4], [5, 2]]))
    ordered = geometry.order_clockwise(quad)
    np.testing.assert_allclose(ordered, [[1, 1], [9, 1], [9, 4], [1, 4]], atol=1e-4)


@given(st.permutations(range(4)))
def test_order_does_not_depend_on_the_start(order: list[int]) -> None:
    quad = np.array([[0, 1], [9, 0], [10, 5], [1, 6]], np.float32)
    np.testing.assert_array_equal(geometry.order_clockwise(quad[order]), quad)


def test_fill_and_clip() -> None:
    canvas = np.zeros((20, 20), np.uint8)
    geometry.fill(canvas, SQUARE, 7)
    assert canvas.sum() == 7 * 11 * 11
    np.testing.assert_array_equal(geometry.clip(SQUARE - 3, 5, 6), [[0, 0], [5, 0], [5, 6], [0, 6]])


def test_uncross_leaves_sound_outlines_alone() -> None:
    """Also one with a repeated point, and one whose points lie on a line."""
    for outline in (SQUARE, SQUARE[::-1], SQUARE[[0, 1, 1, 2, 3]], SQUARE[:2], SQUARE * np.float32(1e-3)):
        assert geometry.uncross(outline) is outline


def test_uncross_puts_corners_in_order_and_keeps_the_largest_lobe() -> None:
    """A bow tie of four points is the square; a curve of six whose end is twisted keeps its 20 x 10 body."""
    np.testing.assert_array_equal(
        sorted(map(tuple, geometry.uncross(SQUARE[[0, 2, 1, 3]]))), sorted(map(tuple, SQUARE))
    )
    twisted = np.array([[0, 0], [20, 0], [26, 10], [26, 0], [20, 10], [0, 10]], np.float32)
    mended = geometry.uncross(twisted)
    assert mended.dtype == np.float32 and 200 <= geometry.area(mended) <= 230


@given(st.lists(st.tuples(floats, floats), min_size=3, max_size=8))
def test_uncrossed_outlines_stay_so(points: list) -> None:
    outline = np.array(points, np.float32)
    once = geometry.uncross(outline)
    assert geometry.area(geometry.uncross(once)) == pytest.approx(geometry.area(once), rel=0.1, abs=2)
    assert (once.min(axis=0) >= outline.min(axis=0) - 0.1).all() and (
        once.max(axis=0) <= outline.max(axis=0) + 0.1
    ).all()


def test_shrinking_at_several_levels_is_shrinking_at_each() -> None:
    levels = geometry.shrink_levels(SQUARE, [1, 2, 6])
    assert [[piece.tolist() for piece in level] for level in levels] == [
        [piece.tolist() for piece in geometry.shrink(SQUARE, offset)] for offset in (1, 2, 6)
    ]
    assert geometry.shrink_offsets(SQUARE, [0.5, 0.0]) == pytest.approx([100 * 0.75 / 40, 2.5])
