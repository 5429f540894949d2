"""SCUT-CTW1500 and Total-Text: all forms in which they were published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ppocr_pse.data.formats import read_format
from ppocr_pse.data.formats.ctw1500 import with_points
from ppocr_pse.data.labels import LabelError
from ppocr_pse.polygons import area

SEGS = [[10, 26], [20, 24], [30, 22], [40, 20], [50, 22], [60, 24], [70, 26]]
CURVE = [*SEGS, [70, 56], [60, 54], [50, 52], [40, 50], [30, 52], [20, 54], [10, 56]]


def test_ctw1500_training_xml(fixtures: Path, tmp_path: Path) -> None:
    file = fixtures / "ctw1500" / "train" / "0001.xml"
    found = read_format("ctw1500", file.parent, tmp_path)
    (annotation,) = found.annotations
    assert found.problems == ()
    assert annotation.image == tmp_path / "0001.jpg" and annotation.source == f"{file}:2"
    assert annotation.texts == ("OLATHE", "A & B", "###")
    assert annotation.ignored.tolist() == [False, False, True]
    assert annotation.polygons[0].tolist() == CURVE  # absolute
    assert annotation.polygons[1].tolist() == (np.array(CURVE) + 5).tolist()


def test_ctw1500_test_txt(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "1001.jpg").touch()
    (annotation,) = read_format("ctw1500", fixtures / "ctw1500" / "test", tmp_path).annotations
    assert annotation.image == tmp_path / "1001.jpg"
    assert annotation.texts == ("Latin 9, or so", "###")
    assert annotation.ignored.tolist() == [False, True]
    assert annotation.polygons[0].tolist() == CURVE


def test_ctw1500_first_release_has_offsets(fixtures: Path, tmp_path: Path) -> None:
    (annotation,) = read_format("ctw1500", fixtures / "ctw1500" / "first", tmp_path).annotations
    assert annotation.image == tmp_path / "0002.jpg"
    assert annotation.texts == ("",) and not annotation.ignored.any()
    assert annotation.polygons[0].tolist() == CURVE


def test_ctw1500_faults(tmp_path: Path) -> None:
    points = ",".join(str(v) for p in CURVE for v in p)
    file = tmp_path / "1001.txt"
    file.write_text(f"{points},####ok\n{points[:-3]},####short\n{points},text\n{points.replace('26', 'x')},####bad\n")
    found = read_format("ctw1500", file, tmp_path)
    assert found.annotations[0].texts == ("ok",)
    counts = [problem[len(str(file)) :].split(" in ")[0] for problem in found.problems[:2]]
    assert counts == [":2: 27 fields before ####", ":3: 29 fields"]
    assert found.problems[2].startswith(f"{file}:4: ") and "expected numbers" in found.problems[2]


def test_ctw1500_truncated_xml_keeps_what_stands_before(fixtures: Path, tmp_path: Path) -> None:
    whole = (fixtures / "ctw1500" / "train" / "0001.xml").read_text()
    (tmp_path / "0001.xml").write_text(whole[: whole.index("A & B")])
    (tmp_path / "0002.xml").write_text(whole[: whole.index("OLATHE")].replace("0001", "0002"))
    (tmp_path / "0003.xml").write_text(whole.replace("10,26,", "", 1).replace("0001", "0003"))
    found = read_format("ctw1500", tmp_path, tmp_path)
    assert [(a.image.name, a.texts) for a in found.annotations] == [
        ("0001.jpg", ("OLATHE",)),
        ("0003.jpg", ("A & B", "###")),
    ]
    assert f"{tmp_path / '0001.xml'}:10: not valid XML" in found.problems[0]
    assert f"{tmp_path / '0002.xml'}:4: not valid XML" in found.problems[1]
    assert f"{tmp_path / '0002.xml'}:2: no text of 0002.jpg could be read" in found.problems[2]
    assert f"{tmp_path / '0003.xml'}:3: 26 numbers in <segs>, expected 28" in found.problems[3]


@pytest.mark.parametrize("points", [3, 4, 5, 6, 8, 10, 13, 14])
def test_more_points_leave_the_shape_as_it_is(points: int) -> None:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    polygon = np.stack([200 + 150 * np.cos(angles), 100 + 40 * np.sin(angles)], axis=1).astype(np.float32)
    made = with_points(polygon)
    assert made.shape == (14, 2) and made.dtype == np.float32
    assert area(made) == pytest.approx(area(polygon), rel=1e-5)
    assert {tuple(p) for p in polygon.tolist()} <= {tuple(p) for p in made.tolist()}


def test_fewer_points_keep_the_ends_and_nearly_the_shape() -> None:
    x = np.linspace(0, 300, 20)
    curve = np.concatenate([np.stack([x, 50 * np.sin(x / 100)], 1), np.stack([x, 50 * np.sin(x / 100) + 40], 1)[::-1]])
    made = with_points(curve.astype(np.float32))
    assert made[[0, 6, 7, 13]].tolist() == curve.astype(np.float32)[[0, 19, 20, 39]].tolist()
    assert area(made) == pytest.approx(area(curve), rel=0.01)


TOTALTEXT = [
    ("PETROSAINS", 10, False),
    ("JOE'S", 4, False),
    ("#", 4, True),
    ("café, [bar]", 4, False),
]


def test_totaltext_txt_with_wrapped_lines(fixtures: Path, tmp_path: Path) -> None:
    (annotation,) = read_format("totaltext", fixtures / "totaltext", tmp_path).annotations
    assert annotation.image == tmp_path / "img11.jpg"
    assert list(zip(annotation.texts, map(len, annotation.polygons), annotation.ignored.tolist())) == TOTALTEXT
    assert annotation.polygons[0][5:8].tolist() == [[646, 976], [550, 1009], [358, 989]]  # across the line break
    assert annotation.polygons[3].tolist() == [[1, 1], [2, 1], [9, 5], [8, 6]]


def polygt(rows: list[tuple[list[int], list[int], str, str]]) -> np.ndarray:
    cells = np.empty((len(rows), 6), object)
    for row, (xs, ys, text, orientation) in zip(cells, rows):
        row[:] = "x:", np.array([xs], np.int16), "y:", np.array([ys], np.int16), text, orientation
    return cells


@pytest.mark.parametrize("compressed", [False, True])
def test_totaltext_mat_says_the_same_as_txt(fixtures: Path, tmp_path: Path, compressed: bool) -> None:
    (expected,) = read_format("totaltext", fixtures / "totaltext", tmp_path).annotations
    rows = [
        (polygon[:, 0].tolist(), polygon[:, 1].tolist(), text, "#" if ignored else "c")
        for polygon, text, ignored in zip(expected.polygons, expected.texts, expected.ignored)
    ]
    savemat(tmp_path / "poly_gt_img11.mat", {"polygt": polygt(rows)}, do_compression=compressed)
    found = read_format("totaltext", tmp_path / "poly_gt_img11.mat", tmp_path)
    (annotation,) = found.annotations
    assert found.problems == ()
    assert (annotation.image, annotation.texts) == (expected.image, expected.texts)
    assert annotation.ignored.tolist() == expected.ignored.tolist()
    assert all((a == b).all() for a, b in zip(annotation.polygons, expected.polygons))


def test_totaltext_mat_don_t_care_by_orientation_one_row_and_no_text(tmp_path: Path) -> None:
    savemat(tmp_path / "gt_img1.mat", {"polygt": polygt([([1, 9, 9], [1, 1, 9], "dim", "#")])})
    savemat(tmp_path / "gt_img2.mat", {"polygt": polygt([])})
    savemat(
        tmp_path / "gt_img3.mat", {"polygt": polygt([([1, 9], [1, 1, 9], "a", "c"), ([1, 9, 9], [1, 1, 9], "", "h")])}
    )
    savemat(tmp_path / "rect_gt_img4.mat", {"rectgt": polygt([])})
    found = read_format("totaltext", tmp_path, tmp_path)
    assert [(a.image.name, a.texts, a.ignored.tolist()) for a in found.annotations] == [
        ("img1.jpg", ("dim",), [True]),
        ("img2.jpg", (), []),
        ("img3.jpg", ("",), [False]),
    ]
    assert found.problems == (
        f"{tmp_path / 'gt_img3.mat'}:1: 2 values of x and 3 of y, expected as many; this text is left out",
    )


def test_totaltext_faults(tmp_path: Path) -> None:
    good = "x: [[1 9 9]], y: [[1 1 9]], ornt: [u'c'], transcriptions: [u'a']"
    file = tmp_path / "gt_img1.txt"
    file.write_bytes(
        b"stray\n" + good.encode() + b"\nx: [[1 9 z]], y: [[1 1 9]], ornt: [u'c'], transcriptions: [u'a']\n"
        b"x: [[1 9 9]], y: [[1 1 9]], ornt: [u'c'], transcriptions: [u'\xe9']\n"
        b"x: [[1 9 9]], y: [[1 1 9]], ornt: [u'c'], transcriptions: [u'a\n"
    )
    found = read_format("totaltext", file, tmp_path)
    assert found.annotations[0].texts == ("a",)
    assert [problem[len(str(file)) :].split(" ")[0] for problem in found.problems] == [":1:", ":3:", ":4:", ":5:"]
    savemat(tmp_path / "gt_img2.mat", {"other": 1})
    (tmp_path / "gt_img3.mat").write_bytes(b"not Matlab")
    for name, words in (("gt_img2.mat", "no polygt"), ("gt_img3.mat", "not a MATLAB 5 file")):
        with pytest.raises(LabelError, match=words):
            read_format("totaltext", tmp_path / name, tmp_path)
