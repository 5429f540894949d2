"""The enlarged maps are those of Paddle itself, bit by bit, and so are label maps and boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pse_reference import upsample

from ppocr_pse.postprocess import PSEDecoder, native, progressive_expand
from ppocr_pse.types import ImageScale

paddle = pytest.importorskip("paddle")


def blobs(seed: int) -> np.ndarray:
    """Logits float32 (1, 7, 60, 90) of a few ellipses."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:60, :90]
    depth = np.full((60, 90), -1.0)
    for _ in range(9):
        cy, cx, a, b = rng.random(4) * (60, 90, 20, 9) + (0, 0, 4, 2)
        depth = np.maximum(depth, 1 - np.hypot((y - cy) / b, (x - cx) / a))
    levels = 0.1 * np.arange(7)[:, None, None]
    return (9 * (depth - levels) + rng.normal(0, 0.3, (7, 60, 90))).astype(np.float32)[None]


def enlarge(maps: np.ndarray, factor: int) -> np.ndarray:
    tensor = paddle.to_tensor(maps, place=paddle.CPUPlace())
    return paddle.nn.functional.interpolate(tensor, scale_factor=factor, mode="bilinear").numpy()


@pytest.mark.parametrize("factor", [2, 4])
def test_the_references_upsampling_is_paddles(factor: int) -> None:
    maps = blobs(0)
    ours = np.stack([upsample(plane, factor) for plane in maps[0]])
    theirs = enlarge(maps, factor)[0]
    # Only where rounding leaves the range of the four corners does the reference keep within it.
    assert (ours != theirs).mean() < 1e-3
    np.testing.assert_array_almost_equal_nulp(ours, theirs, 2)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_label_maps_and_boxes_of_paddles_maps(seed: int, scale: int) -> None:
    maps = blobs(seed)
    full = enlarge(maps, 4 // scale)[0]
    kernels = ((full > 0) & (full[0] > 0)).astype(np.uint8)
    label = progressive_expand(kernels, 16)
    np.testing.assert_array_equal(native.label_map(maps[0], thresh=0, min_area=16, scale=scale), label)
    found = PSEDecoder(0, 0, 16, "quad", scale).decode(maps, [ImageScale(480, 500, 2.0, 0.7)])[0]
    insides = [label == i for i in range(1, label.max() + 1) if (label == i).sum() >= 16]
    assert len(found) == len(insides) > 2
    for quad, inside in zip(found.polygons, insides):
        corners = cv2.boxPoints(cv2.minAreaRect(np.argwhere(inside)[:, ::-1].astype(np.int32))).astype(np.float64)
        expected = np.clip(np.round(corners * scale / (0.7, 2.0)), 0, (500, 480))
        np.testing.assert_array_equal(quad, expected)
