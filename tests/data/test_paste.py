"""Copy-paste: what is pasted lies where its polygon says, meets no other text, and repeats."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ppocr_pse.data.augment.paste import CopyPaste, Paste
from ppocr_pse.types import Sample


def box(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def donor() -> Sample:
    """Bright texts on black: two words, a don't-care word, a curved one of six points."""
    image = np.zeros((100, 200, 3), np.uint8)
    curved = np.array([[100, 60], [120, 55], [140, 60], [140, 75], [120, 70], [100, 75]], np.float32)
    polygons = (box(10, 10, 40, 12), box(80, 20, 30, 10), box(10, 60, 40, 20), curved)
    for polygon, value in zip(polygons, (255, 250, 90, 245)):
        cv2.fillPoly(image, [polygon.astype(np.int32)], (value, value, value))
    return Sample(image, polygons, np.array([False, False, True, False]), "donor")


def sample() -> Sample:
    return Sample(np.full((120, 160, 3), 30, np.uint8), (box(50, 40, 60, 30),), np.array([True]), "s")


def test_a_text_is_put_exactly_where_its_place_is() -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 200, 3)).astype(np.uint8)
    source = Sample(image, (box(10, 10, 40, 12),), np.array([False]), "donor")
    after = CopyPaste.apply(sample(), source, [Paste(box(10, 10, 40, 12), box(5, 100, 40, 12))])
    np.testing.assert_array_equal(after.image[100:112, 5:45], image[10:22, 10:50])
    rest = after.image.copy()
    rest[100:113, 5:46] = 30
    assert (rest == 30).all() and (sample().image == 30).all()
    np.testing.assert_array_equal(after.polygons[1], box(5, 100, 40, 12))
    assert after.ignored.tolist() == [True, False]


def test_pasted_texts_are_bright_inside_and_meet_no_other() -> None:
    policy = CopyPaste(objects_paste_ratio=1.0)
    pasted = 0
    for seed in range(60):
        after = policy(sample(), np.random.default_rng(seed), donor)
        pasted += len(after.polygons) - 1
        boxes = [cv2.boundingRect(polygon) for polygon in after.polygons]
        for i, (x, y, w, h) in enumerate(boxes):
            assert x >= 0 and y >= 0 and x + w <= 161 and y + h <= 121
            for x2, y2, w2, h2 in boxes[:i]:
                assert x >= x2 + w2 - 2 or x2 >= x + w - 2 or y >= y2 + h2 - 2 or y2 >= y + h - 2
        for polygon in after.polygons[1:]:
            inside = np.zeros((120, 160), np.uint8)
            cv2.fillPoly(inside, [((polygon - polygon.mean(axis=0)) * 0.5 + polygon.mean(axis=0)).astype(np.int32)], 1)
            assert np.median(after.image[inside > 0]) >= 240  # never the don't-care word
    assert 100 < pasted <= 180


def test_how_many() -> None:
    counts = {ratio: len(CopyPaste(ratio).draw(np.random.default_rng(1), sample(), donor())) for ratio in (0.0, 0.5)}
    assert counts == {0.0: 1, 0.5: 2}


def test_without_the_limit_texts_may_meet() -> None:
    crowded = Sample(sample().image, (box(0, 0, 160, 120),), np.array([False]), "s")
    assert CopyPaste(1.0).draw(np.random.default_rng(0), crowded, donor()) == []
    assert len(CopyPaste(1.0, limit_paste=False).draw(np.random.default_rng(0), crowded, donor())) == 3


def test_nothing_to_paste_or_no_room() -> None:
    policy, rng = CopyPaste(), np.random.default_rng(0)
    alone = sample()
    assert policy(alone, rng, lambda: None) is alone
    empty = Sample(donor().image, (), np.zeros(0, bool), "donor")
    assert len(policy(sample(), rng, lambda: empty).polygons) == 1
    large = Sample(donor().image, (box(0, 0, 190, 90),), np.array([False]), "donor")
    small = Sample(np.zeros((20, 20, 3), np.uint8), (), np.zeros(0, bool), "s")
    assert policy(small, rng, lambda: large).polygons == ()


def test_wrong_ratio() -> None:
    with pytest.raises(ValueError, match="objects_paste_ratio is 2"):
        CopyPaste(2)
