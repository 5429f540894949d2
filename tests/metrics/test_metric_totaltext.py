"""The three passes of DetEval and their thresholds, tr 0.7 and tp 0.6 unless a test says otherwise."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from metrics_reference import box, deteval, near, quads, rectangles, scenes, shares

from ppocr_pse.metrics.totaltext import TOTALTEXT, WOLF, DetEvalThresholds, match_picture

LINE = box(0, 0, 100, 10)


def tally(polygons, truths, ignored=None, thresholds=TOTALTEXT):
    """(texts, detections, recall credit, precision credit)."""
    flags = np.zeros(len(truths), bool) if ignored is None else np.array(ignored)
    counts = match_picture(polygons, truths, flags, "", thresholds).counts
    return (
        counts.truths,
        counts.detections,
        counts.recall_hits + 0.8 * counts.recall_partial,
        counts.precision_hits + 0.8 * counts.precision_partial,
    )


def test_one_to_one():
    assert tally([LINE], [LINE]) == (1, 1, 1, 1)


def test_one_to_one_is_strict():
    """A single detection over exactly .7 of the text is a miss (sigma > tr fails, and no split begins).

    71 columns of 100 pass. On the other side: a detection of which exactly .6 is text fails.
    """
    assert tally([box(0, 0, 70, 10)], [LINE]) == (1, 1, 0, 0)
    assert tally([box(0, 0, 71, 10)], [LINE]) == (1, 1, 1, 1)
    assert tally([box(0, 0, 100, 10)], [box(0, 0, 60, 10)]) == (1, 1, 0, 0)
    assert tally([box(0, 0, 100, 10)], [box(0, 0, 61, 10)]) == (1, 1, 1, 1)


def test_ratios_are_rounded_to_two_decimals():
    """sigma 706 / 1000 = .706 rounds to .71 > .7; 704 / 1000 rounds to .70, a miss."""
    assert tally([box(0, 0, 706, 10)], [box(0, 0, 1000, 10)])[2] == 1
    assert tally([box(0, 0, 704, 10)], [box(0, 0, 1000, 10)])[2] == 0
    # the same for tau, .606 and .604 of the detection
    assert tally([box(0, 0, 1000, 10)], [box(0, 0, 606, 10)])[2] == 1
    assert tally([box(0, 0, 1000, 10)], [box(0, 0, 604, 10)])[2] == 0


def test_two_equal_detections_spoil_one_to_one_and_become_a_split():
    """Two candidates for one text: no one-to-one; both are parts of a split, .8 and 2 x .8."""
    assert tally([LINE, LINE], [LINE]) == (1, 2, 0.8, 1.6)


def test_detection_with_two_texts_is_no_one_to_one():
    """Two equal texts, one detection: the detection has two candidates. Merge: 2 x .8 and .8.

    A version that looks at the text's side only gives (2, 1, 2, 2), a precision of 2.
    """
    assert tally([LINE], [LINE, LINE]) == (2, 1, 1.6, 0.8)


def test_split():
    """Halves of 40 and 30 columns: sigma .4 + .3 = .7 >= tr, not strict; taus 1."""
    assert tally([box(0, 0, 40, 10), box(50, 0, 80, 10)], [LINE]) == (1, 2, 0.8, 1.6)
    assert tally([box(0, 0, 40, 10), box(50, 0, 79, 10)], [LINE]) == (1, 2, 0, 0)


def test_split_with_one_good_part_is_a_full_hit():
    """sigma exactly .7 alone is a miss; with a second detection that only touches the text (sigma .05,
    tau .05) the pass for splits begins, finds one part with tau >= tp and sigma >= tr, and gives 1."""
    assert tally([box(0, 0, 70, 10), box(95, 0, 195, 10)], [LINE]) == (1, 2, 1, 1)


def test_part_of_a_split_may_have_tau_of_exactly_tp():
    """Parts with tau .6, sigma .6 and tau 1, sigma .2: .8 >= tr together; the second alone would not do."""
    assert tally([box(60, 0, 160, 10), box(160, 0, 180, 10)], [box(100, 0, 200, 10)]) == (1, 2, 0.8, 1.6)


def test_merge_tests_sigma_with_tp():
    """One detection over 65 columns of one text and all of another: sigmas .65 and 1.

    .65 < tr but >= tp, so both are parts: taus .65 * 100 / 190 + 100 / 190 = .34 + .53 >= tp: 2 x .8, .8.
    With tr in its place only one part is left, tau .53 < tp: nothing.
    """
    assert tally([box(35, 0, 225, 10)], [LINE, box(125, 0, 225, 10)]) == (2, 1, 1.6, 0.8)


def test_merge_with_one_free_part_is_a_full_hit():
    """The detection covers text 0 wholly (tau .6, not > tp) and touches text 1 (tau .01, sigma .02):
    two taus above 0, one part with sigma >= tp; tau .6 >= tp and sigma 1 >= tr: credit 1."""
    assert tally([box(0, 0, 100, 10)], [box(0, 0, 60, 10), box(99, 0, 149, 10)]) == (2, 1, 1, 1)


def test_merge_with_one_weak_part_is_nothing():
    """As above, but sigma is .65: a part (>= tp), not a hit (< tr), though tau is 65 / 70."""
    assert tally([box(35, 0, 105, 10)], [LINE, box(101, 0, 301, 10)]) == (2, 1, 0, 0)


def test_merge_leaves_matched_texts_alone():
    """Text 0 is detection 0. Detection 1 covers .64 of it (tau 64 / 174) and all of text 1 (tau 100 / 174).

    Text 0 is taken, so the only part is text 1, with tau .57 < tp: nothing more. With text 0 it would merge.
    """
    assert tally([LINE, box(36, 0, 210, 10)], [LINE, box(100, 0, 200, 10)]) == (2, 2, 1, 1)


def test_dont_care_uses_area_plus_one():
    """Detection 10 x 10 with 51 pixels in the region: 51 / 101 > .5, removed. 50 / 101: it stays."""
    inside = np.array([[0, 0], [10, 0], [10, 5], [1, 5], [1, 6], [0, 6]])
    assert tally([box(0, 0, 10, 10)], [inside], [True]) == (0, 0, 0, 0)
    assert tally([box(0, 0, 10, 10)], [box(0, 0, 10, 5)], [True]) == (0, 1, 0, 0)


def test_thresholds_of_wolf():
    """tr .8, tp .4: 75 of 100 columns are enough for .7, not for .8; tau .45 is enough for .4 only."""
    assert tally([box(0, 0, 75, 10)], [LINE], thresholds=WOLF) == (1, 1, 0, 0)
    wide = [box(0, 0, 100, 10)], [box(0, 0, 45, 10)]
    assert tally(*wide) == (1, 1, 0, 0)
    assert tally(*wide, thresholds=WOLF) == (1, 1, 1, 1)


def test_nothing_at_all_and_zero_area():
    assert tally([], []) == (0, 0, 0, 0)
    assert tally([], [LINE]) == (1, 0, 0, 0)
    assert tally([LINE * 0], [LINE]) == (1, 1, 0, 0)
    assert tally([LINE], [LINE * 0 + 5]) == (1, 1, 0, 0)


def test_credits_say_who():
    """Text 0 split in two, text 1 missed: .8 for text 0 and both parts."""
    picture = match_picture([box(0, 0, 50, 10), box(50, 0, 100, 10)], [LINE, box(0, 50, 9, 59)], np.zeros(2, bool))
    assert picture.truth_credit.tolist() == [0.8, 0]
    assert picture.detection_credit.tolist() == [0.8, 0.8]
    assert sorted(picture.matches.tolist()) == [[0, 0], [0, 1]]


@pytest.mark.parametrize("thresholds", [(0.7, 0.6), (0.8, 0.4)])
@settings(max_examples=120, deadline=None)
@given(scenes(rectangles))
def test_equals_reference_on_rectangles(thresholds, scene):
    polygons, truths, ignored = scene
    expected = deteval(polygons, truths, ignored, *thresholds)
    assert tally(polygons, truths, ignored, DetEvalThresholds(*thresholds)) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(scenes(quads))
def test_equals_reference_on_any_quads(scene):
    """Ratios next to a rounding border (x.xx5) or to the removal threshold are left to the rectangles."""
    polygons, truths, ignored = scene
    values = [value for table in shares(polygons, truths) for row in table for value in row]
    assume(not any(near(abs(value * 100) % 1.0, 0.5) for value in values))
    assert tally(polygons, truths, ignored) == pytest.approx(deteval(polygons, truths, ignored, 0.7, 0.6))
