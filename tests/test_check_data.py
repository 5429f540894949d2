"""check-data on a small set with planted faults: each is found on its line, none is invented; the copy is mended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ppocr_pse.cli.check_data import main
from ppocr_pse.data.labels import read_labels
from ppocr_pse.visualize import GREEN, SKY, VERMILION, draw_labels
from tests.data.test_checks_shapes import with_orientation

Entries = list[dict[str, Any]]
GOOD = [[40, 40], [200, 40], [200, 80], [40, 80]]
OTHER = [[40, 120], [180, 110], [180, 150], [40, 160]]


class Planter:
    """Lines with known faults; `expected` holds (kind, line, text)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.expected: set[tuple[str, int, int]] = set()
        self._rng = np.random.default_rng(3)
        (folder / "images").mkdir(parents=True)

    def picture(self, name: str) -> Path:
        path = self.folder / "images" / name
        noise = self._rng.integers(0, 255, (30, 40, 3), np.uint8)
        path.write_bytes(cv2.imencode(".jpg", cv2.resize(noise, (320, 240)))[1].tobytes())
        return path

    def plant(
        self,
        kind: str,
        change: Callable[[Entries], object] = lambda entries: None,
        text: int = 0,
        spoil: Callable[[Path], object] = lambda path: None,
        line: Callable[[str], str] = lambda line: line,
    ) -> None:
        number = len(self.lines) + 1
        name = f"p{number:02}.jpg"
        spoil(self.picture(name))
        entries: Entries = [
            {"transcription": t, "points": [list(p) for p in q]} for t, q in (("a", GOOD), ("b", OTHER))
        ]
        change(entries)
        self.lines.append(line(f"images/{name}\t{json.dumps(entries)}"))
        if kind:
            self.expected.add((kind, number, text))

    def write(self, start: str = "", end: str = "\n") -> Path:
        file = self.folder / "label.txt"
        file.write_text(start + "".join(line + end for line in self.lines), encoding="utf-8", newline="")
        return file


def points(new: Any) -> Callable[[Entries], None]:
    return lambda entries: entries[1].update(points=new)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400])


def plant_everything(folder: Path) -> Planter:
    planter = Planter(folder)
    plant = planter.plant
    plant("")
    plant("no-separator", line=lambda line: line.replace("\t", "    "))
    plant("no-separator", line=lambda line: line.replace("\t", ","))
    plant("no-path", line=lambda line: line[line.index("\t") :])
    plant("json", line=lambda line: line[:-5])
    plant("json", line=lambda line: line.replace('"', "'"))
    plant("json", line=lambda line: line.split("\t")[0] + '\t{"points": []}')
    plant("bad-points", lambda entries: entries[1].pop("points"), 2)
    plant("bad-points", points([[1], [2], [3]]), 2)
    plant("not-finite", points([[40, float("nan")], *OTHER[1:]]), 2)
    plant("few-points", points(OTHER[:2]), 2)
    plant("missing", spoil=Path.unlink)
    plant("name-case", line=lambda line: line.replace(".jpg", ".JPG"))
    plant("name-case", line=lambda line: line.replace("images", "Images"))
    plant("backslash", line=lambda line: line.replace("/", "\\"))
    plant("empty-picture", spoil=lambda path: path.write_bytes(b""))
    plant("truncated", spoil=cut)
    plant("unreadable", spoil=lambda path: path.write_bytes(b"<html>not found</html>"))
    plant("z-order", points([OTHER[0], OTHER[1], OTHER[3], OTHER[2]]), 2)
    plant("self-crossing", points([[0, 100], [30, 100], [40, 110], [40, 100], [30, 110], [0, 110]]), 2)
    plant("zero-area", points([[40, 120], [80, 120], [120, 120], [60, 120]]), 2)
    plant("outside", points([[x + 900, y] for x, y in OTHER]), 2)
    plant("far-outside", points([[40, 120], [400, 120], [400, 150], [40, 150]]), 2)
    plant("past-border", points([[300, 120], [325, 120], [325, 150], [300, 150]]), 2)
    plant("vanishes", points([[40, 120], [64, 120], [64, 121.5], [40, 121.5]]), 2)
    plant("larger-than-crop", points([[1, 120], [319, 120], [319, 140], [1, 140]]), 2)
    plant("duplicate-text", lambda entries: entries.append({"transcription": "c", "points": [*GOOD[2:], *GOOD[:2]]}), 3)
    plant("almost-dont-care", lambda entries: entries[1].update(transcription="### "), 2)
    plant("all-ignored", lambda entries: [entry.update(transcription="###") for entry in entries])
    plant("no-text", list.clear)
    plant("exif", spoil=lambda path: path.write_bytes(with_orientation(path.read_bytes(), 3)))
    wide = points([[270, 120], [310, 120], [310, 150], [270, 150]])  # beyond the 240 px of the turned picture
    plant("exif-labels", wide, spoil=lambda path: path.write_bytes(with_orientation(path.read_bytes(), 6)))
    planter.lines.append(planter.lines[0])
    planter.expected.add(("duplicate-line", len(planter.lines), 0))
    plant("same-content", spoil=lambda path: shutil.copy(folder / "images/p01.jpg", path))
    planter.expected |= {("bom", 1, 0), ("crlf", 1, 0)}
    return planter


def run(labels: Path, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    found = folder / "found.json"
    arguments = ["--labels", str(labels), "--data-dir", str(folder), "--size", "320", "--json", str(found)]
    code = main([*arguments, "--workers", "2", *options])
    return code, json.loads(found.read_text(encoding="utf-8"))


def findings(report: dict[str, Any]) -> set[tuple[str, int, int]]:
    listed = [(f["kind"], f["line"], f["text"]) for f in report["findings"]]
    assert len(listed) == len(set(listed))
    return set(listed)


@pytest.fixture
def spoilt(tmp_path: Path) -> Planter:
    return plant_everything(tmp_path / "set")


def test_every_planted_fault_is_found_and_no_other(spoilt: Planter) -> None:
    code, report = run(spoilt.write("\ufeff", "\r\n"), spoilt.folder)
    assert findings(report) - {("larger-than-crop", 23, 2)} == spoilt.expected  # 360 px long, far outside
    assert code == report["exit_code"] == 1
    assert report["summary"]["lines"] == len(spoilt.lines)
    assert report["summary"]["absent"] == 4
    assert report["summary"]["undecodable"] == 3


def test_clean_data_give_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planter = Planter(tmp_path / "set")
    for _ in range(5):
        planter.plant("")
    code, report = run(planter.write(), planter.folder)
    assert (code, report["findings"]) == (0, [])
    assert report["summary"]["texts"] == 10
    assert report["summary"]["percentiles"]["text height (px)"]["100"] == pytest.approx(40, abs=1)
    assert "training loses nothing" in capsys.readouterr().out


def test_the_mended_copy_checks_clean(spoilt: Planter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mended"
    run(spoilt.write("\ufeff", "\r\n"), spoilt.folder, "--fix", str(out))
    told = (out / "changes.txt").read_text(encoding="utf-8").splitlines()
    assert f"{len(told)} changes" in capsys.readouterr().out
    changed = {int(line.removeprefix(f"{spoilt.folder / 'label.txt'}:").split(":")[0]) for line in told}
    untouched = {"vanishes", "larger-than-crop", "all-ignored", "no-text", "exif", "bom", "crlf"}
    assert changed == {number for kind, number, _ in spoilt.expected if kind not in untouched}

    code, report = run(out / "label.txt", spoilt.folder)
    assert code == 0
    assert {kind for kind, _, _ in findings(report)} == {
        "vanishes",
        "larger-than-crop",
        "all-ignored",
        "no-text",
        "exif",
    }
    content = (out / "label.txt").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in content

    mended = {a.image.name: a for a in read_labels(out / "label.txt", spoilt.folder).annotations}
    gone = {"p04", "p05", "p07", "p12", "p16", "p17", "p18", "p34"}  # unusable, or the content of p01
    assert set(mended) == {f"p{i:02}.jpg" for i in range(1, 35) if i != 33} - {f"{name}.jpg" for name in gone}
    np.testing.assert_array_equal(mended["p19.jpg"].polygons[1], np.float32(OTHER))
    assert mended["p27.jpg"].texts == ("a", "b")
    assert mended["p28.jpg"].ignored.tolist() == [False, True]
    assert mended["p06.jpg"].texts == ("a", "b")  # had single quotes
    assert max(mended["p23.jpg"].polygons[1][:, 0]) == 320


def test_texts_of_a_repeated_picture_move_to_its_first_line(tmp_path: Path) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("", lambda entries: entries.pop())
    entry = [{"transcription": "b", "points": OTHER, "difficult": False}]
    planter.lines.append("images/p01.jpg\t" + json.dumps([*json.loads(planter.lines[0].split("\t")[1]), *entry]))
    run(planter.write(), planter.folder, "--fix", str(tmp_path / "mended"))
    (line,) = (tmp_path / "mended/label.txt").read_text(encoding="utf-8").splitlines()
    assert [e["transcription"] for e in json.loads(line.split("\t")[1])] == ["a", "b"]
    assert "difficult" in line  # keys that training does not look at stay


def test_a_file_that_training_cannot_begin_with_is_mended(tmp_path: Path) -> None:
    planter = Planter(tmp_path / "set")
    for _ in range(3):
        planter.plant("no-separator", line=lambda line: line.replace("\t", " "))
    code, report = run(planter.write(), planter.folder, "--fix", str(tmp_path / "mended"))
    assert code == 2
    assert "no usable line" in report["blocked"][0]
    assert run(tmp_path / "mended/label.txt", planter.folder)[0] == 0


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda planter, file: file.unlink(), "cannot read the label file"),
        (lambda planter, file: file.write_bytes(b"a.jpg\t[]\n\xd6\xd0"), "not UTF-8"),
        (lambda planter, file: file.write_bytes(b"\n\n"), "no usable line"),
        (lambda planter, file: shutil.rmtree(planter.folder / "images"), "none of the 2 pictures exists"),
    ],
)
def test_exit_code_2(tmp_path: Path, spoil: Any, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("")
    planter.plant("")
    spoil(planter, planter.write())
    code, report = run(planter.folder / "label.txt", planter.folder)
    assert code == 2
    assert expected in report["blocked"][0]
    assert "training cannot begin" in capsys.readouterr().out


def test_the_sheet_shows_one_of_each_fault_first(spoilt: Planter, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    run(spoilt.write(), spoilt.folder, "--sheet", str(sheet), "--sheet-size", "13")
    image = cv2.imread(str(sheet))
    assert image.shape == (4 * 358, 4 * 484, 3)

    def pixels(cell: int, colour: tuple[int, int, int]) -> int:
        top, left = cell // 4 * 358, cell % 4 * 484
        return int((image[top : top + 358, left : left + 484] == colour).all(axis=2).sum())

    assert pixels(12, VERMILION) > 20  # z-order, the 13th kind: one of its two texts is faulty
    assert pixels(3, VERMILION) == 0  # bad-points: the text that is left has no fault


def test_labels_are_drawn_in_the_colour_of_their_kind() -> None:
    boxes = [np.float32([[x, 20], [x + 20, 20], [x + 20, 60], [x, 60]]) for x in (10, 110, 210)]
    drawn = draw_labels(np.zeros((100, 300, 3), np.uint8), boxes, [False, True, False], [False, False, True])
    for part, colour in zip(np.split(drawn, 3, axis=1), (GREEN, SKY, VERMILION), strict=True):
        brightest = part.reshape(-1, 3)[part.sum(axis=2).argmax()].astype(float)
        np.testing.assert_allclose(brightest / brightest.max(), np.array(colour) / max(colour), atol=0.02)


CONFIG = """
Global: {{}}
Train: &set
  dataset:
    name: SimpleDataSet
    data_dir: {folder}
    label_file_list: [{folder}/{train}]
    transforms:
      - DecodeImage: {{img_mode: BGR}}
      - IaaAugment: {{augmenter_args: [{{type: Resize, args: {{size: [0.5, 3]}}}}]}}
      - MakePseGt: {{size: 320, target: {target}}}
      - RandomCropImgMask: {{size: [320, 320]}}
      - NormalizeImage: {{}}
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: {folder}
    label_file_list: [{folder}/{val}]
    transforms: [DecodeImage: {{img_mode: BGR}}, DetResizeForTest: {{}}, NormalizeImage: {{}}]
"""


@pytest.mark.parametrize(("target", "expected"), [("ppocr", {("vanishes", 1, 2)}), ("paper", set())])
def test_a_configuration_gives_sizes_and_kernels(tmp_path: Path, target: str, expected: set[Any]) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("", points([[40, 120], [64, 120], [64, 121.5], [40, 121.5]]))
    planter.plant("")
    planter.write()
    config = tmp_path / "c.yml"
    config.write_text(CONFIG.format(folder=planter.folder, train="label.txt", val="label.txt", target=target))
    found = tmp_path / "found.json"
    assert main(["-c", str(config), "--json", str(found)]) == 0
    assert findings(json.loads(found.read_text(encoding="utf-8"))) == expected


def test_a_picture_in_training_and_in_evaluation(tmp_path: Path) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("")
    planter.plant("")
    planter.write()
    (planter.folder / "val.txt").write_text(planter.lines[1] + "\n", encoding="utf-8")
    config = tmp_path / "c.yml"
    config.write_text(CONFIG.format(folder=planter.folder, train="label.txt", val="val.txt", target="ppocr"))
    found = tmp_path / "found.json"
    assert main(["-c", str(config), "--section", "both", "--json", str(found)]) == 0
    assert findings(json.loads(found.read_text(encoding="utf-8"))) == {("leak", 1, 0)}


def test_another_format(tmp_path: Path) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("")
    labels = tmp_path / "gt"
    labels.mkdir()
    lines = ["40,40,200,40,200,80,40,80,a", "40,120,180,150,180,110,40,160,b", "1,2,3,c"]
    (labels / "gt_p01.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, out = tmp_path / "found.json", tmp_path / "mended"
    options = ["--data-dir", str(planter.folder / "images"), "--format", "icdar2015"]
    assert main(["--labels", str(labels), *options, "--json", str(found), "--fix", str(out)]) == 1
    kinds = {f["kind"] for f in json.loads(found.read_text(encoding="utf-8"))["findings"]}
    assert kinds == {"label", "z-order"}
    assert main(["--labels", str(out / "gt.txt"), *options[:2], "--json", str(found)]) == 0


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planter = Planter(tmp_path / "set")
    planter.plant("")
    file = planter.write()
    with pytest.raises(SystemExit):
        main([])
    with pytest.raises(SystemExit):
        main(["--labels", str(file)])
    direct = ["--labels", str(file), "--data-dir", str(planter.folder)]
    assert main([*direct, "--fix", str(planter.folder)]) == 2
    assert main([*direct, "--format", "icdar2051"]) == 2
    assert main([*direct, "--sheet", str(tmp_path / "sheet.xyz")]) == 2
    assert "error: cannot write" in capsys.readouterr().err
