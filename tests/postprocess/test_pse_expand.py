"""progressive_expand against PaddleOCR's label maps and against the plain reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pse_reference import expand

from ppocr_pse.postprocess import progressive_expand

GOLDEN = Path(__file__).parents[1] / "golden" / "pse_labels.npz"
CASES = sorted({name.split("/")[0] for name in np.load(GOLDEN).files})


@pytest.mark.parametrize("case", CASES)
def test_label_maps_equal_paddleocrs(case: str) -> None:
    golden = np.load(GOLDEN)
    label = progressive_expand(golden[f"{case}/kernels"], int(golden[f"{case}/min_area"]))
    assert label.dtype == np.int32
    np.testing.assert_array_equal(label, golden[f"{case}/label"])


def row(*planes: str) -> np.ndarray:
    return np.array([[[int(c) for c in plane]] for plane in planes], np.uint8)


def test_each_level_reads_its_own_kernel() -> None:
    # Seeds 1 and 2 at the ends. The middle kernel lets label 1 run to the sixth pixel before label 2 may move.
    assert progressive_expand(row("111111111", "111111001", "100000001"), 0).tolist() == [[1, 1, 1, 1, 1, 1, 1, 2, 2]]


def test_a_pixel_that_passed_its_label_on_is_not_carried() -> None:
    # p takes a at the middle level and is spent, so b on its other side stays without a label.
    assert progressive_expand(row("111", "011", "010"), 0).tolist() == [[0, 1, 1]]


def test_first_come_first_served_where_two_labels_meet() -> None:
    # Both reach the middle pixel in one step; the seed that comes first in raster order has it.
    assert progressive_expand(row("111", "101"), 0).tolist() == [[1, 1, 2]]


def test_small_seeds_leave_their_number_free() -> None:
    assert progressive_expand(row("1010111", "1010111"), 2).tolist() == [[0, 0, 0, 0, 3, 3, 3]]


def test_seeds_that_touch_at_a_corner_are_two() -> None:
    assert progressive_expand(np.eye(2, dtype=bool)[None], 0).tolist() == [[1, 0], [0, 2]]


def random_kernels(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.choice([1, 2, 3, 5, 7, 8, 9, 12, 16, 17, 32]))
    height, width = rng.integers(0, 12, 2) if rng.random() < 0.8 else rng.integers(1, 90, 2)
    kind = rng.integers(4)
    if kind == 0:  # nested, from one field
        field = rng.random((height, width))
        return np.stack([field > 0.3 + 0.6 * k / count for k in range(count)])
    if kind == 1:  # nested and smooth
        y, x = np.mgrid[:height, :width]
        field = np.zeros((height, width))
        for _ in range(3):
            cy, cx, r = rng.random(3) * (height + 1, width + 1, 9) + (0, 0, 2)
            field = np.maximum(field, 1 - np.hypot(y - cy, x - cx) / r)
        return np.stack([field > k / (count + 1) for k in range(count)])
    density = rng.uniform(0.2, 0.95)
    kernels = rng.random((count, height, width)) < density  # not nested
    if kind == 3:
        kernels &= kernels[0]
    return kernels


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_reference_on_random_kernels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(400):
        kernels = random_kernels(rng)
        min_area = int(rng.choice([0, 1, 3, 16]))
        np.testing.assert_array_equal(progressive_expand(kernels, min_area), expand(kernels, min_area))


@settings(max_examples=300, deadline=None)
@given(
    kernels=hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)),
    min_area=st.sampled_from([0, 1, 3, 16]),
)
def test_equals_the_reference(kernels: np.ndarray, min_area: int) -> None:
    np.testing.assert_array_equal(progressive_expand(kernels, min_area), expand(kernels, min_area))


def test_more_than_65535_regions() -> None:
    # A checkerboard: every set pixel is a seed by itself.
    board = np.indices((600, 400)).sum(0) % 2 == 0
    label = progressive_expand(board[None], 0)
    assert label.max() == 120_000
    np.testing.assert_array_equal(label[board], np.arange(1, 120_001))


def test_more_than_65535_labels_in_one_text() -> None:
    # The same seeds in one piece of text, so that they share a window and compete.
    board = np.indices((600, 400)).sum(0) % 2 == 0
    label = progressive_expand(np.stack([np.ones_like(board), board]), 0)
    np.testing.assert_array_equal(label[board], np.arange(1, 120_001))
    # Each other pixel goes to the neighbour whose seed comes first: the one above, or else the one to the left.
    assert label[0, 1] == 1 and label[1, 0] == 1 and label[1, 2] == label[0, 2]


@pytest.mark.parametrize("shape", [(7, 1, 40_000), (7, 40_000, 1), (2, 3, 70_000)])
def test_maps_longer_than_16_bit_coordinates(shape: tuple[int, int, int]) -> None:
    kernels = np.ones(shape, np.uint8)
    kernels[1:, :, 10:] = 0
    if shape[2] == 1:
        kernels[1:, 10:] = 0
    assert (progressive_expand(kernels, 1) == 1).all()


@pytest.mark.parametrize("shape", [(1, 0, 0), (7, 0, 5), (7, 5, 0), (32, 1, 1)])
def test_empty_and_tiny_maps(shape: tuple[int, int, int]) -> None:
    label = progressive_expand(np.zeros(shape, np.uint8), 16)
    assert label.shape == shape[1:]
    assert not label.any()


def test_any_value_but_zero_is_set() -> None:
    kernels = np.array([[[255, 2, 0, 128]]], np.uint8)
    assert progressive_expand(kernels, 0).tolist() == [[1, 1, 0, 2]]


def test_views_need_no_copy_by_the_caller() -> None:
    rng = np.random.default_rng(0)
    kernels = rng.random((3, 40, 60)) < 0.7
    expected = progressive_expand(np.ascontiguousarray(kernels[:, ::2, ::-3]), 0)
    np.testing.assert_array_equal(progressive_expand(kernels[:, ::2, ::-3], 0), expected)
    assert kernels.flags.c_contiguous  # and the argument is as it was


@pytest.mark.parametrize(
    ("kernels", "min_area", "error", "message"),
    [
        (np.zeros((3, 4, 4), np.float32), 0, TypeError, "uint8 or bool expected, got float32"),
        (np.zeros((3, 4, 4), np.int64), 0, TypeError, "got int64"),
        (np.zeros((4, 4), np.uint8), 0, ValueError, r"\(K, H, W\) expected, shape is \(4, 4\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), 0, ValueError, r"shape is \(1, 3, 4, 4\)"),
        (np.zeros((0, 4, 4), np.uint8), 0, ValueError, "1 to 32 kernels"),
        (np.zeros((33, 4, 4), np.uint8), 0, ValueError, "1 to 32 kernels"),
        (np.zeros((3, 4, 4), np.uint8), -1, ValueError, "min_area.*got -1"),
    ],
)
def test_wrong_arguments_are_named(kernels: np.ndarray, min_area: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        progressive_expand(kernels, min_area)
