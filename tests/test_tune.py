"""Tuning the post-processing: exact against plain decoding, honest about the split, the network runs once."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from ppocr_pse.engine.logits import CacheFull, LogitsCache
from ppocr_pse.engine.tuning import Setting, Trial, box_threshold_grid, choose, try_settings
from ppocr_pse.metrics import Counts, DetMetric, find_protocol
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.types import Annotation, ImageScale

SCALE = ImageScale(96.0, 160.0, 1.0, 1.0)


def bars(seed: int, count: int = 4) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Logits (7, 24, 40) of bars of unequal sureness, with the texts that some of them are."""
    rng = np.random.default_rng(seed)
    logits = np.full((7, 24, 40), -6.0, np.float32)
    truths = []
    for i in range(count):
        y, x, w = 1 + 6 * i, int(rng.integers(1, 12)), int(rng.integers(4, 24))
        logits[:, y : y + 3, x : x + w] = rng.uniform(0.1, 3.0)
        if rng.random() < 0.7:
            truths.append(
                np.array([[4 * x, 4 * y], [4 * (x + w), 4 * y], [4 * (x + w), 4 * y + 12], [4 * x, 4 * y + 12]])
            )
    return logits, tuple(np.asarray(text, np.float32) for text in truths)


SCENES = [bars(seed) for seed in range(7)]
ANNOTATIONS = [
    Annotation(Path(f"{i}.jpg"), truths, np.zeros(len(truths), bool), ("w",) * len(truths), f"val.txt:{i}")
    for i, (_, truths) in enumerate(SCENES)
]


def load(annotation: Annotation) -> tuple[np.ndarray, ImageScale]:
    return SCENES[int(annotation.image.stem)][0], SCALE


SETTINGS = [Setting(thresh, area, box, 1) for thresh in (0.0, 1.0) for area in (4, 120) for box in ("quad", "poly")]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_trial_is_what_an_evaluation_with_its_values_gives(workers: int) -> None:
    grid = [0.0, 0.55, 0.7, 0.85, 0.99]
    trials = try_settings(ANNOTATIONS, load, SETTINGS, grid, find_protocol("icdar2015"), workers)
    assert [(trial.setting, trial.box_thresh) for trial in trials] == [(s, b) for s in SETTINGS for b in grid]
    for trial in trials:
        s = trial.setting
        decoder = PSEDecoder(s.thresh, trial.box_thresh, s.min_area, s.box_type, s.scale)
        metrics = DetMetric(), DetMetric()
        for number, annotation in enumerate(ANNOTATIONS):
            found = decoder.decode(load(annotation)[0][None], [SCALE])[0]
            metrics[number % 2].update(found.polygons, found.scores, annotation.polygons, annotation.ignored)
        assert trial.halves == (metrics[0].counts(), metrics[1].counts())
    assert len({trial.counts for trial in trials}) > 5, "the trials must differ"


def test_a_picture_that_cannot_be_read_counts_as_missed() -> None:
    trials = try_settings(ANNOTATIONS[:1], lambda annotation: None, SETTINGS[:1], [0.5], find_protocol("icdar2015"))
    assert trials[0].counts == Counts(truths=len(ANNOTATIONS[0].polygons))


def trial(box_thresh: float, even: tuple[int, int, int], odd: tuple[int, int, int], thresh: float = 0.0) -> Trial:
    halves = tuple(Counts(truths, found, hits, hits) for truths, found, hits in (even, odd))
    return Trial(Setting(thresh, 16, "quad", 1), box_thresh, halves)  # type: ignore[arg-type]


def test_the_choice_and_what_it_is_worth() -> None:
    """Half 0 likes a (10 hits of 10, else 4), half 1 likes b (8, else 2); c is best in all: 7 + 7 = 14 of 20.

    Chosen on half 0, a scores 2 on half 1; chosen on half 1, b scores 4 on half 0: 6 of 20 held out.
    """
    a, b = trial(0.5, (10, 10, 10), (10, 10, 2)), trial(0.6, (10, 10, 4), (10, 10, 8))
    c = trial(0.7, (10, 10, 7), (10, 10, 7))
    choice = choose([a, b, c], "hmean", lambda item: 0)
    assert choice.best is c and choice.best.counts.hmean == pytest.approx(14 / 20)
    assert choice.held_out.hmean == pytest.approx(6 / 20)


def test_of_equal_trials_the_preferred_one() -> None:
    equal = [trial(at, (5, 5, 3), (5, 5, 3)) for at in (0.2, 0.8, 0.5)]
    assert choose(equal, "hmean", lambda item: abs(item.box_thresh - 0.85)).best.box_thresh == 0.8


def test_the_indicator_is_obeyed() -> None:
    sure, eager = trial(0.9, (10, 2, 2), (10, 2, 2)), trial(0.1, (10, 40, 9), (10, 40, 9))
    assert choose([sure, eager], "precision", lambda item: 0).best is sure
    assert choose([sure, eager], "recall", lambda item: 0).best is eager


def test_the_best_value_at_the_end_of_what_was_tried_is_told() -> None:
    from ppocr_pse.cli.tune_postprocess import edges

    trials = [trial(0.5, (5, 5, 3), (5, 5, 3), thresh) for thresh in (0.0, 1.0, 2.0)]
    assert edges(trials, trials[1]) == []
    assert edges(trials, trials[2]) == [
        "The best thresh, 2, is the last that was tried: try values beyond it with --thresh."
    ]


def test_box_thresholds_can_be_pasted() -> None:
    grid = box_threshold_grid(0.01)
    assert len(grid) == 100 and grid[0] == 0 and grid[29] == 0.29 and grid[-1] == 0.99


def test_logits_are_kept_exactly(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"x")
    logits = np.random.default_rng(0).normal(size=(7, 5, 6)).astype(np.float32)
    cache = LogitsCache(tmp_path / "cache", b"weights", 10**6)
    assert cache.get(picture) is None
    cache.put(picture, logits, SCALE)
    known = LogitsCache(tmp_path / "cache", b"weights", 10**6).get(picture)
    assert known is not None and known[1] == SCALE
    np.testing.assert_array_equal(known[0], logits)
    assert known[0].dtype == np.float32
    assert LogitsCache(tmp_path / "cache", b"other weights", 10**6).get(picture) is None
    picture.write_bytes(b"another picture")
    assert cache.get(picture) is None, "a changed picture is another picture"
    assert cache.get(tmp_path / "absent.jpg") is None


def test_a_cut_off_file_is_computed_again(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"x")
    cache = LogitsCache(tmp_path / "cache", b"", 10**6)
    cache.put(picture, np.zeros((7, 5, 6), np.float32), SCALE)
    (file,) = cache.folder.glob("*.npz")
    file.write_bytes(file.read_bytes()[:300])
    assert cache.get(picture) is None


def test_the_cache_keeps_to_its_limit(tmp_path: Path) -> None:
    """A file takes 1,600 bytes or so. The network used least recently makes room; files of others stay."""
    pictures = [tmp_path / f"{i}.jpg" for i in range(4)]
    for picture in pictures:
        picture.write_bytes(b"x")
    root = tmp_path / "cache"
    logits = np.zeros((7, 6, 6), np.float32)
    for age, key in enumerate((b"old", b"new")):
        older = LogitsCache(root, key, 10**6)
        older.put(pictures[0], logits, SCALE)
        os.utime(older.folder, (1000 + age, 1000 + age))
    (root / "notes.txt").write_text("mine")
    cache = LogitsCache(root, b"third", 4_000)
    cache.put(pictures[0], logits, SCALE)
    cache.put(pictures[1], logits, SCALE)
    folders = {path.name for path in root.iterdir()}
    assert cache.folder.name in folders and "notes.txt" in folders
    assert LogitsCache(root, b"old", 10**6).get(pictures[0]) is None
    with pytest.raises(CacheFull, match=r"logits of 2 pictures take 0\.00 GB.*allow more, or tune on fewer"):
        cache.put(pictures[2], logits, SCALE)


@pytest.fixture
def arguments(bars: Path, tmp_path: Path) -> list[str]:
    """Arguments for a small network with random weights on four pictures."""
    import paddle

    from ppocr_pse.build import build_model
    from ppocr_pse.config import load_config

    small = ["Architecture.Neck.out_channels=8", "Architecture.Head.hidden_dim=8"]
    config = Path(__file__).parent.parent / "configs" / "det" / "quickstart.yml"
    model = build_model(load_config(config, small).section("Architecture"))
    paddle.save(model.state_dict(), str(tmp_path / "weights.pdparams"))
    return [
        "-c",
        str(config),
        "-o",
        *small,
        f"Global.pretrained_model={tmp_path}/weights",
        "Global.use_gpu=false",
        "Global.engine=paddle",
        f"Global.save_model_dir={tmp_path}/run",
        f"Eval.dataset.data_dir={bars}",
        f"Eval.dataset.label_file_list=[{bars}/val.txt]",
        f"Train.dataset.data_dir={bars}",
        f"Train.dataset.label_file_list=[{bars}/label.txt]",
        "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
        "PostProcess.thresh=-1.0",
    ]


def test_the_command(arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    from ppocr_pse.cli import tune_postprocess as command

    options = ["--out", str(tmp_path / "out"), "--thresh", "-0.5", "0", "--min-area", "4", "--step", "0.05"]
    assert command.main([*options, *arguments]) == 0
    text = capfd.readouterr().out
    assert "logits of 0 of 4 pictures are known" in text and "Never tune on test pictures" in text
    pasted = yaml.safe_load(text[text.index("PostProcess:") :].partition("\n[")[0])["PostProcess"]
    assert sorted(pasted) == ["box_thresh", "box_type", "min_area", "name", "scale", "thresh"]
    content = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert content["best"]["hmean"] == max(entry["hmean"] for entry in content["trials"])
    assert {key: content["best"][key] for key in pasted if key != "name"} == {
        key: value for key, value in pasted.items() if key != "name"
    }
    assert content["now"]["thresh"] == -1.0
    with (tmp_path / "out" / "tuning.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(content["trials"])
    assert command.main([*options, *arguments]) == 0
    again = capfd.readouterr().out
    assert "logits of 4 of 4 pictures are known" in again
    strip = re.compile(r"(?m)^\[.*$")
    assert strip.sub("", again).strip() == strip.sub("", text).strip()


def test_the_command_warns_of_cheating(arguments: list[str], bars: Path, capfd: pytest.CaptureFixture) -> None:
    from ppocr_pse.cli import tune_postprocess as command

    (bars / "val.txt").rename(bars / "test_label.txt")
    same = [
        f"Eval.dataset.label_file_list=[{bars}/test_label.txt]",
        f"Train.dataset.label_file_list=[{bars}/test_label.txt]",
    ]
    assert command.main([*arguments, *same, "--thresh", "0", "--min-area", "4"]) == 0
    captured = capfd.readouterr()
    text = captured.out + captured.err
    assert "looks like a test set" in text and "4 of 4 pictures of Eval are training pictures" in text


def test_what_stops_the_work_is_told_before_the_network_runs(
    arguments: list[str], capfd: pytest.CaptureFixture
) -> None:
    from ppocr_pse.cli import tune_postprocess as command

    assert command.main([*arguments, "--min-area", "-3"]) == 2
    assert "PostProcess.min_area: a number of pixels" in capfd.readouterr().err
    assert command.main([*arguments, "--cache-limit", "0.00001"]) == 2
    assert "allow more, or tune on fewer pictures" in capfd.readouterr().err


def test_help_ends_in_worked_examples(capsys: pytest.CaptureFixture) -> None:
    from ppocr_pse.cli import tune_postprocess as command

    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and "examples:" in text and "never on the\ntest set" in text
