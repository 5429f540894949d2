"""The metric object: validation, sums over pictures, and sums over ranks."""

import numpy as np
import pytest
from metrics_reference import box

from ppocr_pse.metrics import PROTOCOLS, Counts, DetMetric, find_protocol

TEXT = box(0, 0, 10, 10)
FAR = box(50, 50, 60, 60)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_detected_is_zero(protocol):
    """No pictures; pictures without detections; pictures without texts."""
    metric = DetMetric(protocol=protocol)
    zero = {"precision": 0.0, "recall": 0.0, "hmean": 0.0}
    assert metric.summary() == zero
    metric.update([], [], [TEXT], [False])
    assert metric.summary() == zero
    metric.update([], [], [], [])
    assert metric.summary() == zero


def test_sums_over_pictures_not_means():
    """Picture 1: 1 hit of 1 text, 1 detection. Picture 2: 1 hit of 3 texts, 4 detections.

    precision 2 / 5, recall 2 / 4, hmean 2 * .4 * .5 / .9 = 4 / 9. Means over pictures would be .625, .667.
    """
    metric = DetMetric()
    metric.update([TEXT], [0.9], [TEXT], [False])
    metric.update([TEXT, FAR + 100, FAR + 200, FAR + 300], np.ones(4), [TEXT, FAR, FAR + 20], np.zeros(3, bool))
    assert metric.summary() == pytest.approx({"precision": 2 / 5, "recall": 2 / 4, "hmean": 4 / 9})


def test_ranks_add_up_to_one_process():
    """Splits in DetEval too: whole numbers leave nothing to the order of summing."""
    pictures = [
        ([box(0, 0, 50, 10), box(50, 0, 100, 10)], [box(0, 0, 100, 10)]),
        ([box(0, 0, 100, 10)], [box(0, 0, 50, 10), box(50, 0, 100, 10)]),
        ([TEXT], [TEXT]),
        ([FAR], [TEXT]),
    ] * 7
    whole = DetMetric(protocol="totaltext")
    ranks = [DetMetric(protocol="totaltext") for _ in range(3)]
    for index, (polygons, truths) in enumerate(pictures):
        for metric in (whole, ranks[index % 3]):
            metric.update(polygons, np.ones(len(polygons)), truths, np.zeros(len(truths), bool))
    gathered = DetMetric(protocol="totaltext")
    for rank in reversed(ranks):
        gathered.add_counts(Counts(*rank.counts().as_ints()))
    assert gathered.counts() == whole.counts()
    assert gathered.summary() == whole.summary()
    # 7 * (.8 + 1.6 + 1) of 7 * 5 texts
    assert whole.summary()["recall"] == pytest.approx(3.4 / 5)


def test_reset():
    metric = DetMetric()
    metric.update([TEXT], [1.0], [TEXT], [False])
    metric.reset()
    assert metric.counts() == Counts()


def test_integer_flags_and_mixed_point_counts():
    """Flags may come as 0 / 1; texts may have different numbers of points."""
    metric = DetMetric()
    six = np.array([[50, 50], [55, 50], [60, 50], [60, 60], [55, 60], [50, 60]], np.float32)
    picture = metric.update([FAR.astype(np.int32)], np.ones(1, np.float32), [TEXT, six], np.array([1, 0]))
    assert picture.counts == Counts(1, 1, 1, 1)


def test_unknown_indicator_names_key_and_choices():
    with pytest.raises(ValueError, match=r"Metric.main_indicator: 'f1' .*hmean, precision, recall"):
        DetMetric(main_indicator="f1")


def test_unknown_protocol_names_key_and_choices():
    with pytest.raises(ValueError, match=r"Metric.protocol: 'icdar' .*icdar2015, ctw1500, totaltext, .*msra_td500"):
        DetMetric(protocol="icdar")


def test_thresholds_of_totaltext():
    """Half of a text found: sigma .5, tau 1. A hit for tr .4, not for .7; the named pair is the pair by numbers."""
    half = box(0, 0, 10, 5)
    for thresholds, hits in (((None, None), 0), ((0.4, None), 1), ((0.8, 0.4), 0)):
        metric = DetMetric("hmean", "totaltext", *thresholds)
        metric.update([half], [1.0], [TEXT], [False])
        assert metric.counts().recall_hits == hits
    by_name, by_number = find_protocol("totaltext_08_04"), find_protocol("totaltext", 0.8, 0.4)
    scene = ([box(0, 0, 10, 9), box(40, 0, 60, 10)], [TEXT, box(40, 0, 50, 10)])
    results = [rules.match(rules.measure(*scene), np.zeros(2, bool), "").counts for rules in (by_name, by_number)]
    assert results[0] == results[1] == Counts(2, 2, 2, 2)


@pytest.mark.parametrize(
    ("name", "tr", "tp", "message"),
    [
        ("icdar", None, None, "^protocol: 'icdar' is not known, expected one of icdar2015"),
        ("icdar2015", 0.7, None, "^tr and tp: 0.7 and None are given, but protocol icdar2015"),
        ("totaltext", 0.7, 1.5, "^tp: 1.5 is not from 0 to 1"),
    ],
)
def test_a_protocol_that_does_not_exist(name, tr, tp, message):
    with pytest.raises(ValueError, match=message):
        find_protocol(name, tr, tp)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([TEXT], [], [TEXT], [False]), r"img_7: scores of shape \(0,\) for 1 polygons"),
        (([TEXT], [np.nan], [TEXT], [False]), "img_7: scores .* not all finite"),
        (([TEXT], [1.0], [TEXT], []), r"img_7: ignored of shape \(0,\) for 1 ground-truth polygons"),
        (([TEXT.ravel()], [1.0], [TEXT], [False]), r"img_7: detection 0: shape \(8,\)"),
        (
            ([TEXT], [1.0], [TEXT, np.full((4, 2), np.inf)], [False, False]),
            "img_7: ground truth 1: .* not all finite",
        ),
    ],
)
def test_faults_name_the_picture_and_change_nothing(arguments, message):
    metric = DetMetric()
    with pytest.raises(ValueError, match=message):
        metric.update(*arguments, source="img_7")
    assert metric.counts() == Counts()
