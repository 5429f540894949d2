"""imgaug by name: the numbers drawn, what is done with them, polygons that follow and stay usable."""

from __future__ import annotations

import numpy as np
import pytest

from ppocr_pse import polygons as geometry
from ppocr_pse.data.augment.iaa import IaaAugment, mend_polygons
from ppocr_pse.data.augment.imgaug_specs import parse_augmenter
from ppocr_pse.types import Sample
from tests.data.samples import BOX, rng, sample


def follows(after: Sample, tolerance: float = 2.5) -> None:
    """The bright area of the picture and the polygon have the same bounding box."""
    ys, xs = np.nonzero(after.image[..., 0] > 127)
    low, high = after.polygons[0].min(axis=0), after.polygons[0].max(axis=0)
    np.testing.assert_allclose([xs.min(), ys.min()], low, atol=tolerance)
    np.testing.assert_allclose([xs.max() + 1, ys.max() + 1], high, atol=tolerance)


def test_resize_takes_one_factor_for_both_axes_and_cuts_to_whole_pixels() -> None:
    policy = IaaAugment([{"type": "Resize", "args": {"size": [0.5, 3]}}])
    factors = []
    for seed in range(40):
        after = policy(sample(), rng(seed))
        factor = np.random.default_rng(seed).uniform(0.5, 3)
        assert after.image.shape[:2] == (int(80 * factor), int(120 * factor))
        follows(after)
        factors.append(factor)
    assert min(factors) < 0.8 and max(factors) > 2.7


def test_flip() -> None:
    after = IaaAugment([{"type": "Fliplr", "args": {"p": 1.0}}])(sample(), rng())
    np.testing.assert_allclose(after.polygons[0], [[110, 20], [70, 20], [70, 40], [110, 40]])
    follows(after, 0)
    assert IaaAugment([{"type": "Fliplr", "args": {"p": 0.0}}])(sample(), rng()).polygons[0] is not None
    drawn = [IaaAugment([["Fliplr", 0.5]])(sample(), rng(s)).polygons[0][0, 0] == 110 for s in range(100)]
    assert 30 < sum(drawn) < 70


def test_rotation_keeps_the_canvas_and_turns_about_the_centre() -> None:
    policy = IaaAugment([{"type": "Affine", "args": {"rotate": [-10, 10]}}])
    for seed in range(10):
        after = policy(sample(), rng(seed))
        angle = np.deg2rad(np.random.default_rng(seed).uniform(-10, 10))
        assert after.image.shape == (80, 120, 3)
        follows(after, 3)
        x, y = (BOX - [60, 40]).T
        turned = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)
        expected = turned + np.array([60, 40])
        np.testing.assert_allclose(after.polygons[0], expected, atol=0.7)


def test_any_imgaug_augmenter_by_name_and_the_same_for_the_same_seed() -> None:
    policy = IaaAugment([{"type": "GaussianBlur", "args": {"sigma": [0.5, 3.0]}}, {"type": "Flipud", "args": {"p": 1}}])
    first, again, other = policy(sample(), rng(1)), policy(sample(), rng(1)), policy(sample(), rng(2))
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != other.image).any()
    np.testing.assert_allclose(first.polygons[0][:, 1], [60, 60, 40, 40])


def test_texts_with_different_numbers_of_points_and_none() -> None:
    curved = np.array([[5, 5], [20, 2], [40, 5], [40, 15], [20, 12], [5, 15]], np.float32)
    mixed = Sample(np.zeros((80, 120, 3), np.uint8), (BOX, curved), np.array([False, True]), "s")
    after = IaaAugment()(mixed, rng(3))
    assert [p.shape for p in after.polygons] == [(4, 2), (6, 2)]
    empty = Sample(mixed.image, (), np.zeros(0, bool), "s")
    assert IaaAugment()(empty, rng(3)).polygons == ()


def test_names_of_newer_paddleocr_files() -> None:
    """The range written ( 0.5, 3 ) inside braces reaches us as {'scale_limit': '( 0.5', '3 )': None}."""
    spec = parse_augmenter({"type": "RandomScale", "args": {"scale_limit": "( 0.5", "3 )": None}})
    assert (spec.name, spec.args) == ("Resize", {"size": (0.5, 3.0)})
    assert parse_augmenter({"type": "HorizontalFlip", "args": {"p": 0.5}}).name == "Fliplr"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "Resise", "args": {}}, "no augmenter named 'Resise'; did you mean 'Resize'"),
        ({"type": "numpy"}, "no augmenter named 'numpy'"),
        ({"type": "Resize", "args": {"size": [0, 3]}}, "factors above 0"),
        ({"type": "Fliplr", "args": {"p": 7}}, "expected 0 to 1"),
        ({"type": "imgcorruptlike.Fog", "args": {"severity": 2}}, "imagecorruptions"),
        ({"type": "OneOf", "args": {"children": [{"type": "Blurr"}]}}, "no augmenter named 'Blurr'"),
        ({"type": "Affine", "args": {"rotat": 3}}, "Affine refuses"),
        ({"kind": "Affine"}, "expected"),
        ("Affine", "expected"),
    ],
)
def test_wrong_augmenters(entry: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        IaaAugment([entry])


GEOMETRY = [
    {"type": "PerspectiveTransform", "args": {"scale": [0.02, 0.1]}},
    {"type": "PerspectiveTransform", "args": {"scale": 0.1, "keep_size": False}},
    {"type": "Rot90", "args": {"k": [1, 3]}},
    {"type": "Rot90", "args": {"k": 1, "keep_size": False}},
    {"type": "Crop", "args": {"px": [0, 15]}},
    {"type": "CropToFixedSize", "args": {"width": 110, "height": 70}},
    {"type": "CropAndPad", "args": {"percent": [0, 0.2]}},
    {"type": "PadToFixedSize", "args": {"width": 200, "height": 150}},
    {"type": "PiecewiseAffine", "args": {"scale": [0.005, 0.01], "nb_rows": 3, "nb_cols": 3}},
    {"type": "Affine", "args": {"scale": {"x": [0.8, 1.2], "y": [0.8, 1.2]}, "shear": [-8, 8]}},
    {"type": "Affine", "args": {"translate_px": 5, "mode": ["constant", "edge"]}},
    {"type": "ShearX", "args": {"shear": [-10, 10]}},
    {"type": "Resize", "args": {"size": {"height": 60, "width": "keep-aspect-ratio"}}},
    {"type": "Sequential", "args": {"children": [["Fliplr", 0.5], {"type": "Flipud"}], "random_order": True}},
    ["Affine", 1.2],
]
COLOUR = [
    {"type": "GaussianBlur", "args": {"sigma": [0.5, 1]}},
    {"type": "AdditiveGaussianNoise", "args": {"scale": [1, 5]}},
    {"type": "MultiplyHueAndSaturation", "args": {"mul": [0.5, 1.5]}},
    {"type": "Rain", "args": {"speed": [0.1, 0.3]}},
    {"type": "Clouds"},
    {"type": "JpegCompression", "args": {"compression": [50, 90]}},
    {"type": "pillike.Autocontrast"},
    {"type": "Sometimes", "args": {"p": 0.5, "then_list": {"type": "Invert", "args": {"p": 1}}}},
    {"type": "SomeOf", "args": {"n": [1, 2], "children": [{"type": "Add", "args": {"value": 9}}, ["GaussianBlur", 1]]}},
    {"type": "RandAugment", "args": {"n": 2, "m": 3}},
]


def name_of(entry: object) -> str:
    return entry["type"] if isinstance(entry, dict) else "list form"


@pytest.mark.parametrize("entry", GEOMETRY + COLOUR, ids=name_of)
def test_any_augmenter_repeats_for_the_same_seed_and_leaves_its_input_alone(entry: object) -> None:
    policy, before = IaaAugment([entry]), sample()
    before.image.flags.writeable = False
    for seed in range(3):
        first, again = policy(before, rng(seed)), policy(before, rng(seed))
        np.testing.assert_array_equal(first.image, again.image)
        np.testing.assert_array_equal(first.polygons[0], again.polygons[0])
        assert first.image.dtype == np.uint8 and first.image.flags.c_contiguous


@pytest.mark.parametrize("entry", GEOMETRY, ids=name_of)
def test_polygons_follow_any_augmenter(entry: object) -> None:
    for seed in range(4):
        follows(IaaAugment([entry])(sample(), rng(seed)), 3.5)


def test_texts_cut_by_an_augmenter_are_clipped_and_slivers_become_dont_care() -> None:
    """Cropping 40 of 120 columns at the left leaves 10 of the box's 40; cropping 45 leaves 5, an eighth."""
    for cut, ignored in ((40, False), (45, True)):
        entry = {"type": "Crop", "args": {"px": [0, 0, 0, cut], "keep_size": False}}
        after = IaaAugment([entry])(sample(), rng())
        np.testing.assert_allclose(
            sorted(map(tuple, after.polygons[0])), [(0, 20), (0, 40), (50 - cut, 20), (50 - cut, 40)]
        )
        assert after.ignored.tolist() == [ignored]


def test_a_text_wholly_outside_stays_in_the_list() -> None:
    after = mend_polygons(sample(box=BOX - [200, 0]))
    assert len(after.polygons) == 1 and after.polygons[0].max(axis=0)[0] < 0


def test_a_crossed_outline_is_untangled_and_wild_points_are_tamed() -> None:
    mended = mend_polygons(sample(box=BOX[[0, 2, 1, 3]])).polygons[0]
    assert geometry.area(mended) == geometry.area(BOX) == 40 * 20
    wild = np.array([[10, 20], [np.inf, 20], [50, np.nan], [10, 40]], np.float32)
    after = mend_polygons(Sample(np.zeros((80, 120, 3), np.uint8), (wild,), np.array([False]), "s"))
    assert np.isfinite(after.polygons[0]).all() and after.polygons[0].max() <= 120


def test_the_three_plain_moves_may_leave_the_picture() -> None:
    after = IaaAugment([["Affine", 1.0], {"type": "Affine", "args": {"rotate": 10}}])(sample(box=BOX - [10, 20]), rng())
    assert after.polygons[0].min() < 0
