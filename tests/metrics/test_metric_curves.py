"""Threshold sweep and average precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_reference import box, rectangles, scenes

from ppocr_pse.metrics import PROTOCOLS, Counts, DetMetric
from ppocr_pse.metrics.curves import ThresholdSweep, average_precision

TEXT = box(0, 0, 10, 10)
FAR = box(50, 50, 60, 60)


def two_pictures():
    """Texts: 1 + 2. Scores of hits: .9, .5; of false alarms: .7, .3."""
    sweep = ThresholdSweep()
    sweep.add([TEXT, FAR], [0.9, 0.3], [TEXT], [False], "a")
    sweep.add([FAR, TEXT], [0.7, 0.5], [TEXT, TEXT + 100], [False, False], "b")
    return sweep


def test_curve_by_hand():
    """Kept at .3: 4 detections, 2 hits; .5: 3, 2; .7: 2, 1; .9: 1, 1; of 3 texts."""
    curve = two_pictures().curve()
    assert curve.thresholds.tolist() == [0.3, 0.5, 0.7, 0.9]
    assert curve.precision.tolist() == pytest.approx([2 / 4, 2 / 3, 1 / 2, 1])
    assert curve.recall.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert curve.hmean.tolist() == pytest.approx([4 / 7, 2 / 3, 2 / 5, 1 / 2])
    assert curve.best() == 1


def test_given_thresholds_are_sorted_and_kept_scores_reach_them():
    """At .5 the detection of score .5 is kept, just above it is not; above all scores everything is 0."""
    curve = two_pictures().curve([1.0, 0.5, 0.5001])
    assert curve.thresholds.tolist() == [0.5, 0.5001, 1.0]
    assert [c.detections for c in curve.counts] == [3, 2, 0]
    assert curve.counts[2] == Counts(truths=3)
    assert curve.hmean[2] == 0


def test_a_dropped_detection_gives_its_text_free():
    """Detection 0 (score .4) takes the text; without it detection 1 (score .8) does: 1 hit at either
    threshold. Filtering the hits of one matching would leave 0 hits at .8."""
    sweep = ThresholdSweep()
    sweep.add([TEXT, box(0, 0, 10, 9)], [0.4, 0.8], [TEXT], [False])
    assert [c.recall_hits for c in sweep.curve().counts] == [1, 1]


def test_average_precision_by_hand():
    """Ranked: hit, false, hit, false: precisions 1 / 1 and 2 / 3 at the hits, over 3 texts: 5 / 9."""
    assert two_pictures().average_precision() == pytest.approx(5 / 9)
    assert average_precision([0.5, 0.9, 0.3, 0.7], [True, True, False, False], 3) == pytest.approx(5 / 9)


def test_average_precision_leaves_out_dont_care():
    """The best-scored detection lies in a don't-care region: it takes no rank, AP is 1."""
    sweep = ThresholdSweep()
    sweep.add([FAR, TEXT], [0.9, 0.5], [TEXT, FAR], [False, True])
    assert sweep.average_precision() == 1.0


def test_equal_scores_keep_their_order():
    assert average_precision([0.5, 0.5], [True, False], 1) == 1.0
    assert average_precision([0.5, 0.5], [False, True], 1) == 0.5


def test_empty():
    sweep = ThresholdSweep()
    assert sweep.curve().counts == ()
    assert sweep.average_precision() == 0.0
    assert sweep.at(0.5) == Counts()
    assert sweep.curve([0.5]).counts == (Counts(),)
    with pytest.raises(ValueError, match="no points"):
        sweep.curve().best()
    with pytest.raises(ValueError, match="not a number"):
        sweep.curve([np.nan])


def test_best_prefers_the_higher_of_equal_thresholds():
    """One hit of score .9: hmean 1 at .2 and at .9 alike."""
    sweep = ThresholdSweep()
    sweep.add([TEXT], [0.9], [TEXT], [False])
    assert sweep.curve([0.2, 0.9, 0.95]).best() == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=25, deadline=None)
@given(st.lists(scenes(rectangles), max_size=3), st.data())
def test_every_point_is_what_an_evaluation_reports(protocol, pictures, data):
    """The sweep against the metric run on the filtered detections."""
    sweep, stored = ThresholdSweep(protocol), []
    for polygons, truths, ignored in pictures:
        size = len(polygons)
        scores = np.array(data.draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))) / 4
        sweep.add(polygons, scores, truths, ignored)
        stored.append((polygons, scores, truths, ignored))
    curve = sweep.curve([0.0, 0.25, 0.3, 0.5, 0.75, 1.0, 1.1])
    for threshold, counts in zip(curve.thresholds, curve.counts, strict=True):
        metric = DetMetric(protocol=protocol)
        for polygons, scores, truths, ignored in stored:
            kept = scores >= threshold
            metric.update([p for p, k in zip(polygons, kept, strict=True) if k], scores[kept], truths, ignored)
        assert counts == metric.counts() == sweep.at(threshold)
