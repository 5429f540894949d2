"""``ppocr-pse convert-dataset``: both directions, what is left out, exit codes."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ppocr_pse.cli import main
from ppocr_pse.cli.convert_dataset import EPILOG
from ppocr_pse.data.formats import FORMATS, WRITERS, read_format

FIXTURES = Path(__file__).parent / "data" / "formats" / "fixtures"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2, 10):
        cv2.imwrite(str(folder / f"img_{number}.jpg"), np.zeros((30, 40, 3), np.uint8))
    return folder


def convert(source: str, labels: Path, target: str, path: Path, images: Path, *more: str) -> int:
    arguments = ["--from", source, str(labels), "--to", target, str(path), "--images", str(images), *more]
    return main(["convert-dataset", *arguments])


def test_there_and_back_again(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = tmp_path / "train.txt"
    assert convert("icdar2015", FIXTURES / "icdar2015", "ppocr", label, images) == 1
    out, err = capsys.readouterr()
    assert out == f"{label}: 3 pictures, 7 texts, 2 of them don't-care; 1 problems\n"
    assert "gt_img_1.txt:1: text 5: it counts, but '*' means don't-care in the format to write" in err
    first = label.read_text().splitlines()[0]
    assert first.startswith('img_1.jpg\t[{"transcription": "Genaxis Theatre", "points": [[377, 117], [463, 117]')

    assert convert("auto", label, "icdar2015", tmp_path / "gt.zip", images) == 0
    assert "taken for ppocr" in capsys.readouterr().out
    before = read_format("icdar2015", FIXTURES / "icdar2015", images)
    after = read_format("icdar2015", tmp_path / "gt.zip", images)
    for a, b in zip(before.annotations, after.annotations, strict=True):
        assert a.image == b.image and a.ignored.tolist() == b.ignored.tolist()
        assert [p.tolist() for p in a.polygons] == [p.tolist() for p in b.polygons]


def test_pictures_out_of_a_zip_with_gifs_as_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "pictures.zip"
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[:, 20:] = (200, 100, 50)
    Image.fromarray(pixels).save(tmp_path / "img_3.gif")
    with zipfile.ZipFile(archive, "w") as target:
        for name in ("ch8/img_1.jpg", "ch8/img_2.png"):
            target.writestr(name, cv2.imencode(Path(name).suffix, pixels)[1].tobytes())
        target.write(tmp_path / "img_3.gif", "ch8/img_3.gif")
        target.writestr("ch8/broken.gif", b"GIF89a")
        target.writestr("../outside.jpg", b"x")
    copy = tmp_path / "copy"
    label = tmp_path / "train.txt"
    assert convert("mlt2017", FIXTURES / "mlt2017", "ppocr", label, archive) == 2
    assert "--copy-images" in capsys.readouterr().err and not label.exists()
    assert convert("mlt2017", FIXTURES / "mlt2017", "ppocr", label, archive, "--copy-images", str(copy)) == 1
    err = capsys.readouterr().err
    assert "broken.gif: not a GIF that can be read" in err and "outside.jpg: the path leads out of the folder" in err
    found = read_format("ppocr", label, copy)
    assert [a.image.relative_to(copy).as_posix() for a in found.annotations] == [
        "ch8/img_1.jpg",
        "ch8/img_2.png",
        "ch8/img_3.png",
    ]
    assert np.abs(cv2.imread(str(copy / "ch8/img_3.png")).astype(int) - pixels[..., ::-1]).max() < 16
    assert not (tmp_path / "outside.jpg").exists()


def test_fit(images: Path, tmp_path: Path) -> None:
    (images / "img11.jpg").write_bytes((images / "img_1.jpg").read_bytes())
    totaltext = FIXTURES / "totaltext"
    assert convert("totaltext", totaltext, "icdar2015", tmp_path / "a", images) == 1
    assert convert("totaltext", totaltext, "icdar2015", tmp_path / "b", images, "--fit") == 0
    counts = [len(read_format("icdar2015", tmp_path / n, images).annotations[0].polygons) for n in "ab"]
    assert counts == [3, 4]


def test_missing_pictures_are_named(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "img_2.jpg").unlink()
    assert convert("icdar2015", FIXTURES / "icdar2015", "mmocr", tmp_path / "a.json", images) == 1
    out, err = capsys.readouterr()
    assert f"gt_img_2.txt:1: no picture at {images / 'img_2.jpg'}" in err and "the picture is left out" in err
    assert "2 pictures" in out


def test_what_stops_the_work(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty = tmp_path / "faulty"
    faulty.mkdir()
    (faulty / "gt_img_1.txt").write_text("1,2,3\n")
    taken = tmp_path / "taken.txt"
    taken.write_text("mine")
    for source, labels, target, path, words in (
        ("icdar2015", faulty, "ppocr", tmp_path / "a.txt", "gt_img_1.txt:1: 3 fields"),
        ("icdar2015", tmp_path / "absent", "ppocr", tmp_path / "a.txt", "no such file or folder"),
        ("icdar15", FIXTURES / "icdar2015", "ppocr", tmp_path / "a.txt", "unknown format 'icdar15'; did you mean"),
        ("icdar2015", FIXTURES / "icdar2015", "synthtext", tmp_path / "a.txt", "--to: no writer for 'synthtext'"),
        ("icdar2015", FIXTURES / "icdar2015", "ppocr", taken, "exists already; add --overwrite"),
        ("auto", images, "ppocr", tmp_path / "a.txt", "the format cannot be told; 3 files, the first is img_1.jpg"),
    ):
        code = convert(source, labels, target, path, images)
        err = capsys.readouterr().err
        assert code == 2 and words in err, (source, err)
    assert convert("icdar2015", faulty, "totaltext", tmp_path / "folder", images) == 2
    assert not (tmp_path / "folder").exists()
    assert taken.read_text() == "mine" and not list(tmp_path.glob("a.txt*"))
    assert convert("icdar2015", FIXTURES / "icdar2015", "ppocr", taken, images, "--overwrite") == 1


def test_ppocrlabel_s_files_go_among_the_pictures(images: Path, tmp_path: Path) -> None:
    gt = FIXTURES / "icdar2015" / "gt_img_2.txt"
    assert convert("icdar2015", gt, "ppocrlabel", images, images) == 0
    assert convert("icdar2015", gt, "ppocrlabel", images, images) == 2  # Label.txt is there now
    (annotation,) = read_format("ppocrlabel", images, images).annotations
    assert annotation.image == images / "img_2.jpg" and annotation.ignored.tolist() == [False, True]
    assert convert("icdar2015", gt, "coco_text", tmp_path / "c.json#val", images) == 0
    assert convert("icdar2015", gt, "coco_text", tmp_path / "c.json#val", images) == 2


def test_help_lists_every_format() -> None:
    for name in FORMATS:
        assert f"{name}*" in EPILOG if name in WRITERS else f"{name} " in EPILOG


def test_the_program_in_tools(images: Path, tmp_path: Path) -> None:
    tool = Path(__file__).parent.parent / "tools" / "convert_dataset.py"
    command = [sys.executable, str(tool), "--from", "msra_td500", str(FIXTURES / "msra_td500"), "--images", str(images)]
    (images / "IMG_0030.JPG").write_bytes((images / "img_1.jpg").read_bytes())
    done = subprocess.run(
        [*command, "--to", "ppocr", str(tmp_path / "a.txt")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("a.txt: 1 pictures, 3 texts, 1 of them don't-care; 0 problems\n")
