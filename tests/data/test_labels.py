"""Label lines: what is read, what is refused with which words, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse.data.labels import LabelError, format_label_line, parse_label_line, read_labels

GOOD = 'a.jpg\t[{"transcription": "x", "points": [[0, 0], [9, 0], [9, 5]]}]'


def write(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "label.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_a_line_becomes_an_annotation(tmp_path: Path) -> None:
    line = json.dumps(
        [
            {"transcription": "日本", "points": [[0, 0], [9, 0], [9, 5], [0, 5]], "language": "ja", "illegibility": 1},
            {"transcription": "###", "points": [[0, 0], [9.5, 0], [9, 5], [4, 6], [0, 5]]},
            {"transcription": "*", "points": [[0, 0], [9, 0], [9, 5]]},
        ]
    )
    annotation, problems = parse_label_line(f"sub/a.jpg\t{line}", tmp_path, "label.txt:1")
    assert problems == []
    assert annotation.image == tmp_path / "sub/a.jpg"
    assert annotation.texts == ("日本", "###", "*")
    assert annotation.ignored.tolist() == [False, True, True]
    assert [polygon.shape for polygon in annotation.polygons] == [(4, 2), (5, 2), (3, 2)]
    assert annotation.polygons[1][1].tolist() == [9.5, 0.0]


def test_absolute_paths_and_pictures_without_text(tmp_path: Path) -> None:
    annotation, _ = parse_label_line("/pictures/a.jpg\t[]", tmp_path, "f:1")
    assert annotation.image == Path("/pictures/a.jpg")
    assert annotation.polygons == () and annotation.ignored.shape == (0,)


def test_bom_crlf_and_empty_lines(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbf" + f"{GOOD}\r\n\r\n{GOOD}\r\n".encode())
    labels = read_labels(file, tmp_path)
    assert [annotation.image.name for annotation in labels.annotations] == ["a.jpg", "a.jpg"]
    assert [annotation.source for annotation in labels.annotations] == [f"{file}:1", f"{file}:3"]
    assert labels.problems == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("b.jpg [{}]", "no '\\t' between"),
        ('b.jpg\t[{"points": [[0, 0]', "not JSON"),
        ("b.jpg\t{}", "expected a JSON list"),
        ("\t[]", "path is empty"),
        ('b.jpg\t[{"points": [[0, 0], [1, 1]]}]', "text 1: 2 points, expected at least 3"),
        ('b.jpg\t[{"points": [[0, 0], [1], [2, 2]]}]', "expected finite numbers"),
        ('b.jpg\t[{"points": [[0, 0], [1, NaN], [2, 2]]}]', "expected finite numbers"),
        ('b.jpg\t[{"points": "none"}]', "expected finite numbers"),
        ('b.jpg\t[{"transcription": "x"}]', "expected {"),
    ],
)
def test_a_faulty_line_is_named_and_the_rest_is_kept(tmp_path: Path, line: str, words: str) -> None:
    file = write(tmp_path, f"{GOOD}\n{line}\n{GOOD}\n")
    labels = read_labels(file, tmp_path)
    assert len(labels.problems) == 1
    assert labels.problems[0].startswith(f"{file}:2: ")
    assert words in labels.problems[0]
    assert [a.source for a in labels.annotations if a.image.name == "a.jpg"] == [f"{file}:1", f"{file}:3"]


def test_a_faulty_text_does_not_lose_its_neighbours(tmp_path: Path) -> None:
    line = 'b.jpg\t[{"points": [[0, 0]]}, {"transcription": "y", "points": [[0, 0], [9, 0], [9, 5]]}]'
    labels = read_labels(write(tmp_path, line), tmp_path)
    assert labels.annotations[0].texts == ("y",)
    assert "text 1" in labels.problems[0]


def test_nothing_usable_is_an_error_that_shows_the_first_fault(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"no usable line \(2 faulty; the first: .*:1: no"):
        read_labels(write(tmp_path, "a.jpg []\nb.jpg []\n"), tmp_path)
    with pytest.raises(LabelError, match="cannot read the label file"):
        read_labels(tmp_path / "absent.txt", tmp_path)
    with pytest.raises(LabelError, match=r"label.txt:2: not UTF-8 \(byte 0xff\)"):
        read_labels(write(tmp_path, GOOD.encode() + b"\n\xff\n"), tmp_path)


names = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
points = st.lists(st.tuples(st.integers(-999, 9999), st.integers(-999, 9999)), min_size=3, max_size=9)


@given(names, st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), points), max_size=4))
def test_what_is_written_is_read_back(name: str, texts: list) -> None:
    line = format_label_line(name, [text for text, _ in texts], [np.array(p) for _, p in texts])
    assert "\n" not in line
    annotation, problems = parse_label_line(line, Path(), "f:1")
    assert problems == []
    assert annotation.texts == tuple(text for text, _ in texts)
    assert [p.astype(int).tolist() for p in annotation.polygons] == [[list(q) for q in p] for _, p in texts]


def test_fractions_are_written_as_people_would() -> None:
    line = format_label_line("a.jpg", [""], [np.array([[80.7, 0], [1, 0], [1, 1.255]], np.float32)])
    assert "[[80.7, 0.0], [1.0, 0.0], [1.0, 1.25]]" in line or "[1.0, 1.26]" in line


def test_scores_and_refused_names() -> None:
    line = format_label_line("a.jpg", [""], [np.array([[0, 0], [1, 0], [1, 1]])], [0.25])
    assert json.loads(line.split("\t")[1]) == [{"transcription": "", "points": [[0, 0], [1, 0], [1, 1]], "score": 0.25}]
    with pytest.raises(LabelError, match="must not hold"):
        format_label_line("a\tb.jpg", [], [])
