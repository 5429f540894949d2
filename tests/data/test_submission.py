"""Result files for others: the portal's rules, names that clash, the same bytes each time, and the way back."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.results import read_results
from ppocr_pse.data.submission import SubmissionError, rrc_quad, submission_names, write_submission

QUAD = np.array([[10, 20], [110, 20], [110, 50], [10, 50]], np.int32)
CURVED = np.array([[0, 10], [50, 0], [100, 10], [100, 30], [50, 20], [0, 30]], np.int32)


def portal_sum(corners: np.ndarray) -> int:
    """What the portal's check adds up; above 0 it says that the points are not clockwise."""
    following = np.roll(corners, -1, axis=0)
    return int(((following[:, 0] - corners[:, 0]) * (following[:, 1] + corners[:, 1])).sum())


points = st.lists(st.tuples(st.integers(-50, 2000), st.integers(-50, 2000)), min_size=3, max_size=9).map(np.array)


@settings(max_examples=300, deadline=None)
@given(points)
def test_quads_pass_the_portals_check(polygon: np.ndarray) -> None:
    corners = rrc_quad(polygon)
    assert corners.shape == (4, 2) and corners.dtype == np.int64
    assert portal_sum(corners) <= 0


def test_quads_keep_their_corners() -> None:
    assert rrc_quad(QUAD).tolist() == QUAD.tolist()
    assert rrc_quad(QUAD[::-1]).tolist() == np.roll(QUAD, 1, axis=0).tolist(), "the first corner stays the first"
    assert rrc_quad(QUAD + np.array([0.4, -0.4])).tolist() == QUAD.tolist()


def test_a_polygon_becomes_the_rectangle_of_least_area() -> None:
    """An arc over [0, 100] x [0, 30], and a quadrilateral that crosses itself."""
    assert sorted(rrc_quad(CURVED).tolist()) == [[0, 0], [0, 30], [100, 0], [100, 30]]
    assert rrc_quad(CURVED)[0].tolist() == [0, 0]
    assert sorted(rrc_quad(QUAD[[0, 2, 1, 3]]).tolist()) == sorted(QUAD.tolist())


def test_the_portals_zip(tmp_path: Path) -> None:
    target = tmp_path / "new" / "submit.zip"
    write_submission(target, "rrc", ["a/img_1.jpg", "b/img_12.png"], [[QUAD, CURVED], []])
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["res_img_1.txt", "res_img_12.txt"]
        assert archive.read("res_img_1.txt") == b"10,20,110,20,110,50,10,50\r\n0,0,100,0,100,30,0,30\r\n"
        assert archive.read("res_img_12.txt") == b""
    first = target.read_bytes()
    write_submission(target, "rrc", ["a/img_1.jpg", "b/img_12.png"], [[QUAD, CURVED], []])
    assert target.read_bytes() == first
    write_submission(target, "rrc", ["a/img_1.jpg"], [[QUAD]], line_end="lf")
    with zipfile.ZipFile(target) as archive:
        assert archive.read("res_img_1.txt") == b"10,20,110,20,110,50,10,50\n"
    assert [path.name for path in target.parent.iterdir()] == ["submit.zip"]


@pytest.mark.parametrize("form", ["ctw1500", "totaltext"])
def test_polygons_with_y_first(tmp_path: Path, form: str) -> None:
    write_submission(tmp_path / "out", form, ["test/1001.jpg"], [[CURVED]])
    assert (tmp_path / "out" / "1001.txt").read_bytes() == b"10,0,0,50,10,100,30,100,20,50,30,0\n"
    (picture,) = read_results(tmp_path / "out", form).pictures
    assert picture.name == "1001" and picture.polygons[0].tolist() == CURVED.tolist()


def test_names_that_cannot_be_told_apart() -> None:
    assert submission_names(["x/img_3.jpg"], "rrc") == ("res_img_3.txt",)
    with pytest.raises(SubmissionError, match=r"cover\.jpg: its name holds no number.*name the picture img_N"):
        submission_names(["img_1.jpg", "cover.jpg"], "rrc")
    with pytest.raises(SubmissionError, match=r"b_1\.jpg: its results would be res_img_1\.txt.*a_1\.jpg"):
        submission_names(["a_1.jpg", "b_1.jpg"], "rrc")
    with pytest.raises(SubmissionError, match=r"b/1\.png: its results would be 1\.txt"):
        submission_names(["a/1.jpg", "b/1.png"], "ctw1500")
    with pytest.raises(SubmissionError, match="form 'voc' is not known"):
        submission_names([], "voc")


def test_a_folder_is_replaced_only_if_it_holds_results(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_submission(target, "totaltext", ["img1.jpg", "img2.jpg"], [[QUAD], []])
    write_submission(target, "totaltext", ["img3.jpg"], [[QUAD]])
    assert [path.name for path in target.iterdir()] == ["img3.txt"]
    (target / "thesis.doc").write_text("precious")
    with pytest.raises(SubmissionError, match="is no folder of text files"):
        write_submission(target, "totaltext", ["img1.jpg"], [[QUAD]])
    assert (target / "thesis.doc").exists() and (target / "img3.txt").exists()
