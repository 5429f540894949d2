"""``dataset.format`` in a configuration: training reader and evaluation pool straight from a data set's own files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.build import build_annotations, build_train_loader
from ppocr_pse.config import Config, ConfigError, load_config
from ppocr_pse.data.formats import WRITERS, read_format


@pytest.fixture
def icdar(bars: Path) -> Path:
    """The small data set of bars with ICDAR2015's files; its pictures are PNG."""
    for part in ("label", "val"):
        found = read_format("ppocr", bars / f"{part}.txt", bars)
        WRITERS["icdar2015"](found.annotations, bars / f"{part}_gt.zip", bars, False)
    return bars


def load(configs: Path, folder: Path, *more: str) -> Config:
    settings = [
        f"{section}.dataset.{key}={value}"
        for section, part in (("Train", "label"), ("Eval", "val"))
        for key, value in (
            ("data_dir", folder),
            ("label_file_list", f"[{folder / part}_gt.zip]"),
            ("format", "icdar2015"),
        )
    ]
    small = ["Train.loader.num_workers=0", "Train.loader.batch_size_per_card=2", "Global.use_gpu=false"]
    return load_config(configs / "det_mv3_pse.yml", [*settings, *small, *more])


def test_training_and_evaluation_read_the_files(configs: Path, icdar: Path) -> None:
    config = load(configs, icdar)
    pool = build_annotations(config, "Train")
    assert pool.problems == () and len(pool.annotations) == 8
    expected = read_format("ppocr", icdar / "label.txt", icdar)
    by_name = {annotation.image: annotation for annotation in expected.annotations}
    for annotation in pool.annotations:
        assert [p.tolist() for p in annotation.polygons] == [p.tolist() for p in by_name[annotation.image].polygons]
    batch = next(iter(build_train_loader(config, pool)(0)))
    assert len(batch) == 2 and batch.faults == () and tuple(batch.image.shape) == (2, 3, 640, 640)
    assert np.asarray(batch.text).any()
    evaluation = build_annotations(config, "Eval")
    assert len(evaluation.annotations) == 4 and evaluation.problems == ()


def test_faults_and_missing_pictures_are_reported_with_their_places(configs: Path, icdar: Path) -> None:
    gt = icdar / "gt"
    gt.mkdir()
    for name, content in (("label.txt_0", "1,1,90,1,90,20,1,20,x\n1,2\n"), ("absent", "1,1,90,1,90,20,1,20,x\n")):
        (gt / f"gt_{name}.txt").write_text(content)
    config = load(configs, icdar, f"Train.dataset.label_file_list=[{gt}]", f"Eval.dataset.label_file_list=[{gt}]")
    pool = build_annotations(config, "Train")
    assert [annotation.image.name for annotation in pool.annotations] == ["label.txt_0.png"]
    assert any(problem.startswith(f"{gt / 'gt_label.txt_0.txt'}:2: 2 fields") for problem in pool.problems)
    assert any(problem.startswith(f"{gt / 'gt_absent.txt'}:1: no picture at") for problem in pool.problems)
    assert len(build_annotations(config, "Eval").annotations) == 2  # the texts of a missing picture count as missed
    empty = load(configs, icdar, f"Train.dataset.label_file_list=[{icdar / 'label.txt_0.png'}]")
    with pytest.raises(ConfigError, match=r"Train.dataset: .*no annotation files there, expected gt_NAME\.txt"):
        build_annotations(empty, "Train")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("Train.dataset.format=icdar15", "Train.dataset.format: unknown format 'icdar15'; did you mean 'icdar2015'"),
        ("Eval.dataset.format=[ppocr]", "Eval.dataset.format: got .*, expected text"),
    ],
)
def test_an_unknown_format_stops_before_any_work(configs: Path, icdar: Path, setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(configs, icdar, setting)


def test_a_delimiter_is_for_label_lines_only(configs: Path, icdar: Path) -> None:
    with pytest.raises(ConfigError, match="delimiter is ';', but format icdar2015 has none; remove it"):
        build_annotations(load(configs, icdar, "Train.dataset.delimiter=;"), "Train")


def test_the_default_is_label_lines(configs: Path, bars: Path) -> None:
    labels = (bars / "label.txt").read_text().replace("\t", ";")
    (bars / "other.txt").write_text(labels)
    options = (f"Train.dataset.label_file_list=[{bars / 'other.txt'}]", "Train.dataset.delimiter=;")
    config = load(configs, bars, *options, "Train.dataset.format=ppocr")
    assert len(build_annotations(config, "Train").annotations) == 8


def test_gif_pictures_are_found(configs: Path, icdar: Path) -> None:
    """OpenCV cannot decode them: the annotation is kept, and the picture is named when it is read."""
    gt = icdar / "gt"
    gt.mkdir()
    (gt / "gt_a.txt").write_text("1,1,90,1,90,20,1,20,Latin,x\n")
    (icdar / "a.gif").write_bytes(b"GIF89a")
    found = read_format("mlt2017", gt, icdar)
    assert found.annotations[0].image == icdar / "a.gif"
    assert cv2.imread(str(icdar / "a.gif")) is None
