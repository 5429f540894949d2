from __future__ import annotations

import numpy as np
import pytest

from ppocr_pse.deploy.verify import Comparison, format_table, same_boxes
from ppocr_pse.types import Detections


def boxes(*corners: tuple[int, int, int, int]) -> Detections:
    polygons = [np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.int32) for x, y, w, h in corners]
    return Detections(tuple(polygons), np.ones(len(polygons), np.float32))


def test_same_boxes() -> None:
    """The second lies 1 of 20 to the right (IoU 19/21), the third 2 of 20 (18/22): one is the same, one is not."""
    mine = boxes((0, 0, 20, 20), (100, 0, 20, 20), (0, 100, 20, 20), (300, 300, 9, 9))
    other = boxes((2, 100, 20, 20), (101, 0, 20, 20), (0, 0, 20, 20), (0, 0, 20, 20))
    assert same_boxes(mine, other) == 2
    assert same_boxes(boxes(), other) == 0


def add(row: Comparison, factor: float, found: Detections, expected: Detections) -> None:
    maps = np.linspace(-4, 4, 7 * 4 * 4, dtype=np.float32).reshape(7, 4, 4)
    row.add("picture", maps * np.float32(factor), maps, found, expected)


def test_figures_add_up_over_pictures() -> None:
    row = Comparison("x", 0.1)
    add(row, 1.0, boxes((0, 0, 20, 20)), boxes((0, 0, 20, 20)))
    add(row, 1.05, boxes(), boxes((0, 0, 20, 20), (50, 50, 20, 20)))
    assert (row.pictures, row.boxes, row.expected_boxes, row.shared) == (2, 1, 3, 1)
    assert row.largest == pytest.approx(0.2, rel=1e-4)
    assert row.relative == pytest.approx(0.05, rel=1e-4)
    assert row.agreement == 0.5
    assert row.is_off
    assert "OFF" in format_table([row])


def test_one_box_at_the_threshold_is_not_off_and_two_are() -> None:
    row = Comparison("x", 1e-3)
    add(row, 1.0, boxes(), boxes((0, 0, 20, 20)))
    assert not row.is_off
    add(row, 1.0, boxes(), boxes((0, 0, 20, 20)))
    assert row.is_off


@pytest.mark.parametrize("factor", [1.002, float("nan")])
def test_logits_over_the_tolerance_are_off(factor: float) -> None:
    row = Comparison("x", 1e-3)
    add(row, factor, boxes(), boxes())
    assert row.is_off


def test_another_shape_is_off() -> None:
    row = Comparison("x", 1e-3)
    row.add("picture", np.zeros((7, 4, 5), np.float32), np.zeros((7, 4, 4), np.float32), boxes(), boxes())
    assert row.is_off
    assert row.relative == float("inf")
