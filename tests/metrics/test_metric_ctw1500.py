"""The rules of the SCUT-CTW1500 protocol."""

import numpy as np
from hypothesis import assume, given, settings
from metrics_reference import box, ctw1500, ious, near, quads, rectangles, scenes

from ppocr_pse.metrics.ctw1500 import match_picture

TEXT = box(0, 0, 10, 10)


def tally(polygons, truths, ignored=None):
    counts = match_picture(
        polygons, truths, np.zeros(len(truths), bool) if ignored is None else np.array(ignored)
    ).counts
    assert counts.recall_hits == counts.precision_hits
    return counts.truths, counts.detections, counts.recall_hits


def test_iou_of_exactly_one_half_is_a_hit():
    """10 x 5 inside 10 x 10: 50 / 100. 10 x 4: 40 / 100."""
    assert tally([box(0, 0, 10, 5)], [TEXT]) == (1, 1, 1)
    assert tally([box(0, 0, 10, 4)], [TEXT]) == (1, 1, 0)


def test_no_dont_care():
    """An ignored text counts, and a detection inside it is not removed."""
    assert tally([TEXT], [TEXT, box(0, 0, 10, 6)], [True, True]) == (2, 1, 1)


def test_one_detection_covers_two_texts_and_is_one_hit():
    """Two texts, 10 x 10 and 10 x 9 (IoU .9): the detection takes both and adds 1 to both sums.

    Recall is 1 / 2, and a second equal detection finds nothing left: precision 1 / 2.
    """
    truths = [TEXT, box(0, 0, 10, 9)]
    assert tally([TEXT], truths) == (2, 1, 1)
    assert tally([TEXT, TEXT], truths) == (2, 2, 1)


def test_detections_come_first():
    """Detection 0 (10 x 9) takes both texts, so that detection 1 = text 0 is false: 1 hit.

    Text by text, greedy, it would be 2.
    """
    truths = [TEXT, box(0, 0, 10, 8)]
    picture = match_picture([box(0, 0, 10, 9), TEXT], truths, np.zeros(2, bool))
    assert picture.matches.tolist() == [[0, 0], [1, 0]]
    assert picture.detection_credit.tolist() == [1, 0]
    assert picture.truth_credit.tolist() == [1, 0]


def test_nothing_at_all_and_zero_area():
    assert tally([], []) == (0, 0, 0)
    assert tally([], [TEXT]) == (1, 0, 0)
    assert tally([TEXT * 0], [TEXT]) == (1, 1, 0)


@settings(max_examples=100, deadline=None)
@given(scenes(rectangles))
def test_equals_reference_on_rectangles(scene):
    polygons, truths, ignored = scene
    assert tally(polygons, truths, ignored) == ctw1500(polygons, truths)


@settings(max_examples=60, deadline=None)
@given(scenes(quads))
def test_equals_reference_on_any_quads(scene):
    polygons, truths, ignored = scene
    assume(not any(near(value, 0.5) for row in ious(polygons, truths) for value in row))
    assert tally(polygons, truths, ignored) == ctw1500(polygons, truths)
