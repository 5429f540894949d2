"""Scores by the shape of the text, and tables of pictures."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from metrics_reference import box, rectangles, scenes

from ppocr_pse.metrics import PROTOCOLS, Counts, DetMetric
from ppocr_pse.metrics.breakdown import (
    MEASURES,
    Breakdown,
    picture_row,
    text_aspect,
    text_curvature,
    text_height,
    worst_first,
)

SMALL, LARGE = box(0, 0, 40, 6), box(0, 100, 300, 140)


def arc(inner, outer, degrees, steps=64):
    """Band between two radii: length = mean radius * angle, height = outer - inner."""
    angles = np.radians(np.linspace(0, degrees, steps))
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.concatenate([outer * ring, inner * ring[::-1]])


@pytest.mark.parametrize("degrees", [0, 30, 90, 137])
def test_size_of_a_rectangle_at_any_angle(degrees):
    polygon = cv2.boxPoints(((0, 0), (60, 12), degrees))
    assert text_height(polygon) == pytest.approx(12, abs=1e-4)
    assert text_aspect(polygon) == pytest.approx(5, abs=1e-4)
    assert text_curvature(polygon) == pytest.approx(0, abs=1e-6)


def test_size_of_an_arc():
    """Radii 90 and 110 over 120 degrees: height 20, length 100 * 2 pi / 3; its box is 95 high."""
    polygon = arc(90, 110, 120)
    assert text_height(polygon) == pytest.approx(20, rel=1e-2)
    assert text_aspect(polygon) == pytest.approx(100 * math.radians(120) / 20, rel=1e-2)


def test_curvature_by_hand():
    """A right-angled corner of two 10 x 30 strips: 500 of a hull of 500 + 20 * 20 / 2 = 700."""
    corner = np.array([[0, 0], [30, 0], [30, 10], [10, 10], [10, 30], [0, 30]])
    assert text_curvature(corner) == pytest.approx(1 - 500 / 700)
    assert text_curvature(arc(90, 110, 40)) < text_curvature(arc(90, 110, 120))


def test_degenerate_shapes():
    """A circle counts as a square; a line has no height; a bow-tie of cancelling lobes no area."""
    circle = arc(0, 10, 360)[:63]
    assert text_aspect(circle) == pytest.approx(1)
    assert text_height(np.array([[0, 0], [5, 5], [9, 9]])) == 0
    assert text_aspect(np.zeros((4, 2))) == math.inf
    assert text_curvature(np.zeros((2, 2))) == 0
    assert text_curvature(box(0, 0, 9, 9)[[0, 2, 1, 3]]) == 1


def test_ranges_by_hand():
    """Border 20 px. Small text found, large one missed; a false alarm of 30 px height.

    Below: 1 text, 1 detection, 1 hit. Above: 1 text, 1 detection, none.
    """
    polygons, truths = [SMALL, box(500, 0, 600, 30)], [LARGE, SMALL]
    picture = DetMetric().update(polygons, [1, 1], truths, [False, False])
    breakdown = Breakdown("height", [20])
    breakdown.add(picture, polygons, truths)
    low, high = breakdown.rows()
    assert (low.low, low.high, high.low, high.high) == (-math.inf, 20, 20, math.inf)
    assert low.counts == Counts(1, 1, 1, 1)
    assert high.counts == Counts(1, 1, 0, 0)


def test_a_hit_belongs_to_the_range_of_its_text():
    """Text 19 px high, detection 22: the hit is below 20 on both sides, precision there is 1 / 1."""
    polygons, truths = [box(0, 0, 90, 22)], [box(0, 0, 90, 19)]
    breakdown = Breakdown("height", [20])
    breakdown.add(DetMetric().update(polygons, [1], truths, [False]), polygons, truths)
    assert [row.counts for row in breakdown.rows()] == [Counts(1, 1, 1, 1), Counts()]


def test_a_detection_over_two_texts_belongs_to_the_first():
    """CTW1500: texts 10 and 9 px high, one detection over both, border 9.5 px. The hit is text 0's."""
    polygons, truths = [box(0, 0, 90, 10)], [box(0, 0, 90, 10), box(0, 0, 90, 9)]
    breakdown = Breakdown("height", [9.5])
    breakdown.add(DetMetric(protocol="ctw1500").update(polygons, [1], truths, [False, False]), polygons, truths)
    assert [row.counts for row in breakdown.rows()] == [Counts(truths=1), Counts(1, 1, 1, 1)]


def test_value_on_a_border_belongs_above():
    breakdown = Breakdown("height", [6])
    breakdown.add(DetMetric().update([], [], [SMALL], [False]), [], [SMALL])
    assert [row.counts.truths for row in breakdown.rows()] == [0, 1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=25, deadline=None)
@given(scenes(rectangles))
def test_ranges_add_up_to_the_whole(protocol, scene):
    polygons, truths, ignored = scene
    picture = DetMetric(protocol=protocol).update(polygons, np.ones(len(polygons)), truths, ignored)
    for name in MEASURES:
        breakdown = Breakdown(name)
        breakdown.add(picture, polygons, truths)
        assert sum((row.counts for row in breakdown.rows()), Counts()) == picture.counts


def test_faults():
    with pytest.raises(ValueError, match=r"measure: 'width' .* height, aspect, curvature"):
        Breakdown("width")
    with pytest.raises(ValueError, match="do not ascend"):
        Breakdown("height", [8, 8])
    picture = DetMetric().update([], [], [SMALL], [False], "img_3")
    with pytest.raises(ValueError, match="img_3: 1 detections and 1 texts, but its counts were taken from 0 and 1"):
        Breakdown("height").add(picture, [SMALL], [SMALL])


def test_row_of_a_picture():
    """Texts: found, missed, don't-care. Detections: hit, false, in the don't-care region."""
    truths = [SMALL, LARGE, box(0, 200, 50, 220)]
    polygons = [SMALL, box(500, 0, 600, 30), truths[2]]
    row = picture_row(DetMetric().update(polygons, np.ones(3), truths, [False, False, True], "img_1"))
    assert (row.source, row.truths, row.detections) == ("img_1", 2, 2)
    assert (row.hits, row.misses, row.false_alarms, row.dont_care) == (1, 1, 1, 1)
    assert (row.precision, row.recall, row.hmean) == (0.5, 0.5, 0.5)


def test_row_of_a_picture_without_text():
    """Nothing there and nothing found is perfect; a false alarm makes precision 0."""
    perfect = picture_row(DetMetric().update([], [], [], []))
    assert (perfect.precision, perfect.recall, perfect.hmean) == (1, 1, 1)
    false = picture_row(DetMetric().update([SMALL], [1], [], []))
    assert (false.precision, false.recall, false.hmean, false.false_alarms) == (0, 1, 0, 1)


def test_worst_pictures_first():
    """hmean 0 with two errors, hmean 0 with one, hmean 1."""
    metric = DetMetric()
    rows = [
        picture_row(metric.update([SMALL], [1], [SMALL], [False], "good")),
        picture_row(metric.update([], [], [SMALL], [False], "one error")),
        picture_row(metric.update([LARGE], [1], [SMALL], [False], "two errors")),
    ]
    assert [row.source for row in worst_first(rows)] == ["two errors", "one error", "good"]
