"""A small evaluation whose every figure is known, for the tests of reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ppocr_pse.metrics import DetMetric
from ppocr_pse.report import Collector, Facts, Report
from ppocr_pse.types import Annotation, ImageScale


def box(x: int, y: int, w: int = 40, h: int = 20) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


NASTY = 'b<script>alert("1")</script>&\'.jpg'
FACTS = Facts(
    title='Weights "<x>" & more',
    protocol="icdar2015",
    settings=(("weights", "out/<best>"), ("box_thresh", "0.5")),
    machine=(("processor", "Some & CPU"),),
    config="Global:\n  a: <1>\n",
    stages=(("read", 0.1), ("preprocess", 0.1), ("network", 3.0), ("post-process", 0.2)),
    seconds=3.4,
    threshold=0.5,
    faults=("val.txt:3: broken <picture>",),
)


def make_report(gallery: int = 24, folder: Path = Path("/data/set"), scores: bool = True, extra: int = 0) -> Report:
    """Three pictures of 200 x 100, scored at box_thresh 0.5.

    a: two texts, both found (scores .9, .8), a don't-care text with a detection in it, a candidate at .3: hmean 1.
    b: two texts, one found (.7), one false alarm (.6): precision 1/2, recall 1/2.
    c: one text, nothing found: hmean 0. So 3 hits of 5 texts, 4 detections that count.
    extra: pictures like c, named d0, d1, ...
    """
    metric = DetMetric()
    collector = Collector(metric.rules, gallery)
    pictures = [
        (
            "a.jpg",
            [box(10, 10), box(60, 10), box(110, 10)],
            [False, False, True],
            [box(10, 10), box(60, 10)],
            [0.9, 0.8],
        ),
        (NASTY, [box(10, 10), box(60, 10)], [False, False], [box(10, 10), box(150, 60)], [0.7, 0.6]),
        ("c.jpg", [box(10, 10, 80, 10)], [False], [], []),
    ]
    pictures += [(f"d{number}.jpg", [box(10, 10, 80, 10)], [False], [], []) for number in range(extra)]
    rng = np.random.default_rng(0)
    for name, truths, ignored, found, values in pictures:
        texts = tuple("</title><b>###" if flag else "wörd" for flag in ignored)
        annotation = Annotation(folder / name, tuple(truths), np.array(ignored), texts, "val.txt:1")
        candidates = (found, values)
        if name == "a.jpg":
            found, values = [*found, box(112, 11)], [*values, 0.55]
            candidates = ([*found, box(10, 60)], [*values, 0.3])
        if not scores:
            values = [np.nan] * len(found)
            candidates = (found, values)
        counts = metric.update(found, np.nan_to_num(values), truths, ignored, str(annotation.image))
        image = rng.integers(0, 255, (100, 200, 3), np.uint8)
        logits = np.full((7, 24, 48), -4.0, np.float32)
        collector.add(annotation, counts, found, values, candidates, image, logits, ImageScale(100, 200, 0.96, 0.96))
    return collector.report(FACTS)
