"""Damaged files: whatever is wrong with them, readers answer with annotations and named faults, or with LabelError."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from ppocr_pse.data.formats import FORMATS, guess_format, read_format
from ppocr_pse.data.labels import LabelError

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {
    "ppocr": "mindocr/train_det_gt.txt",
    "icdar2015": "icdar2015/gt_img_1.txt",
    "mlt2017": "mlt2017/gt_img_1.txt",
    "ctw1500": "ctw1500/train/0001.xml",
    "totaltext": "totaltext/poly_gt_img11.txt",
    "msra_td500": "msra_td500/IMG_0030.gt",
    "synthtext": "",
    "mindocr": "mindocr/train_det_gt.txt",
    "ppocrlabel": "ppocrlabel/Label.txt",
    "labelme": "labelme/a.json",
    "coco_text": "coco_text/cocotext.v2.json",
    "mmocr": "mmocr/textdet_train.json",
}


@pytest.fixture(scope="module")
def matlab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = {name: np.empty((1, 2), object) for name in ("imnames", "wordBB", "txt")}
    cells["imnames"][0] = "a.jpg", "b.jpg"
    cells["wordBB"][0] = np.arange(24.0).reshape(2, 4, 3), np.arange(8.0).reshape(2, 4)
    cells["txt"][0] = np.array(["one two", "three  "]), np.array(["four"])
    file = tmp_path_factory.mktemp("matlab") / "gt.mat"
    savemat(file, cells)
    return file


def damaged(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, put in edits:
        start = at % (len(content) + 1)
        content = content[:start] + put + content[start + length :]
    return content


pieces = st.binary(max_size=4) | st.sampled_from(
    [b"[", b"]", b"{", b"null", b"-1e999", b"\n", b",", b"NaN", b'"', b"<"]
)
edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 30), pieces), min_size=1, max_size=3)


def test_every_format_is_damaged() -> None:
    assert set(FILES) == set(FORMATS)


@pytest.mark.parametrize("name", FILES)
def test_damage_is_answered_in_words(name: str, matlab: Path) -> None:
    original = FIXTURES / FILES[name] if FILES[name] else matlab

    @settings(max_examples=30, deadline=None)
    @given(edits)
    @example([(0, 10**6, b"")])
    def check(edits: list[tuple[int, int, bytes]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / original.name
            shutil.copy(original, file)
            file.write_bytes(damaged(original.read_bytes(), edits))
            try:
                found = read_format(name, file, Path(folder))
            except LabelError as error:
                assert str(file) in str(error)
            else:
                assert all(problem.startswith(str(file)) for problem in found.problems)
                for annotation in found.annotations:
                    assert len(annotation.polygons) == len(annotation.texts) == len(annotation.ignored)
                    assert all(p.dtype == np.float32 and np.isfinite(p).all() for p in annotation.polygons)
            with contextlib.suppress(LabelError):
                guess_format(file)

    check()
