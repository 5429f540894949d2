"""Every rule of the ICDAR2015 protocol on the smallest scene that shows it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metrics_reference import box, icdar2015, ious, near, quads, rectangles, scenes, shares

from ppocr_pse.metrics.icdar2015 import is_dont_care, match_picture

TEXT = box(0, 0, 10, 10)


def tally(polygons, truths, ignored=None):
    """(texts, detections, hits)."""
    counts = match_picture(
        polygons, truths, np.zeros(len(truths), bool) if ignored is None else np.array(ignored)
    ).counts
    assert counts.recall_hits == counts.precision_hits
    return counts.truths, counts.detections, counts.recall_hits


def test_iou_of_exactly_one_half_is_a_miss():
    """10 x 5 inside 10 x 10: IoU 50 / 100. One row more gives 60 / 100."""
    assert tally([box(0, 0, 10, 5)], [TEXT]) == (1, 1, 0)
    assert tally([box(0, 0, 10, 6)], [TEXT]) == (1, 1, 1)


def test_greedy_in_file_order_not_by_iou():
    """Both texts overlap detection 0 enough (IoU 1 and 9/11), only text 1 overlaps detection 1.

    Text 0 comes first and takes detection 0, the first that fits, though detection 1 fits it too
    (IoU 8/12); text 1 is left with detection 1 at IoU 9/11. In the other file order of detections, text 0
    takes the worse one, and text 1 (shifted by 1) gets the other: still 2 hits, other pairs.
    """
    truths = [TEXT, box(1, 0, 11, 10)]
    first, second = box(0, 0, 10, 10), box(2, 0, 12, 10)
    care = np.zeros(2, bool)
    assert match_picture([first, second], truths, care).matches.tolist() == [[0, 0], [1, 1]]
    assert match_picture([second, first], truths, care).matches.tolist() == [[0, 0], [1, 1]]


def test_greedy_can_lose_a_hit():
    """Text 0 takes the only detection that text 1 could have had: 1 hit where the best pairing has 2.

    Detections: A = text 1 moved by 2 (IoU with text 0 = 7/13), B = text 0 itself.
    """
    truths = [TEXT, box(5, 0, 15, 10)]
    a, b = box(3, 0, 13, 10), box(0, 0, 10, 10)
    assert tally([a, b], truths) == (2, 2, 1)
    assert tally([b, a], truths) == (2, 2, 2)


def test_second_detection_of_a_text_is_false():
    assert tally([TEXT, TEXT], [TEXT]) == (1, 2, 1)


def test_dont_care_measures_the_detection_not_the_region():
    """Detection 10 x 10, region 10 x 6 of it: 60 / 100 > .5, removed, though IoU with a 10 x 60 is small.

    With 10 x 5 the share is exactly .5: it stays, and is a false positive.
    """
    assert tally([TEXT], [box(0, 0, 10, 6)], [True]) == (0, 0, 0)
    assert tally([TEXT], [box(0, 4, 10, 64)], [True]) == (0, 0, 0)
    assert tally([TEXT], [box(0, 0, 10, 5)], [True]) == (0, 1, 0)


def test_dont_care_regions_do_not_add_up():
    """Two regions of .4 each cover .8 together, but neither more than half: the detection stays."""
    assert tally([TEXT], [box(0, 0, 10, 4), box(0, 6, 10, 10)], [True, True]) == (0, 1, 0)


def test_removal_comes_before_matching():
    """A detection equal to a text, 60 % inside a don't-care region: the hit is lost, recall 0 / 1."""
    assert tally([TEXT], [TEXT, box(0, 0, 10, 6)], [False, True]) == (1, 0, 0)


def test_dont_care_text_is_never_matched():
    """IoU 1 with a don't-care text: neither hit nor false positive nor text."""
    assert tally([TEXT], [TEXT], [True]) == (0, 0, 0)


def test_dont_care_bow_tie_is_never_matched():
    """Area 0, inside 50: IoU with the square is 50 / (100 + 0 - 50) = 1, but .5 of the square is in it.

    So the detection stays, and must not be given to the don't-care text: a false positive.
    """
    assert tally([TEXT], [TEXT[[0, 2, 1, 3]]], [True]) == (0, 1, 0)


def test_zero_area_detection_is_a_false_positive():
    """Also inside a don't-care region: its share there is 0 by definition."""
    assert tally([TEXT * 0 + 5], [TEXT], [False]) == (1, 1, 0)
    assert tally([TEXT * 0 + 5], [TEXT], [True]) == (0, 1, 0)


def test_z_ordered_truth_is_counted():
    """The four corners in Z order (TL TR BL BR) make a bow-tie of shoelace area 0 and inside 50.

    Against the plain square: 50 / (100 + 0 - 50) = 1, a hit. Alone it is a miss, not dropped.
    """
    z_order = TEXT[[0, 1, 3, 2]]
    assert tally([TEXT], [z_order]) == (1, 1, 1)
    assert tally([], [z_order]) == (1, 0, 0)


def test_bow_tie_detection_is_counted():
    """Against half of it: inside 25, union 50 + 0 - 25, IoU 1: hit. Against a far text: false positive."""
    bow_tie = TEXT[[0, 2, 1, 3]]
    assert tally([bow_tie], [box(0, 0, 5, 10)]) == (1, 1, 1)
    assert tally([bow_tie], [box(50, 0, 60, 10)]) == (1, 1, 0)


def test_bow_tie_on_itself():
    """Area 0 twice and inside 50: union -50, ratio -1, a miss; that is the script's arithmetic."""
    bow_tie = TEXT[[0, 2, 1, 3]]
    assert tally([bow_tie], [bow_tie]) == (1, 1, 0)


def test_fractions_are_cut_off():
    """Height 5.9 is 5 (IoU .5, miss), 6.1 is 6 (IoU .6, hit); as it stands, or rounded, 5.9 would be a hit too.

    A text 10.9 high is 10 high, and -0.9 is 0: the detection of 10 x 5 is a miss, that of 10 x 6 a hit.
    """
    assert tally([box(0, 0, 10, 5.9)], [TEXT]) == (1, 1, 0)
    assert tally([box(0, 0, 10, 6.1)], [TEXT]) == (1, 1, 1)
    assert tally([box(0, 0, 10, 5)], [box(-0.9, -0.9, 10.9, 10.9)]) == (1, 1, 0)
    assert tally([box(0, 0, 10, 6)], [box(-0.9, -0.9, 10.9, 10.9)]) == (1, 1, 1)


@settings(max_examples=60, deadline=None)
@given(scenes(rectangles), st.floats(0.0, 0.99), st.floats(0.0, 0.99))
def test_equals_reference_with_fractions(scene, a, b):
    """The reference takes ``int()`` of every coordinate, as the official script does."""
    polygons, truths, ignored = scene
    moved, shifted = [polygon + a for polygon in polygons], [truth + b for truth in truths]
    assert tally(moved, shifted, ignored) == icdar2015(polygons, truths, ignored)


def test_nothing_at_all():
    assert tally([], []) == (0, 0, 0)
    assert tally([TEXT], []) == (0, 1, 0)
    assert tally([], [TEXT]) == (1, 0, 0)


def test_who_was_hit():
    """Detection 0 false, 1 hit, 2 removed; text 0 don't-care, 1 found, 2 missed."""
    truths = [box(0, 0, 10, 10), box(20, 0, 30, 10), box(40, 0, 50, 10)]
    picture = match_picture(
        [box(80, 0, 90, 10), truths[1], truths[0]], truths, np.array([True, False, False]), "img_1.jpg"
    )
    assert picture.source == "img_1.jpg"
    assert picture.matches.tolist() == [[1, 1]]
    assert picture.truth_care.tolist() == [False, True, True]
    assert picture.detection_care.tolist() == [True, True, False]
    assert picture.truth_credit.tolist() == [0, 1, 0]
    assert picture.detection_credit.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("transcription", "expected"),
    [
        ("###", True),
        ('"###"', True),
        (' "###" ', True),
        ("####", False),
        ("##", False),
        ("*", False),
        (" ###", False),
    ],
)
def test_dont_care_transcription(transcription, expected):
    assert is_dont_care(transcription) is expected


@settings(max_examples=150, deadline=None)
@given(scenes(rectangles))
def test_equals_reference_on_rectangles(scene):
    """Rectangles on a small grid, where ratios of exactly one half are frequent."""
    polygons, truths, ignored = scene
    assert tally(polygons, truths, ignored) == icdar2015(polygons, truths, ignored)


@settings(max_examples=60, deadline=None)
@given(scenes(quads))
def test_equals_reference_on_any_quads(scene):
    """Any four points; ratios within 1e-9 of one half are left to the rectangles."""
    polygons, truths, ignored = scene
    ratios = [*ious(polygons, truths), *shares(polygons, truths)[1]]
    assume(not any(near(value, 0.5) for row in ratios for value in row))
    assert tally(polygons, truths, ignored) == icdar2015(polygons, truths, ignored)
