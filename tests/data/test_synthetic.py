"""Synthetic scenes: seeds, labels against the painted ink, the share of each kind of word, the command."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.cli.make_synthetic import main
from ppocr_pse.data.labels import read_labels
from ppocr_pse.data.synthetic import STYLES, UNREADABLE, SceneStyle, make_scene
from ppocr_pse.data.synthetic import scene as scene_module
from ppocr_pse.data.synthetic.painting import paint_word

SMALL = (256, 320)


def signed_area(polygon):
    x, y = np.asarray(polygon, np.float64).T
    return 0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))


def filled(polygon, size):
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask


# --- scenes -----------------------------------------------------------------------------------------------


def test_a_scene_depends_on_its_seed_only():
    first = make_scene((3, 1), SMALL)
    make_scene((3, 2), SMALL, STYLES["easy"])
    again = make_scene((3, 1), SMALL)
    np.testing.assert_array_equal(first.image, again.image)
    assert first.texts == again.texts
    assert all(np.array_equal(a, b) for a, b in zip(first.polygons, again.polygons, strict=True))
    assert not np.array_equal(first.image, make_scene((3, 2), SMALL).image)


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_scene(0, SMALL)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("index", range(10))
def test_labels_are_inside_clockwise_and_apart(index):
    scene = make_scene((11, index), SMALL, replace(SceneStyle(), empty=0.0, curved=0.4))
    assert scene.image.shape == (*SMALL, 3) and scene.image.dtype == np.uint8
    assert len(scene.texts) == len(scene.polygons) > 0
    taken = np.zeros(SMALL, np.int64)
    for polygon in scene.polygons:
        assert polygon.dtype == np.float32
        assert len(polygon) == 4 or (8 <= len(polygon) <= 14 and len(polygon) % 2 == 0)
        assert polygon.min() >= 0 and polygon[:, 0].max() < SMALL[1] and polygon[:, 1].max() < SMALL[0]
        assert signed_area(polygon) > 0  # clockwise on a screen whose y axis points down
        taken += filled(polygon, SMALL)
    assert (taken > 1).sum() <= 0.02 * (taken > 0).sum()


@pytest.mark.parametrize(("curved", "points"), [(0.0, {4}), (1.0, {8, 10, 12, 14})])
def test_the_share_of_curved_words_is_kept(curved, points):
    style = replace(SceneStyle(), curved=curved, illegible=0.0, empty=0.0)
    scenes = [make_scene(seed, (480, 480), style) for seed in range(4)]
    assert {len(polygon) for scene in scenes for polygon in scene.polygons} <= points


def test_empty_pictures_and_word_counts_follow_the_style():
    assert make_scene(5, SMALL, replace(SceneStyle(), empty=1.0)).texts == ()
    style = replace(STYLES["easy"], words=(2, 2), height=(12.0, 16.0), empty=0.0)
    assert [len(make_scene(seed, (480, 480), style).texts) for seed in range(6)] == [2] * 6


def test_illegible_words_are_labelled_dont_care():
    def share(illegible):
        style = replace(STYLES["easy"], illegible=illegible, curved=0.0, empty=0.0, words=(8, 8))
        texts = [text for seed in range(6) for text in make_scene(seed, (480, 480), style).texts]
        return texts.count(UNREADABLE) / len(texts)

    assert share(0.9) > 0.6
    assert share(0.0) < 0.1


@pytest.mark.parametrize("size", [(64, 64), (70, 333), (500, 90), (64, 1700)])
def test_odd_sizes_work(size):
    for seed in range(5):
        assert make_scene(seed, size).image.shape == (*size, 3)


@pytest.mark.parametrize(("seed", "size"), [(-1, SMALL), ((1, -2), SMALL), ((), SMALL), (0, (63, 200))])
def test_bad_seeds_and_sizes_are_refused(seed, size):
    with pytest.raises(ValueError, match=r"seed is|size"):
        make_scene(seed, size)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("curved", 1.1),
        ("words", (0, 5)),
        ("words", (6, 5)),
        ("height", (3.0, 20.0)),
        ("jpeg", (1, 90)),
        ("empty", -0.1),
    ],
)
def test_a_style_out_of_range_names_its_option(option, value):
    with pytest.raises(ValueError, match=f"SceneStyle.{option}: got"):
        replace(SceneStyle(), **{option: value})


def test_polygons_of_a_scene_hug_its_ink(monkeypatch):
    """The distance from a word's ink to its polygon is what an outline needs and half a pixel more."""
    painted_words = []

    def record(rng, picture, glyphs, ink):
        painted_words.append((paint_word(rng, picture, glyphs, ink), ink))
        return painted_words[-1][0]

    monkeypatch.setattr(scene_module, "paint_word", record)
    scenes = [make_scene((4, i), (480, 480), replace(STYLES["easy"], curved=0.0)) for i in range(6)]
    polygons = [polygon for scene in scenes for polygon in scene.polygons]
    assert len(polygons) == len(painted_words) > 15
    assert any(ink.edge is not None for _, ink in painted_words)
    for polygon, (word, ink) in zip(polygons, painted_words, strict=True):
        if ink.wear > 0:
            continue
        corner = np.array([word.window.left, word.window.top])
        pixels = np.argwhere(word.ink > 0.5)[:, ::-1] + corner
        nearest = min(cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in pixels)
        outline = ink.reach - ink.weight / 2
        assert outline - 0.6 < nearest < outline + 1.8


# --- the command ------------------------------------------------------------------------------------------


def run(out: Path, *more: str) -> int:
    return main(["--out", str(out), "--count", "4", "--size", "200x240", "--style", "easy", *more])


def test_command_writes_pictures_and_labels_that_read_back(tmp_path, capsys):
    assert run(tmp_path / "a", "--val", "2", "--empty", "0") == 0
    captured = capsys.readouterr()
    assert "4 pictures" in captured.out and "2 pictures" in captured.out
    assert captured.err == ""  # no progress bar in a log file
    train = read_labels(tmp_path / "a" / "label.txt", tmp_path / "a")
    val = read_labels(tmp_path / "a" / "val_label.txt", tmp_path / "a")
    assert (len(train.annotations), len(val.annotations), train.problems, val.problems) == (4, 2, (), ())
    for annotation in (*train.annotations, *val.annotations):
        assert cv2.imread(str(annotation.image)).shape == (200, 240, 3)
        assert len(annotation.texts) > 0
    scene = make_scene((0, 1, 0), (200, 240), replace(STYLES["easy"], empty=0.0))
    assert val.annotations[0].texts == scene.texts
    for read, made in zip(val.annotations[0].polygons, scene.polygons, strict=True):
        np.testing.assert_allclose(read, made, atol=0.006)


def test_command_repeats_itself_for_a_seed(tmp_path):
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert run(tmp_path / name, "--seed", seed) == 0
    files = {name: (tmp_path / name / "images" / "00003.jpg").read_bytes() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]
    assert not (tmp_path / "a" / "val_label.txt").exists()
    assert (tmp_path / "a" / "label.txt").read_bytes() == (tmp_path / "b" / "label.txt").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--curved", "2"], "SceneStyle.curved: got 2.0"),
        (["--words", "9", "3"], "SceneStyle.words"),
        (["--size", "640"], "HEIGHTxWIDTH"),
        (["--quality", "0"], "--quality"),
        (["--count", "0"], "nothing to make"),
    ],
)
def test_command_refuses_bad_options(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_command_reports_a_folder_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run(tmp_path / "file") == 2
    assert "cannot write to" in capsys.readouterr().err


def test_help_ends_in_worked_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert text.index("examples:") > text.index("--curved") and "tools/make_synthetic.py --out" in text
