"""PSEDecoder against PaddleOCR's boxes and against the plain reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pse_reference import binarize, decode, expand

from ppocr_pse.postprocess import PSEDecoder, native
from ppocr_pse.types import ImageScale

GOLDEN = Path(__file__).parents[1] / "golden" / "pse_boxes.npz"
PATHS = native.simd_paths()
SAME = ImageScale(1e6, 1e6, 1.0, 1.0)


def same_quad(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal corners in the same order, up to the first one."""
    return any(np.array_equal(np.roll(a, k, axis=0), b) for k in range(4))


def smooth_maps(rng: np.random.Generator, kernels: int, h: int, w: int, blobs: int) -> np.ndarray:
    """Logits of a few blobs with some noise; float32 (kernels, h, w)."""
    y, x = np.mgrid[:h, :w]
    depth = np.full((h, w), -1.0)
    for _ in range(blobs):
        cy, cx, a, b = rng.random(4) * (h, w, 0.3 * w, 0.3 * h) + (0, 0, 2, 1)
        depth = np.maximum(depth, 1 - np.hypot((y - cy) / b, (x - cx) / a))
    levels = 0.8 * np.arange(kernels)[:, None, None] / kernels
    return (6 * (depth - levels) + rng.normal(0, 0.5, (kernels, h, w))).astype(np.float32)


@pytest.mark.parametrize("box_type", ["quad", "poly"])
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("case", ["scene_small_q", "scene_f32", "empty"])
def test_boxes_equal_paddleocrs(case: str, scale: int, box_type: str) -> None:
    golden = np.load(GOLDEN)
    src_h, src_w, ratio_h, ratio_w = golden[f"{case}/shape_list"][0]
    thresh, box_thresh, min_area = golden[f"{case}/params"]
    logits = golden[f"{case}/logits"]
    label = native.label_map(logits, thresh=thresh, min_area=int(min_area), scale=scale)
    np.testing.assert_array_equal(label, golden[f"{case}/s{scale}/label"])
    # Upstream forgets to multiply by the scale: with ratios that much larger, ours are in its unit.
    unit = ImageScale(src_h, src_w, ratio_h * scale, ratio_w * scale)
    found = PSEDecoder(thresh, box_thresh, int(min_area), box_type, scale).decode(logits[None], [unit])[0]
    prefix = f"{case}/s{scale}/{box_type}"
    offsets, points = golden[f"{prefix}/offsets"], golden[f"{prefix}/points"]
    np.testing.assert_allclose(found.scores, golden[f"{prefix}/scores"], rtol=0, atol=1e-6)
    assert len(found) == len(offsets) - 1
    for polygon, a, b in zip(found.polygons, offsets, offsets[1:]):
        assert polygon.dtype == np.int32
        if box_type == "poly":
            np.testing.assert_array_equal(polygon, points[a:b])
        else:
            assert same_quad(polygon, points[a:b])


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_equals_the_reference_on_every_path(simd: str, scale: int) -> None:
    rng = np.random.default_rng(scale)
    for _ in range(60):
        kernels = int(rng.choice([1, 2, 7, 8, 9, 17, 32]))
        h, w = (int(n) for n in rng.integers(1, 24, 2))
        maps = smooth_maps(rng, kernels, h, w, blobs=3)
        thresh, min_area = float(rng.choice([0.0, 0.5, -1.0])), int(rng.choice([0, 1, 16]))
        label = native.label_map(maps, thresh=thresh, min_area=min_area, scale=scale, simd=simd)
        np.testing.assert_array_equal(label, expand(binarize(maps, thresh, scale), min_area))
        for box_type in ("quad", "poly"):
            expected = decode(maps, thresh, 0.6, min_area, box_type, scale)
            labels, areas, scores, quads, points, offsets, _ = native.decode(
                maps[None], thresh=thresh, box_thresh=0.6, min_area=min_area, scale=scale,
                polygons=box_type == "poly", threads=1, simd=simd,
            )[0]  # fmt: skip
            assert labels.tolist() == [region[0] for region in expected]
            assert areas.tolist() == [region[1] for region in expected]
            np.testing.assert_allclose(scores, [region[2] for region in expected], rtol=0, atol=1e-6)
            for i, region in enumerate(expected):
                if box_type == "poly" and offsets[i + 1] > offsets[i]:
                    np.testing.assert_array_equal(points[offsets[i] : offsets[i + 1]], region[3])
                else:
                    assert same_quad(quads[i], region[3])  # to the last bit


def test_all_paths_give_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    maps = np.stack([smooth_maps(rng, 7, 60, 90, blobs=12) for _ in range(3)])
    results = [
        native.decode(maps, thresh=0, box_thresh=0.2, min_area=4, scale=1, polygons=True, threads=1, simd=simd)
        for simd in PATHS
    ]
    assert len(results[0][0][0]) > 3
    for other in results[1:]:
        for a, b in zip(results[0], other):
            for x, y in zip(a[:6], b[:6]):
                assert x.tobytes() == y.tobytes()


def test_a_path_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="no path 'mmx'"):
        native.label_map(np.zeros((1, 2, 2), np.float32), thresh=0, min_area=0, scale=1, simd="mmx")


def test_threads_do_not_change_the_result() -> None:
    rng = np.random.default_rng(6)
    maps = np.stack([smooth_maps(rng, 7, 30, 40, blobs=6) for _ in range(9)])
    one, many = (
        PSEDecoder(0, 0.5, 4, "poly", 1, threads=n).decode(maps, [SAME] * 9) for n in (1, 5)
    )  # more threads than cores, fewer than pictures
    for a, b in zip(one, many):
        assert a.scores.tobytes() == b.scores.tobytes()
        assert [p.tolist() for p in a.polygons] == [p.tolist() for p in b.polygons]


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_coordinates_are_source_pixels_at_every_scale(scale: int) -> None:
    # A 40 x 20 box in the network's input, found at a quarter of it, of a picture twice as large.
    maps = np.full((1, 3, 30, 40), -8, np.float32)
    maps[:, :, 10:15, 20:30] = 8
    found = PSEDecoder(0, 0.5, 4, "quad", scale).decode(maps, [ImageScale(240, 320, 0.5, 0.5)])[0]
    (quad,) = found.polygons
    # First and last pixel centres: 80 and 119 (x), 40 and 59 (y); a coarser map sees them 2 or 4 pixels apart.
    reach = scale - 1
    assert quad[:, 0].min() == 160 and 238 - 2 * reach <= quad[:, 0].max() <= 238
    assert quad[:, 1].min() == 80 and 118 - 2 * reach <= quad[:, 1].max() <= 118


def test_points_are_rounded_half_to_even_and_clipped() -> None:
    maps = np.full((1, 1, 6, 9), -8, np.float32)
    maps[:, :, 1:4, 1:8] = 8
    found = PSEDecoder(0, 0.5, 0, "quad", 4).decode(maps, [ImageScale(11, 25, 1.6, 8 / 3)])[0]
    # x: 4 * {1, 7} / (8 / 3) = {1.5, 10.5} -> {2, 10}; y: 4 * {1, 3} / 1.6 = {2.5, 7.5} -> {2, 8}
    assert sorted(map(tuple, found.polygons[0].tolist())) == [(2, 2), (2, 8), (10, 2), (10, 8)]
    clipped = PSEDecoder(0, 0.5, 0, "quad", 4).decode(maps, [ImageScale(9, 13, 1.0, 1.0)])[0]
    assert sorted(map(tuple, clipped.polygons[0].tolist())) == [(4, 4), (4, 9), (13, 4), (13, 9)]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1)])
def test_a_region_without_a_contour_yields_its_quad(height: int, width: int) -> None:
    maps = np.full((1, 1, 12, 12), -8, np.float32)
    maps[:, :, 2 : 2 + height, 2 : 2 + width] = 8
    found = PSEDecoder(0, 0.5, 0, "poly", 4).decode(maps, [SAME])[0]
    assert found.polygons[0].shape == (4, 2)
    assert np.ptp(found.polygons[0], axis=0).tolist() == [4 * (width - 1), 4 * (height - 1)]


def test_scores_are_the_mean_of_the_interpolated_text_map() -> None:
    maps = np.full((1, 1, 4, 4), 2, np.float32)
    found = PSEDecoder(0, 0.5, 0, "quad", 1).decode(maps, [SAME])[0]
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-2)), atol=1e-6)
    assert len(PSEDecoder(0, 0.881, 0, "quad", 1).decode(maps, [SAME])[0]) == 0
    assert len(PSEDecoder(0, 0.880, 0, "quad", 1).decode(maps, [SAME])[0]) == 1


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_nan_and_infinite_logits(scale: int) -> None:
    rng = np.random.default_rng(9)
    for _ in range(40):
        maps = smooth_maps(rng, 3, 9, 11, blobs=2)
        for value in (np.nan, np.inf, -np.inf, 3e38, -3e38):
            maps[tuple(rng.integers(0, n) for n in maps.shape)] = value
        label = native.label_map(maps, thresh=0, min_area=0, scale=scale)
        np.testing.assert_array_equal(label, expand(binarize(maps, 0, scale), 0))
        found = PSEDecoder(0, 0, 0, "poly", scale).decode(maps[None], [SAME])[0]
        assert np.isfinite(found.scores).all() and (found.scores <= 1).all()


def test_all_nan_is_no_text_and_all_infinite_is_one() -> None:
    decoder = PSEDecoder(0, 0.5, 0, "quad", 1)
    assert len(decoder.decode(np.full((1, 7, 5, 6), np.nan, np.float32), [SAME])[0]) == 0
    found = decoder.decode(np.full((1, 7, 5, 6), np.inf, np.float32), [SAME])[0]
    assert found.scores.tolist() == [1.0]


@pytest.mark.parametrize("shape", [(0, 7, 4, 4), (2, 7, 0, 4), (2, 7, 4, 0), (1, 1, 1, 1)])
def test_empty_maps_have_no_text(shape: tuple[int, ...]) -> None:
    found = PSEDecoder().decode(np.zeros(shape, np.float32), [SAME] * shape[0])
    assert [len(picture) for picture in found] == [0] * shape[0]


def test_views_are_decoded_as_their_copies() -> None:
    rng = np.random.default_rng(3)
    maps = np.stack([smooth_maps(rng, 4, 40, 50, blobs=5) for _ in range(2)])
    view = maps[:, :, ::2, ::-1]
    a, b = (PSEDecoder(0, 0.5, 0, "poly", 1).decode(m, [SAME] * 2) for m in (view, np.ascontiguousarray(view)))
    assert [[p.tolist() for p in x.polygons] for x in a] == [[p.tolist() for p in x.polygons] for x in b]


def test_more_than_65535_regions_and_wide_maps() -> None:
    maps = np.full((1, 1, 4, 140_001), -8, np.float32)
    maps[:, :, 1, ::2] = 8
    found = PSEDecoder(0, 0.5, 0, "quad", 4).decode(maps, [ImageScale(16, 560_004, 1.0, 1.0)])[0]
    assert len(found) == 70_001
    assert found.polygons[-1].tolist() == [[560_000, 4]] * 4


def test_buffers_survive_pictures_of_other_sizes_and_kinds() -> None:
    # Each call leaves the shared buffers zero; what an earlier picture set must not show.
    rng = np.random.default_rng(12)
    for _ in range(60):
        kernels, h, w = int(rng.choice([1, 7, 12, 20])), *(int(n) for n in rng.integers(1, 40, 2))
        maps = smooth_maps(rng, kernels, h, w, blobs=4)
        scale = int(rng.choice([1, 2, 4]))
        label = native.label_map(maps, thresh=0, min_area=3, scale=scale)
        np.testing.assert_array_equal(label, expand(binarize(maps, 0, scale), 3))
