"""Telling a format by its content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ppocr_pse.data.formats import FORMATS, guess_format, read_format
from ppocr_pse.data.labels import LabelError


@pytest.mark.parametrize(
    ("name", "fixture"),
    [
        ("icdar2015", "icdar2015"),
        ("icdar2015", "icdar2015/gt_img_1.txt"),
        ("mlt2017", "mlt2017"),
        ("ctw1500", "ctw1500/train"),
        ("ctw1500", "ctw1500/test"),
        ("ctw1500", "ctw1500/first"),
        ("totaltext", "totaltext"),
        ("msra_td500", "msra_td500"),
        ("msra_td500", "msra_td500/IMG_0030.gt"),
        ("mindocr", "mindocr/train_det_gt.txt"),
        ("ppocrlabel", "ppocrlabel"),
        ("ppocrlabel", "ppocrlabel/Label.txt"),
        ("labelme", "labelme"),
        ("labelme", "labelme/a.json"),
        ("coco_text", "coco_text/cocotext.v2.json"),
        ("coco_text", "coco_text/cocotext.v2.json#val"),
        ("mmocr", "mmocr/textdet_train.json"),
    ],
)
def test_fixtures(name: str, fixture: str, fixtures: Path) -> None:
    assert guess_format(fixtures / fixture) == name


@pytest.mark.parametrize("name", ["icdar2015", "mlt2017", "totaltext", "labelme"])
def test_zips(name: str, fixtures: Path, zipped) -> None:
    assert guess_format(zipped(fixtures / name)) == name


def test_matlab_files_and_label_lines(tmp_path: Path, zipped) -> None:
    savemat(tmp_path / "gt.mat", {"wordBB": 1, "txt": 2, "imnames": 3})
    assert guess_format(tmp_path / "gt.mat") == "synthtext"
    folder = tmp_path / "gt"
    folder.mkdir()
    savemat(folder / "poly_gt_img1.mat", {"polygt": np.empty((0, 6), object)})
    assert guess_format(folder) == guess_format(zipped(folder)) == "totaltext"
    lines = tmp_path / "train.list"
    lines.write_text('a.jpg\t[{"transcription": "x", "points": [[0, 0], [9, 0], [9, 5]]}]\n')
    assert guess_format(lines) == "ppocr"


def test_transcriptions_that_begin_like_a_language(tmp_path: Path) -> None:
    file = tmp_path / "gt_img_1.txt"
    file.write_text("0,0,9,0,9,9,0,9,Latin,x\n0,0,9,0,9,9,0,9,plain\n")
    assert guess_format(file) == "icdar2015"


def test_what_is_none_of_them(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary,\n")
    with pytest.raises(LabelError, match=r"notes.txt and begins with 'Dear diary,'\. Name it: ppocr, icdar2015"):
        guess_format(file)
    (tmp_path / "voc.xml").write_text("<annotation><object><bndbox/></object></annotation>")
    with pytest.raises(LabelError, match="begins with '<annotation>"):
        guess_format(tmp_path / "voc.xml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match="nothing is there"):
        guess_format(tmp_path / "empty")
    with pytest.raises(LabelError, match="no such file"):
        guess_format(tmp_path / "absent")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="unknown format 'icdar15'; did you mean 'icdar2015'"):
        read_format("icdar15", tmp_path, tmp_path)
    with pytest.raises(TypeError):
        FORMATS["mine"] = FORMATS["ppocr"]  # type: ignore[index]
