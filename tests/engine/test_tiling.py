"""Tiles show what the whole picture would, cover it, and give each text once."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.engine.joining import join
from ppocr_pse.engine.pieces import Limits
from ppocr_pse.engine.predictor import Predictor
from ppocr_pse.engine.tiling import OVERLAP, Tile, cut_tile, plan_tiles
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.types import Detections, ImageScale


class BrightIsText:
    """Logits: +8 where the picture is bright, -8 elsewhere; remembers the sizes it was given."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def run(self, images: np.ndarray) -> np.ndarray:
        self.sizes += [image.shape[1:] for image in images]
        bright = np.where(images.mean(axis=1)[:, ::4, ::4] > 0.3, 8.0, -8.0)
        return np.repeat(bright[:, None], 7, 1).astype(np.float32)


def predictor(limit: int, tile_pixels: int, box_type: str = "quad") -> Predictor:
    preprocess = Preprocess(DecodeImage("BGR"), DetResizeForTest(limit_side_len=limit), NormalizeImage())
    decoder = PSEDecoder(thresh=0, scale=1, box_type=box_type)
    limits = Limits(memory=2 * 10_000 * tile_pixels, network_bytes=10_000)
    return Predictor(BrightIsText(), preprocess, decoder, limits=limits)


@given(st.integers(33, 4000), st.integers(33, 4000), st.integers(32, 900), st.integers(1, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_tiles_cover_the_picture(height: int, width: int, limit: int, pixels: int) -> None:
    resize = DetResizeForTest(limit_side_len=limit)
    tiles = plan_tiles((height, width), resize, pixels)
    full = resize.target_size(height, width)
    if not tiles:
        assert full[0] * full[1] <= max(pixels, 128 * 128)
        return
    assert {(tile.height, tile.width) for tile in tiles} == {(tiles[0].height, tiles[0].width)}, "of one size"
    assert tiles[0].height * tiles[0].width <= max(pixels, 128 * 128, 128 * min(*full))
    for axis, length in ((0, full[0]), (1, full[1])):
        spans = sorted({((t.top, t.height), (t.left, t.width))[axis] for t in tiles})
        assert spans[0][0] == 0 and sum(spans[-1]) == length
        for (start, size), (following, _) in itertools.pairwise(spans):
            assert start + size - following >= min(OVERLAP, size // 2) - 32
        assert all(start % 32 == 0 and size % 32 == 0 for start, size in spans)


@pytest.mark.parametrize(("height", "width", "limit"), [(300, 700, 736), (1500, 1111, 736), (640, 960, 64)])
def test_a_tile_shows_what_the_whole_would(height: int, width: int, limit: int) -> None:
    """Within the one level by which OpenCV's whole-number weights round."""
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), (5, 5), 0)
    resize = DetResizeForTest(limit_side_len=limit)
    whole = resize(image)[0].astype(int)
    tiles = plan_tiles((height, width), resize, 256 * 256)
    assert len(tiles) > 3
    for tile in tiles:
        shown = whole[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        assert np.abs(cut_tile(image, tile).astype(int) - shown).max() <= 1


def scene(seed: int) -> np.ndarray:
    """A dark picture of 1000 x 1400 with bright bars, some turned, some longer than two tiles overlap."""
    rng = np.random.default_rng(seed)
    image = np.zeros((1000, 1400, 3), np.uint8)
    for row in range(8):
        for column in range(3):
            size = (int(rng.integers(60, 360)), int(rng.integers(24, 40)))
            centre = (230 + 460 * column, 70 + 120 * row)
            corners = cv2.boxPoints((centre, size, float(rng.uniform(-8, 8))))
            cv2.fillPoly(image, [corners.astype(np.int32)], (255, 255, 255))
    return image


@pytest.mark.parametrize("box_type", ["quad", "poly"])
@pytest.mark.parametrize("seed", [0, 1])
def test_tiled_and_whole_pictures_give_the_same_texts(seed: int, box_type: str) -> None:
    image = scene(seed)
    whole = predictor(736, 0, box_type).detect(image)
    cut = predictor(736, 512 * 512, box_type)
    tiled = cut.detect(image)
    assert isinstance(cut.network, BrightIsText) and set(cut.network.sizes) == {(512, 512)}
    assert len(whole) == len(tiled) == 24
    covers = [painted(polygon) for polygon in tiled.polygons]
    for polygon, score in zip(whole.polygons, whole.scores):
        area = painted(polygon)
        overlaps = [(area & other).sum() / (area | other).sum() for other in covers]
        assert max(overlaps) > 0.93
        assert tiled.scores[int(np.argmax(overlaps))] == pytest.approx(score, abs=0.02)


def painted(polygon: np.ndarray) -> np.ndarray:
    return cv2.fillPoly(np.zeros((1000, 1400), np.uint8), [polygon], 1).astype(bool)


def test_a_line_across_many_tiles_is_one_text() -> None:
    image = np.zeros((40, 3000, 3), np.uint8)
    image[12:28, 50:2950] = 255
    found = predictor(256, 512 * 512).detect(image)
    assert len(found) == 1
    left, top = found.polygons[0].min(axis=0)
    right, bottom = found.polygons[0].max(axis=0)
    assert (left, top, right, bottom) == pytest.approx((50, 12, 2950, 28), abs=2)


def test_without_text_there_is_nothing() -> None:
    assert len(predictor(64, 512 * 512).detect(np.zeros((600, 600, 3), np.uint8))) == 0


def test_pieces_of_different_texts_stay_apart() -> None:
    """Two tiles side by side; a text is whole in the second, another is cut by the first tile's right side."""
    whole = ImageScale(100.0, 300.0, 1.0, 1.0)
    left, right = Tile(0, 0, 96, 192, (96, 288), whole), Tile(0, 96, 96, 192, (96, 288), whole)

    def box(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
        return 16 * np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.int32)

    first = Detections((box(120, 10, 191, 20), box(150, 50, 191, 60)), np.array([0.9, 0.8], np.float32))
    second = Detections((box(24, 10, 150, 20), box(0, 50, 150, 60)), np.array([0.7, 0.6], np.float32))
    found = join([(left, first), (right, second)])
    assert [polygon.min(axis=0).tolist() + polygon.max(axis=0).tolist() for polygon in found.polygons] == [
        [120, 10, 246, 20],
        [96, 50, 246, 60],
    ]
    assert found.scores[0] == pytest.approx(0.7), "the whole text's own score"
    assert found.scores[1] == pytest.approx((0.8 * 41 + 0.6 * 150) / 191)


def test_a_picture_that_would_be_enlarged_beyond_measure_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "thread.png"), np.zeros((1, 40_000, 3), np.uint8))
    (result,) = predictor(736, 512 * 512).stream([tmp_path / "thread.png"])
    assert result.image is None and "would be resized to 736 x 29440000" in result.error
    assert "limit_side_len" in result.error
