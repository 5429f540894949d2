"""What is written is read back: geometry, don't-care and, where the format can hold it, the transcription."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.formats import FORMATS, WRITERS, guess_format, read_format
from ppocr_pse.types import Annotation

PICTURES = ("img_1.png", "img_2.png", "1003.png")
PPOCR_MARKS = ("###", "*")
# format: what to write; points of a polygon that fits (None: any); don't-care marks; whether the text of one is lost
CASES: dict[str, tuple[str, int | None, tuple[str, ...], bool]] = {
    "ppocr": ("label.txt", None, PPOCR_MARKS, True),
    "mindocr": ("train_det_gt.txt", None, PPOCR_MARKS, True),
    "icdar2015": ("gt.zip", 4, ("###", '"###"', ' "###" '), True),
    "ctw1500": ("gt", 14, ("###",), True),
    "totaltext": ("gt", None, ("#",), True),
    "ppocrlabel": ("labels", None, PPOCR_MARKS, False),
    "labelme": ("labels.zip", None, PPOCR_MARKS, False),
    "coco_text": ("coco.json", None, (), False),
    "mmocr": ("textdet_train.json", None, (), False),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in PICTURES:
        cv2.imwrite(str(folder / name), np.zeros((40, 60, 3), np.uint8))
    return folder


special = st.sampled_from(
    ["###", "*", "#", '"###"', ' "###" ', "", "a,b", '"q"', "####", ",####x", "\\", "it's", "]], y"]
)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=6)


@st.composite
def labels(draw: st.DrawFn, points: int | None) -> list[tuple[np.ndarray, str, bool]]:
    count = st.integers(3, 9) if points is None else st.just(points)
    made = []
    for _ in range(draw(st.integers(0, 3))):
        number = draw(count)
        corner = st.tuples(st.integers(-50, 5000), st.integers(-50, 5000))
        polygon = draw(st.lists(corner, min_size=number, max_size=number))
        made.append((np.array(polygon, np.float32), draw(special | plain), draw(st.booleans())))
    return made


def annotate(image: Path, texts: list[tuple[np.ndarray, str, bool]]) -> Annotation:
    ignored = np.array([text[2] for text in texts], bool)
    return Annotation(image, tuple(t[0] for t in texts), ignored, tuple(t[1] for t in texts), "test:1")


def clockwise(quad: np.ndarray) -> np.ndarray:
    """By the sum over the edges of the Robust Reading Competition's script: clockwise when it is not positive."""
    edges = [(np.roll(quad, -1, 0)[i][0] - x) * (np.roll(quad, -1, 0)[i][1] + y) for i, (x, y) in enumerate(quad)]
    return quad if sum(edges) <= 0 else quad[[0, 3, 2, 1]]


def test_every_writer_has_a_case() -> None:
    assert set(CASES) == set(WRITERS) < set(FORMATS)


@pytest.mark.parametrize("name", CASES)
def test_written_labels_are_read_back(name: str, pictures: Path) -> None:
    target_name, points, marks, text_is_lost = CASES[name]

    @settings(max_examples=25, deadline=None)
    @given(st.tuples(*[labels(points)] * len(PICTURES)))
    def check(drawn: tuple[list[tuple[np.ndarray, str, bool]], ...]) -> None:
        written = [annotate(pictures / picture, texts) for picture, texts in zip(PICTURES, drawn)]
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / target_name
            report = WRITERS[name](written, target, pictures, False)
            found = read_format(name, target, pictures)
        assert found.problems == ()
        assert (report.pictures, report.texts) == (3, sum(map(len, drawn)))
        by_name = {annotation.image: annotation for annotation in found.annotations}
        unmarked = 0
        for annotation, texts in zip(written, drawn):
            back = by_name[annotation.image]
            expected = [clockwise(t[0]) if name == "icdar2015" else t[0] for t in texts]
            assert [p.tolist() for p in back.polygons] == [p.tolist() for p in expected]
            assert back.ignored.tolist() == annotation.ignored.tolist()
            for (_, text, ignored), read in zip(texts, back.texts):
                if ignored and text_is_lost and text not in marks:
                    assert read == marks[0]
                elif not ignored and text in marks:
                    assert read == ""
                    unmarked += 1
                else:
                    assert read == text
        assert len(report.problems) == unmarked
        assert report.ignored == sum(annotation.ignored.sum() for annotation in written)

    check()


@pytest.mark.parametrize(
    ("name", "fixture"),
    [
        ("icdar2015", "icdar2015"),
        ("mlt2017", "mlt2017"),
        ("ctw1500", "ctw1500/train"),
        ("ctw1500", "ctw1500/test"),
        ("ctw1500", "ctw1500/first"),
        ("totaltext", "totaltext"),
        ("msra_td500", "msra_td500"),
        ("mindocr", "mindocr/train_det_gt.txt"),
        ("ppocrlabel", "ppocrlabel"),
        ("labelme", "labelme"),
        ("coco_text", "coco_text/cocotext.v2.json"),
        ("mmocr", "mmocr/textdet_train.json"),
    ],
)
def test_every_format_goes_to_label_lines_and_back(name: str, fixture: str, fixtures: Path, tmp_path: Path) -> None:
    found = read_format(name, fixtures / fixture, tmp_path)
    WRITERS["ppocr"](found.annotations, tmp_path / "label.txt", tmp_path, False)
    back = read_format("ppocr", tmp_path / "label.txt", tmp_path)
    assert found.problems == back.problems == ()
    for a, b in zip(found.annotations, back.annotations, strict=True):
        assert a.image == b.image
        assert a.ignored.tolist() == b.ignored.tolist()
        for p, q in zip(a.polygons, b.polygons, strict=True):
            assert p.shape == q.shape and np.abs(p - q).max() <= 0.0051  # label lines have two digits


def one(pictures: Path, points: list[list[float]], text: str = "x", ignored: bool = False) -> Annotation:
    return annotate(pictures / PICTURES[0], [(np.array(points, np.float32), text, ignored)])


PENTAGON = [[0, 0], [10, 0], [12, 5], [10, 10], [0, 10]]


def test_polygons_that_do_not_fit_are_left_out_unless_asked(pictures: Path, tmp_path: Path) -> None:
    quad = one(pictures, [[0, 0], [30, 0], [30, 10], [0, 10]])
    report = WRITERS["icdar2015"]([one(pictures, PENTAGON)], tmp_path / "a", pictures, False)
    assert report.texts == 0 and "5 points, and the format holds 4; --fit" in report.problems[0]
    report = WRITERS["ctw1500"]([quad], tmp_path / "b", pictures, False)
    assert report.texts == 0 and "4 points, and the format holds 14; --fit" in report.problems[0]

    assert WRITERS["icdar2015"]([one(pictures, PENTAGON)], tmp_path / "c", pictures, True).problems == []
    assert (tmp_path / "c" / "gt_img_1.txt").read_text() == "0,0,12,0,12,10,0,10,x\n"
    assert WRITERS["ctw1500"]([quad], tmp_path / "d", pictures, True).problems == []
    (back,) = read_format("ctw1500", tmp_path / "d", pictures).annotations
    assert back.polygons[0][[0, 6, 7, 13]].tolist() == quad.polygons[0].tolist()
    assert len(back.polygons[0]) == 14


def test_fractions_are_rounded_where_the_format_has_whole_pixels(pictures: Path, tmp_path: Path) -> None:
    WRITERS["icdar2015"]([one(pictures, [[0.4, 0.6], [9.5, 0], [9, 9], [-1.6, 9]])], tmp_path / "a", pictures, False)
    assert (tmp_path / "a" / "gt_img_1.txt").read_text() == "0,1,10,0,9,9,-2,9,x\n"


def test_file_forms(pictures: Path, tmp_path: Path) -> None:
    curve = one(pictures, PENTAGON, "it's", False)
    WRITERS["totaltext"]([curve], tmp_path / "t", pictures, False)
    assert (tmp_path / "t" / "poly_gt_img_1.txt").read_text() == (
        "x: [[0 10 12 10 0]], y: [[0 0 5 10 10]], ornt: [u'c'], transcriptions: [u\"it's\"]\n"
    )
    WRITERS["ctw1500"]([replace(curve, image=pictures / "1003.png")], tmp_path / "c", pictures, True)
    assert (tmp_path / "c" / "0001003.txt").read_text().endswith(",####it's\n")
    WRITERS["ppocrlabel"]([curve], tmp_path / "p", pictures, False)
    assert (tmp_path / "p" / "Label.txt").read_text().startswith(f"{pictures.name}/img_1.png\t")
    assert (tmp_path / "p" / "fileState.txt").read_text() == f"{pictures / 'img_1.png'}\t1\n"
    WRITERS["coco_text"]([curve], tmp_path / "c.json#val", pictures, False)
    assert len(read_format("coco_text", tmp_path / "c.json#val", pictures).annotations) == 1


Change = Callable[[Annotation], Annotation]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mindocr", lambda a: replace(a, image=a.image.parent / "sub" / a.image.name), "is there already (of test:1)"),
        ("icdar2015", lambda a: replace(a, image=a.image.with_suffix(".jpg")), "is there already (of test:1)"),
        ("labelme", lambda a: replace(a, image=a.image.with_suffix(".jpg")), "is there already (of test:1)"),
        ("ppocrlabel", lambda a: replace(a, image=a.image.parent / "sub" / "b.png"), "the one folder that PPOCRLabel"),
        ("icdar2015", lambda a: replace(a, image=a.image.with_name("b.png"), texts=("a\nb",)), "holds a line break"),
        ("mmocr", lambda a: replace(a, image=a.image.with_name("absent.png")), "cannot be read (No such file"),
        ("labelme", lambda a: replace(a, image=a.image.with_name("absent.png")), "cannot be read (No such file"),
        ("coco_text", lambda a: replace(a, image=a.image.with_name("absent.png")), "cannot be read (No such file"),
        ("ppocr", lambda a: replace(a, image=a.image.with_name("a\tb.png")), "must not hold"),
    ],
)
def test_what_cannot_be_written_is_named_and_the_rest_is_written(
    name: str, change: Change, words: str, pictures: Path, tmp_path: Path
) -> None:
    good = one(pictures, [[0, 0], [30, 0], [30, 10], [0, 10]])
    report = WRITERS[name]([good, change(good)], tmp_path / CASES[name][0], pictures, False)
    assert len(report.problems) == 1 and words in report.problems[0]
    assert report.texts == 1
    found = read_format(name, tmp_path / CASES[name][0], pictures)
    assert sum(len(annotation.polygons) for annotation in found.annotations) == 1


@pytest.mark.parametrize("name", CASES)
def test_the_format_of_what_is_written_is_told(name: str, pictures: Path, tmp_path: Path) -> None:
    fits = {4: [[0, 0], [30, 0], [30, 10], [0, 10]], 14: [[i, i * i] for i in range(14)]}
    points = fits.get(CASES[name][1] or 4, fits[4])
    target = tmp_path / CASES[name][0]
    WRITERS[name]([one(pictures, points), one(pictures, points, "y", True)], target, pictures, False)
    assert guess_format(target) == name
