"""ICDAR2015 and ICDAR2017-MLT: line forms, don't-care, folders and zips, which picture is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppocr_pse.data.formats import read_format
from ppocr_pse.data.labels import LabelError


def test_icdar2015_fields(fixtures: Path, tmp_path: Path) -> None:
    found = read_format("icdar2015", fixtures / "icdar2015", tmp_path)
    first, second, empty = found.annotations  # 2 stands before 10
    assert found.problems == ()
    assert [a.image for a in found.annotations] == [tmp_path / f"img_{n}.jpg" for n in (1, 2, 10)]
    assert first.texts == ("Genaxis Theatre", "###", '$5,000 "NET"', '"SCAN"', "*")
    assert first.ignored.tolist() == [False, True, False, False, False]  # `*` counts: only `###` does not
    assert first.polygons[0].tolist() == [[377, 117], [463, 117], [465, 130], [378, 130]]
    assert first.source == f"{fixtures / 'icdar2015' / 'gt_img_1.txt'}:1"
    assert second.texts == ("JOINT", '"###"') and second.ignored.tolist() == [
        False,
        True,
    ]  # unquoted as RRC's script does
    assert empty.polygons == () and empty.ignored.shape == (0,)


def test_icdar2015_zip_is_read_like_the_folder(fixtures: Path, tmp_path: Path, zipped) -> None:
    archive = zipped(fixtures / "icdar2015")
    found = read_format("icdar2015", archive, tmp_path)
    folder = read_format("icdar2015", fixtures / "icdar2015", tmp_path)
    assert found.problems == ()
    assert [(a.image, a.texts) for a in found.annotations] == [(a.image, a.texts) for a in folder.annotations]
    assert found.annotations[0].source == f"{archive}/Ground truth/gt_img_1.txt:1"


def test_one_file_is_read_alone(fixtures: Path, tmp_path: Path) -> None:
    found = read_format("icdar2015", fixtures / "icdar2015" / "gt_img_2.txt", tmp_path)
    assert [a.image.name for a in found.annotations] == ["img_2.jpg"]


def test_other_text_files_are_left_alone_where_files_have_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("How to cite\n")
    (tmp_path / "gt_img_1.txt").write_text("1,1,9,1,9,5,1,5,x\n")
    assert read_format("icdar2015", tmp_path, tmp_path).problems == ()
    (tmp_path / "gt_img_1.txt").rename(tmp_path / "img_1.txt")  # as many tools write them
    found = read_format("icdar2015", tmp_path, tmp_path)
    assert [a.image.name for a in found.annotations] == ["img_1.jpg"]
    assert "readme.txt:1: 1 fields" in found.problems[0]


def test_training_and_test_files_together_are_ambiguous(fixtures: Path, tmp_path: Path) -> None:
    for part in ("test", "train"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "gt_img_2.txt").write_bytes((fixtures / "icdar2015" / "gt_img_2.txt").read_bytes())
    found = read_format("icdar2015", tmp_path, tmp_path)
    assert [a.source for a in found.annotations] == [f"{tmp_path / 'test' / 'gt_img_2.txt'}:1"]
    assert "annotates the same picture as" in found.problems[0] and len(found.problems) == 1


def test_a_faulty_line_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "gt_img_1.txt"
    file.write_bytes(
        b"1,1,9,1,9,5,1,5,good\r\n"
        b"1,1,9,1,9,5,1\r\n"
        b"1,1,9,1,9,5,1,5,\xff\xfe\r\n"
        b"1,one,9,1,9,5,1,5,x\r\n"
        b"\r\n"
        b"1,1,9,1,9,5,1,inf,x\r\n"
        b"2,2,9,2,9,5,2,5,\r\n"
    )
    found = read_format("icdar2015", file, tmp_path)
    assert found.annotations[0].texts == ("good", "")
    words = ("7 fields in", "not UTF-8 (byte 0xff)", "expected numbers", "finite")
    assert len(found.problems) == 4
    for problem, line, word in zip(found.problems, (2, 3, 4, 6), words, strict=True):
        assert problem.startswith(f"{file}:{line}: ") and word in problem, problem


def test_a_picture_without_one_usable_text_is_left_out_not_trained_as_background(tmp_path: Path) -> None:
    (tmp_path / "gt_img_1.txt").write_text("1,2,3\n")
    (tmp_path / "gt_img_2.txt").write_text("1,1,9,1,9,5,1,5,good\n")
    found = read_format("icdar2015", tmp_path, tmp_path)
    assert [a.image.name for a in found.annotations] == ["img_2.jpg"]
    assert "none of its texts can be used; the picture img_1.jpg is left out" in found.problems[1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "absent", "no such file or folder"),
        (lambda p: p, "no annotation files there, expected gt_NAME.txt; found a.md"),
        (lambda p: p / "broken.zip", "truncated one"),
        (lambda p: p / "a.md", "no annotation files there"),
    ],
)
def test_what_cannot_be_read_at_all(tmp_path: Path, make, words: str) -> None:
    (tmp_path / "a.md").write_text("hello")
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(LabelError, match=words.replace("(", r"\(")):
        read_format("icdar2015", make(tmp_path), tmp_path)


def test_a_damaged_member_of_a_zip_costs_that_picture_only(fixtures: Path, tmp_path: Path, zipped) -> None:
    archive = zipped(fixtures / "icdar2015")
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"JOINT", b"JOYNT", 1))  # stored, so only its checksum tells
    found = read_format("icdar2015", archive, tmp_path)
    assert [a.image.name for a in found.annotations] == ["img_1.jpg", "img_10.jpg"]
    assert found.problems[0].startswith(f"{archive}/Ground truth/gt_img_2.txt: cannot read it (Bad CRC-32")


def test_mlt2017_language_field_and_picture_endings(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "ch8_1").mkdir()
    for name in ("img_2.png", "ch8_1/img_3.gif", "notes.txt"):
        (tmp_path / name).touch()
    found = read_format("mlt2017", fixtures / "mlt2017", tmp_path)
    assert found.problems == ()
    assert [a.image.relative_to(tmp_path).as_posix() for a in found.annotations] == [
        "img_1.jpg",  # not there; a picture that is missing is reported when labels are pooled
        "img_2.png",
        "ch8_1/img_3.gif",
    ]
    assert [a.texts for a in found.annotations] == [("ROYAL, ROAD", "مرحبا"), ("日本", "###"), ('"#"',)]
    assert [a.ignored.tolist() for a in found.annotations] == [[False, False], [False, True], [False]]


def test_mlt2017_line_without_a_language(tmp_path: Path) -> None:
    (tmp_path / "gt_img_1.txt").write_text("1,1,9,1,9,5,1,5,Latin\n1,1,9,1,9,5,1,5,Latin,x\n")
    found = read_format("mlt2017", tmp_path, tmp_path)
    assert found.annotations[0].texts == ("x",)
    assert "gt_img_1.txt:1: 9 fields in" in found.problems[0]


def test_two_pictures_that_could_be_meant(fixtures: Path, tmp_path: Path) -> None:
    for name in ("img_1.png", "img_1.jpg", "img_2.gif", "img_2.png"):
        (tmp_path / name).touch()
    found = read_format("mlt2017", fixtures / "mlt2017", tmp_path)
    assert "gt_img_1.txt: 2 pictures" in found.problems[0] and "img_1.jpg, img_1.png; keep one" in found.problems[0]
    assert [a.image.name for a in found.annotations] == ["img_2.png", "img_3.jpg"]  # the GIF has been converted


def test_a_zip_of_pictures_is_refused_with_the_cure(fixtures: Path, tmp_path: Path, zipped) -> None:
    archive = zipped(fixtures / "icdar2015")
    with pytest.raises(LabelError, match="data_dir is a file, expected a folder of pictures; unpack it"):
        read_format("icdar2015", fixtures / "icdar2015", archive)
