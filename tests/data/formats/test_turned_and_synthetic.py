"""MSRA-TD500's turned rectangles; SynthText's gt.mat, read cell by cell."""

from __future__ import annotations

from io import BytesIO
from math import sqrt
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from ppocr_pse.data.formats import read_format
from ppocr_pse.data.formats.mat5 import MatFile, texts_in
from ppocr_pse.data.formats.msra_td500 import turned_rectangle
from ppocr_pse.data.labels import LabelError


def test_msra_td500(fixtures: Path, tmp_path: Path) -> None:
    """60 x 20 at (100, 200); 100 x 40 turned by 90 degrees about (450, 320): 40 wide, 100 high; -30 degrees."""
    (tmp_path / "IMG_0030.JPG").touch()
    (annotation,) = read_format("msra_td500", fixtures / "msra_td500", tmp_path).annotations
    assert annotation.image == tmp_path / "IMG_0030.JPG"
    assert annotation.texts == ("", "", "") and annotation.ignored.tolist() == [False, True, False]
    assert annotation.polygons[0].tolist() == [[100, 200], [160, 200], [160, 220], [100, 220]]
    assert annotation.polygons[1] == pytest.approx(np.array([[470, 270], [470, 370], [430, 370], [430, 270]]), abs=1e-4)
    rising = annotation.polygons[2]  # a negative angle rises to the right
    assert rising[1] - rising[0] == pytest.approx(np.array([40 * sqrt(3) / 2, -20]), abs=1e-4)
    assert rising.mean(axis=0) == pytest.approx(np.array([30, 20]), abs=1e-4)


@given(st.floats(-3.2, 3.2), st.floats(1, 500), st.floats(1, 500))
def test_turned_rectangle_is_opencv_s(theta: float, width: float, height: float) -> None:
    corners = np.array(turned_rectangle(30, 40, width, height, theta))
    expected = cv2.boxPoints(((30 + width / 2, 40 + height / 2), (width, height), np.degrees(theta)))
    distance = np.linalg.norm(corners[:, None] - expected[None], axis=2)
    assert distance.min(axis=1).max() < 0.01


def test_msra_td500_faults(tmp_path: Path) -> None:
    file = tmp_path / "IMG_1.gt"
    file.write_text("0 0 1 1 9 9 0\n1 0 1 1 9 9\n2 2 1 1 9 9 0\n3 0 1 1 x 9 0\n4 0 1 1 9 9 inf\n")
    found = read_format("msra_td500", file, tmp_path)
    assert len(found.annotations[0].polygons) == 1
    assert [problem[len(str(file)) :].split(" in ")[0] for problem in found.problems[:2]] == [
        ":2: 6 fields",
        ":3: difficult is 2, expected 0 or 1; this text is left out",
    ]
    assert f"{file}:4: the fields are" in found.problems[2]
    assert f"{file}:5: the fields are '4,0,1,1,9,9,inf', expected finite numbers" in found.problems[3]


def cells(*values: object) -> np.ndarray:
    array = np.empty((1, len(values)), object)
    array[0, :] = values
    return array


QUADS = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


def gt_mat(path: Path, compressed: bool = False) -> Path:
    """Three pictures as in SynthText: three words in two blocks, one word (2 x 4), and a block of two lines."""
    content = {
        "charBB": cells(np.zeros((2, 4, 9)), np.zeros((2, 4, 3)), np.zeros((2, 4, 5))),
        "wordBB": cells(QUADS, QUADS[:, :, 1], QUADS[:, :, :2].astype(np.float64)),
        "imnames": cells("8/ballet_106_0.jpg", "8/b.jpg", "9/é.jpg"),
        "txt": cells(np.array(["Lines:\nI ", "lost      "]), np.array(["word"]), np.array([" Kevin\n'naïve' \n"])),
    }
    savemat(path, content, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_synthtext(tmp_path: Path, compressed: bool) -> None:
    file = gt_mat(tmp_path / "gt.mat", compressed)
    found = read_format("synthtext", file, tmp_path)
    assert found.problems == ()
    assert [a.image for a in found.annotations] == [tmp_path / n for n in ("8/ballet_106_0.jpg", "8/b.jpg", "9/é.jpg")]
    assert [a.texts for a in found.annotations] == [("Lines:", "I", "lost"), ("word",), ("Kevin", "'naïve'")]
    assert found.annotations[0].polygons[2].tolist() == QUADS[:, :, 2].T.tolist()
    assert found.annotations[1].polygons[0].tolist() == QUADS[:, :, 1].T.tolist()
    assert not any(a.ignored.any() for a in found.annotations)
    assert found.annotations[2].source == f"{file}:3"
    assert len(read_format("synthtext", tmp_path, tmp_path).annotations) == 3  # the folder with gt.mat


def test_synthtext_faults(tmp_path: Path) -> None:
    content = {
        "wordBB": cells(QUADS, np.zeros((3, 4)), QUADS[:, :, :2], np.full((2, 4), np.nan)),
        "imnames": cells("a.jpg", "b.jpg", "c.jpg", "d.jpg"),
        "txt": cells(np.array(["too few"]), np.array(["b"]), np.array(["c c"]), np.array(["d"])),
    }
    file = tmp_path / "gt.mat"
    savemat(file, content)
    found = read_format("synthtext", file, tmp_path)
    assert [(a.image.name, a.texts) for a in found.annotations] == [("a.jpg", ("", "", "")), ("c.jpg", ("c", "c"))]
    assert [problem[len(str(file)) :] for problem in found.problems] == [
        ":1: 2 words for 3 boxes; the transcriptions are left out",
        ":2: wordBB is of shape (3, 4), expected (2, 4, N); this picture is left out",
        ":4: word 1: points are [[nan nan]\n [nan nan]\n [nan nan]\n [nan nan]], expected finite numbers "
        "[[x, y], ...]; this text is left out",
        ":4: none of its texts can be used; the picture d.jpg is left out",
    ]
    savemat(file, {"wordBB": cells(QUADS), "imnames": cells("a", "b"), "txt": cells("x y z")})
    with pytest.raises(LabelError, match=r"have \[2, 1, 1\] cells"):
        read_format("synthtext", file, tmp_path)
    savemat(file, {"imnames": cells("a")})
    with pytest.raises(LabelError, match="no wordBB, txt in it"):
        read_format("synthtext", file, tmp_path)
    file.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    with pytest.raises(LabelError, match="save it with -v7"):
        read_format("synthtext", file, tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_gt_mat_gives_what_is_there(tmp_path: Path, compressed: bool) -> None:
    count = 400
    rng = np.random.default_rng(0)
    content = {
        "imnames": cells(*[f"{i}.jpg" for i in range(count)]),
        "txt": cells(*["word"] * count),
        "wordBB": cells(*rng.random((count, 2, 4))),
    }
    file = tmp_path / "gt.mat"
    savemat(file, content, do_compression=compressed)
    file.write_bytes(file.read_bytes()[:-8000])
    found = read_format("synthtext", file, tmp_path)
    kept = len(found.annotations)
    assert 0 < kept < count
    assert found.problems == (f"{file}:{kept + 1}: {file}: truncated; {count - kept} pictures are left out",)


def test_cells_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "gt.mat"
    savemat(file, {"charBB": rng.random(200_000), "wordBB": cells(*rng.random((4000, 2, 4)))}, do_compression=True)
    content = file.read_bytes()
    taken: list[int] = []

    class Counting(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            got = super().read(size)
            taken.append(len(got))
            return got

    mat = MatFile(lambda: Counting(content), "gt.mat")
    stream = mat.cells("wordBB")
    first = next(stream)
    assert first.shape == (2, 4) and len(content) > 1_500_000
    assert sum(taken) < 300_000  # charBB, the larger part, was only looked at
    assert sum(1 for _ in stream) == 3999


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFF), max_size=8)
arrays = st.tuples(st.integers(0, 3), st.integers(1, 4)).map(
    lambda shape: np.arange(shape[0] * shape[1]).reshape(shape)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.one_of(texts, arrays, arrays.map(lambda a: a / 7)), min_size=1, max_size=6), st.booleans())
def test_mat5_reads_what_scipy_reads(tmp_path: Path, values: list, compressed: bool) -> None:
    file = tmp_path / "any.mat"
    savemat(file, {"first": 1, "all": cells(*values)}, do_compression=compressed)
    expected = loadmat(file, variable_names=["all"])["all"].ravel()
    mat = MatFile.at(file)
    assert mat.count("all") == len(values) == len(expected)
    for found, right in zip(mat.cells("all"), expected, strict=True):
        if right.dtype.kind == "U":
            assert "".join(texts_in(found)) == "".join(right.tolist())
        else:
            assert found.shape == right.shape and (found == right).all()


def test_mat5_big_endian_and_damage(tmp_path: Path) -> None:
    def words(*values: int) -> bytes:
        return np.array(values, ">u4").tobytes()

    flags, shape, name = words(6, 8, 6, 0), words(5, 8, 2, 1), words(1 << 16 | 1) + b"n\0\0\0"
    body = flags + shape + name + words(9, 16) + np.array([1.5, -2], ">f8").tobytes()
    content = b"MATLAB 5.0".ljust(124) + b"\1\0MI" + words(14, len(body)) + body
    file = tmp_path / "big.mat"
    file.write_bytes(content)
    (value,) = MatFile.at(file).cells("n")
    assert value.tolist() == [[1.5], [-2]]
    file.write_bytes(content[:150])
    with pytest.raises(LabelError, match="truncated"):
        MatFile.at(file)
    file.write_bytes(content[:128] + words(99) + content[132:])
    with pytest.raises(LabelError, match="damaged: element of type 99 at byte 128"):
        MatFile.at(file)
