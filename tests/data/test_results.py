"""Files of detections: every format read, every fault named, and what is written is read back."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.data.results import ResultError, guess_results_format, read_results

QUAD = [[10, 20], [110, 20], [110, 50], [10, 50]]


def write(folder: Path, texts: dict[str, str], zipped: bool = False) -> Path:
    if zipped:
        with zipfile.ZipFile(folder / "results.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(name, text)
        return folder / "results.zip"
    place = folder / "results"
    place.mkdir()
    for name, text in texts.items():
        (place / name).write_bytes(text.encode("utf-8"))
    return place


@pytest.mark.parametrize(
    ("entry", "score"),
    [
        ({"transcription": "", "points": QUAD, "score": 0.75}, 0.75),
        ({"transcription": "a", "points": [[float(x), float(y)] for x, y in QUAD]}, None),
        (QUAD, None),
    ],
    ids=["ours", "PaddleOCR predicts", "MindOCR det_results"],
)
def test_a_line_a_picture(tmp_path: Path, entry: object, score: float | None) -> None:
    file = tmp_path / "predicts.txt"
    file.write_text(f"\ufeffa/img 1.jpg\t{json.dumps([entry, entry])}\r\n\r\na/img 2.jpg\t[]\r\n", encoding="utf-8")
    assert guess_results_format(file, "xy") == "lines"
    read = read_results(file, "lines")
    assert read.problems == ()
    assert [picture.name for picture in read.pictures] == ["a/img 1.jpg", "a/img 2.jpg"]
    assert [polygon.tolist() for polygon in read.pictures[0].polygons] == [QUAD, QUAD]
    np.testing.assert_array_equal(read.pictures[0].scores, [np.nan if score is None else score] * 2)
    assert read.pictures[1].polygons == () and read.pictures[1].source == f"{file}:3"


@pytest.mark.parametrize("zipped", [False, True])
def test_competition_files(tmp_path: Path, zipped: bool) -> None:
    """Corners, corners with a confidence, with a transcription, with both; CRLF, blanks, decimals; an empty file."""
    lines = ["10,20,110,20,110,50,10,50", " 10, 20, 110.0, 20,110,50,10,50,0.5", "10,20,110,20,110,50,10,50,HELLO, YOU"]
    lines += ["10,20,110,20,110,50,10,50,0.25,1999", "10,20,110,20,110,50,10,50,1999"]
    place = write(tmp_path, {"res_img_7.txt": "\r\n".join(lines) + "\r\n", "res_img_12.txt": ""}, zipped)
    assert guess_results_format(place, "xy") == "rrc"
    read = read_results(place, "rrc")
    assert read.problems == ()
    by_name = {picture.name: picture for picture in read.pictures}
    assert list(by_name) == ["img_12", "img_7"] and by_name["img_12"].polygons == ()
    assert [polygon.tolist() for polygon in by_name["img_7"].polygons] == [QUAD] * 5
    np.testing.assert_array_equal(by_name["img_7"].scores, [np.nan, 0.5, np.nan, 0.25, np.nan])


@pytest.mark.parametrize(
    ("form", "expected"), [("xy", [[1, 2], [3, 4], [5, 7]]), ("ctw1500", [[2, 1], [4, 3], [7, 5]])]
)
def test_polygons(tmp_path: Path, form: str, expected: list) -> None:
    place = write(tmp_path, {"1001.txt": "1,2,3,4,5,7\n1,2,3,4,5,7,\n"})
    assert guess_results_format(place, "ctw1500") == "ctw1500"
    (picture,) = read_results(place, form).pictures
    assert picture.name == "1001" and [polygon.tolist() for polygon in picture.polygons] == [expected] * 2
    assert np.isnan(picture.scores).all()


def test_what_is_wrong_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "predicts.txt"
    good = json.dumps([{"points": QUAD}])
    lines = [
        f"a.jpg\t{good}",
        f"b.jpg {good}",
        "c.jpg\t[{",
        'd.jpg\t{"points": []}',
        f'e.jpg\t[{{"points": {QUAD}}}, {{"points": [[1, 2], [3, 4]]}}, {{"points": [[1, "x"]]}}, {{}}]',
        f"a.jpg\t{good}",
        'f.jpg\t[{"points": [[1, 2], [3, NaN], [5, 5]]}]',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    read = read_results(file, "lines")
    assert [picture.name for picture in read.pictures] == ["a.jpg", "e.jpg", "f.jpg"]
    assert [len(picture.polygons) for picture in read.pictures] == [1, 1, 0]
    places = [problem.removeprefix(f"{file}:").split(":")[0] for problem in read.problems]
    assert sorted(places) == ["2", "3", "4", "5", "5", "5", "6", "7"]
    assert any(f"{file}:5: text 2: got an outline [[1.0, 2.0], [3.0, 4.0]]" in problem for problem in read.problems)


def test_a_faulty_line_of_a_picture_is_named(tmp_path: Path) -> None:
    place = write(tmp_path, {"res_img_1.txt": "1,2,3,4,5,6,7,8\n1,2,3,4\n1,2,x,4,5,6,7,8\n"})
    read = read_results(place, "rrc")
    assert len(read.pictures[0].polygons) == 1
    assert [f"{place}/res_img_1.txt:2" in read.problems[0], f"{place}/res_img_1.txt:3" in read.problems[1]] == [
        True,
        True,
    ]
    odd = write(tmp_path, {"a.txt": "1,2,3,4,5,6,7\n"}, zipped=True)
    assert "results.zip!a.txt:1: got 7 numbers" in read_results(odd, "xy").problems[0]


def test_what_cannot_be_read_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.txt").write_bytes(b"\n\xe9.jpg\t[]\n")
    (tmp_path / "bad.txt").write_text("nothing here")
    (tmp_path / "none.txt").write_text("")
    with pytest.raises(ResultError, match="no such file or folder"):
        guess_results_format(tmp_path / "absent", "xy")
    with pytest.raises(ResultError, match=r"holds no \.txt file"):
        read_results(tmp_path / "empty", "rrc")
    with pytest.raises(ResultError, match=r"latin\.txt:2: not UTF-8 \(byte 0xe9\)"):
        read_results(tmp_path / "latin.txt", "lines")
    with pytest.raises(ResultError, match="no usable line"):
        read_results(tmp_path / "bad.txt", "lines")
    with pytest.raises(ResultError, match="are a folder or a zip"):
        read_results(tmp_path / "bad.txt", "rrc")
    with pytest.raises(ResultError, match="are one text file"):
        read_results(tmp_path / "empty", "lines")
    with pytest.raises(ResultError, match="format 'voc' is not known"):
        read_results(tmp_path / "bad.txt", "voc")
    assert read_results(tmp_path / "none.txt", "lines").pictures == ()
