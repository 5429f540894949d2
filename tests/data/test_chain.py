"""Chains from configurations: which way they go, what they refuse, donors of copy-paste."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ppocr_pse.build_data import build_train_chain
from ppocr_pse.data.labels import read_labels
from ppocr_pse.schema import ConfigError
from ppocr_pse.types import Annotation
from ppocr_pse.yaml_tree import read_tree

STANDARD: list[Any] = [
    {"DecodeImage": {"img_mode": "BGR"}},
    {"ColorJitter": {"brightness": 0.125, "saturation": 0.5}},
    {"IaaAugment": {}},
    {"MakePseGt": {"size": 64}},
    {"RandomCropImgMask": {"size": [64, 64]}},
    {"NormalizeImage": {}},
]


def with_steps(*steps: Any, window: bool = True) -> list[Any]:
    changed = [*STANDARD[:2], *steps, *STANDARD[3:]]
    return changed if window else [step for step in changed if "RandomCropImgMask" not in step]


def test_upstreams_transforms_go_the_fast_way_unless_told_otherwise(configs: Path) -> None:
    for name in ("det_r50_vd_pse.yml", "det_mv3_pse.yml"):
        entries = read_tree(configs / name)["Train"]["dataset"]["transforms"]
        assert build_train_chain(entries).describe() == "one warp of the crop window a sample (fast)"
    assert "fast: false" in build_train_chain(STANDARD, fast=False).describe()


def test_other_transforms_go_the_plain_way_and_say_why() -> None:
    blurred = with_steps({"IaaAugment": {"augmenter_args": [{"type": "GaussianBlur", "args": {"sigma": 1.0}}]}})
    assert "IaaAugment has GaussianBlur" in build_train_chain(blurred).describe()
    with pytest.raises(ConfigError, match=r"transforms: the fast path cannot be taken: IaaAugment has GaussianBlur"):
        build_train_chain(blurred, fast=True)


@pytest.mark.parametrize("fast", [True, False])
def test_windows_look_for_every_text_of_the_picture(tmp_path: Path, fast: bool) -> None:
    """Texts at the left and right end of 64 x 640 pixels: with p = 0 windows start from the first to the last."""
    cv2.imwrite(str(tmp_path / "a.png"), np.tile(np.arange(640) // 3, (64, 1)).astype(np.uint8))
    boxes = [[[x, 20], [x + 60, 20], [x + 60, 44], [x, 44]] for x in (0, 560)]
    polygons = tuple(np.array(box, np.float32) for box in boxes)
    annotation = Annotation(tmp_path / "a.png", polygons, np.zeros(2, bool), ("", ""), "label.txt:1")
    steps = [{"DecodeImage": {}}, {"RandomCropImgMask": {"size": [64, 64], "p": 0}}, STANDARD[3], STANDARD[5]]
    made = build_train_chain(steps, fast=fast)
    lefts = [3 * int(made(annotation, np.random.default_rng(seed)).image[0, 0, 0]) for seed in range(150)]
    assert min(lefts) < 20 and 500 < max(lefts) <= 615 - 64 + 3


def test_east_windows_need_no_second_crop(bars: Path) -> None:
    entries = with_steps({"EastRandomCropData": {"size": [96, 64], "max_tries": 20}}, window=False)
    annotations = read_labels(bars / "label.txt", bars).annotations
    made = build_train_chain(entries)
    assert "no RandomCropImgMask" in made.describe()
    for i, annotation in enumerate(annotations):
        item = made(annotation, np.random.default_rng(i))
        assert item.image.shape == (3, 64, 96) and item.targets.kernels.shape == (7, 64, 96)
        assert item.targets.text.any() == bool(annotation.polygons)
    both = build_train_chain(with_steps({"EastRandomCropData": {"size": [96, 96]}}))
    assert both(annotations[1], np.random.default_rng(0)).image.shape == (3, 64, 64)


def test_copy_paste_takes_texts_from_the_other_pictures(bars: Path) -> None:
    """Pictures 0 and 5 hold no text: what they have in their maps was pasted."""
    annotations = read_labels(bars / "label.txt", bars).annotations
    entries = with_steps({"CopyPaste": {"objects_paste_ratio": 1.0}})
    made = build_train_chain(entries, donors=annotations)
    items = [made(annotations[0], np.random.default_rng(seed)) for seed in range(20)]
    assert any(item.targets.text.any() for item in items)
    again = made(annotations[0], np.random.default_rng(7))
    np.testing.assert_array_equal(again.image, items[7].image)
    with pytest.raises(ConfigError, match="CopyPaste needs pictures"):
        build_train_chain(entries)


def test_a_broken_donor_costs_only_the_paste(bars: Path) -> None:
    annotations = read_labels(bars / "label.txt", bars).annotations
    (bars / "label.txt_2.png").write_bytes(b"no picture")
    made = build_train_chain(with_steps({"CopyPaste": {}}), donors=annotations[2:3])
    assert not made(annotations[0], np.random.default_rng(0)).targets.text.any()


@pytest.mark.parametrize("step", [{"EastRandomCropData": {}}, {"CopyPaste": {}}, {"ColorJitter": {}}])
def test_random_changes_after_the_maps_are_refused(step: Any) -> None:
    with pytest.raises(ConfigError, match="stands after MakePseGt"):
        build_train_chain([*STANDARD, step])


def test_stages_are_timed(bars: Path) -> None:
    annotation = read_labels(bars / "label.txt", bars).annotations[1]
    for fast in (True, False):
        seconds = build_train_chain(STANDARD, fast=fast)(annotation, np.random.default_rng(0)).seconds
        assert set(seconds) == {"decode", "augment", "targets"} and min(seconds.values()) > 0
