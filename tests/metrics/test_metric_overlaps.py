"""Areas and intersections, in particular of outlines that cross themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from metrics_reference import box, even_odd_intersection, outlines, shoelace

from ppocr_pse.metrics.overlaps import make_regions, measure

BOW_TIE = np.array([[0, 0], [10, 10], [10, 0], [0, 10]])


def one(detection, truth, integer=True):
    overlaps = measure([detection], [truth], integer)
    return overlaps.truth_areas[0], overlaps.detection_areas[0], float(overlaps.area.sum())


def test_plain_boxes():
    """10 x 10 and 6 x 4, sharing 5 x 4."""
    assert one(box(5, 0, 11, 4), box(0, 0, 10, 10)) == (100, 24, 20)


def test_bow_tie_has_cancelling_lobes_but_two_insides():
    """Corners of a square in the order TL BR TR BL: left and right triangles of 25, opposite windings.

    Shoelace 25 - 25 = 0; the inside is 50. A validity filter would drop it, a buffer(0) keep one lobe.
    """
    assert one(BOW_TIE, box(0, 0, 10, 10)) == (100, 0, 50)


def test_doubly_wound_part_is_outside():
    """A 4 x 4 square wound twice is 32 by shoelace, and has no even-odd inside."""
    twice = np.concatenate((box(0, 0, 4, 4), box(0, 0, 4, 4)))
    assert one(twice, box(0, 0, 9, 9)) == (81, 32, 0)


def test_fold_back_over_itself():
    """A 10 x 4 strip whose outline runs back over x 6 to 10 at half height, a spike without area."""
    spike = np.array([[0, 0], [10, 0], [10, 2], [6, 2], [10, 2], [10, 4], [0, 4]])
    assert one(spike, box(8, 0, 12, 4)) == (16, 40, 8)


@pytest.mark.parametrize("flat", [np.zeros((4, 2)), [[0, 0], [5, 5], [9, 9], [2, 2]], [[1, 1], [2, 2]], []])
def test_no_inside(flat):
    assert one(np.array(flat), box(0, 0, 10, 10)) == (100, 0, 0)


def test_fractions_are_cut_off_only_when_asked():
    """Width 2.5 becomes 2, height 3.5 becomes 3; with integer=False both stay."""
    assert one(box(0, 0, 2.5, 3.5), box(0, 0, 9, 9))[1] == 6
    assert one(box(0, 0, 2.5, 3.5), box(0, 0, 9, 9), integer=False)[1] == 8.75


def test_arguments_stay_as_they_are():
    polygon = box(0.4, 0.4, 5.4, 5.4)
    before = polygon.copy()
    measure([polygon], [polygon], True)
    np.testing.assert_array_equal(polygon, before)


def test_pairs_are_sorted_by_truth_then_detection():
    overlaps = measure([box(0, 0, 9, 9)] * 3, [box(0, 0, 9, 9), box(50, 50, 60, 60), box(1, 1, 9, 9)], True)
    assert list(zip(overlaps.truth.tolist(), overlaps.detection.tolist(), strict=True)) == [
        (0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2),
    ]  # fmt: skip


def test_far_away_areas_are_exact():
    """At 40,000 px the products of coordinates are 1.6e9; the area of a 3 x 1 box must still be 3."""
    assert make_regions([box(39_999, 40_000, 40_002, 40_001)], True).areas[0] == 3


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        (np.zeros((4, 3)), r"detection 0: shape \(4, 3\), expected \(N, 2\)"),
        (np.zeros(8), r"detection 0: shape \(8,\)"),
        (np.full((4, 2), np.nan), "detection 0: .* not all finite"),
    ],
)
def test_malformed(polygon, message):
    with pytest.raises(ValueError, match=message):
        measure([polygon], [box(0, 0, 1, 1)], True)


@settings(max_examples=150, deadline=None)
@given(outlines, outlines)
def test_equals_exact_arithmetic(a, b):
    """Random outlines on a 13 x 13 grid, most of which cross themselves, share points or fold back."""
    ours = one(a, b)
    assert ours[0] == float(shoelace(b))
    assert ours[1] == float(shoelace(a))
    assert ours[2] == pytest.approx(float(even_odd_intersection(b, a)), abs=1e-9)
