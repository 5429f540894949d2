"""The files of MindOCR, PPOCRLabel, labelme, COCO-Text and MMOCR."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ppocr_pse.data.formats import read_format
from ppocr_pse.data.labels import LabelError


def test_mindocr_names_are_looked_for_below_too(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "img_61.jpg").touch()
    found = read_format("mindocr", fixtures / "mindocr" / "train_det_gt.txt", tmp_path)
    assert [a.image for a in found.annotations] == [tmp_path / "train" / "img_61.jpg", tmp_path / "img_62.jpg"]
    assert found.annotations[0].texts == ("MASA", "###")
    assert found.annotations[0].ignored.tolist() == [False, True]
    assert found.annotations[1].polygons == ()


@pytest.mark.parametrize("opened", [True, False])
def test_ppocrlabel_difficult_and_paths(fixtures: Path, tmp_path: Path, opened: bool) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "a.jpg").touch()
    (scans / "b.jpg").touch()
    found = read_format("ppocrlabel", fixtures / "ppocrlabel", scans if opened else tmp_path)
    assert found.problems == ()
    assert [a.image for a in found.annotations] == [scans / "a.jpg", scans / "b.jpg"]
    assert found.annotations[0].texts == ("ready", "blurred")
    assert found.annotations[0].ignored.tolist() == [False, True]
    assert [len(polygon) for polygon in found.annotations[1].polygons] == [5]


def test_ppocrlabel_unconfirmed_pictures_are_not_read(fixtures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    shutil.copytree(fixtures / "ppocrlabel", folder)
    (folder / "fileState.txt").write_text("/home/someone/scans/a.jpg\t1\n/home/someone/scans/b.jpg\t0\n")
    found = read_format("ppocrlabel", folder / "Label.txt", folder)
    assert [a.image.name for a in found.annotations] == ["a.jpg"]
    assert "Label.txt:2: fileState.txt does not have scans/b.jpg as confirmed" in found.problems[0]
    proposed = read_format("ppocrlabel", folder / "Cache.cach", folder)  # only when it is named itself
    assert proposed.annotations[0].texts == ("proposed",)
    (folder / "Label.txt").unlink()
    with pytest.raises(LabelError, match=r"no Label.txt in it; name Cache.cach itself"):
        read_format("ppocrlabel", folder, folder)


def test_ppocrlabel_faults_keep_difficult_in_step(tmp_path: Path) -> None:
    square = [[1, 1], [9, 1], [9, 9]]
    entries = [
        {"transcription": "a", "points": [[1, 1]], "difficult": False},
        {"transcription": "b", "points": square, "difficult": True},
        {"transcription": "*", "points": square, "difficult": False},
        {"transcription": "c", "points": square},
    ]
    (tmp_path / "Label.txt").write_bytes(f"d/a.jpg\t{json.dumps(entries)}\nd/b.jpg []\nd/\xff\t[]\n".encode("latin-1"))
    found = read_format("ppocrlabel", tmp_path, tmp_path)
    assert found.annotations[0].texts == ("b", "*", "c")
    assert found.annotations[0].ignored.tolist() == [True, True, False]
    places = [problem[len(str(tmp_path)) + 1 :].split(": ")[0] for problem in found.problems]
    assert places == ["Label.txt:1", "Label.txt:2", "Label.txt:3"]


def test_labelme(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (annotation,) = read_format("labelme", fixtures / "labelme", tmp_path).annotations
    assert annotation.image == tmp_path / "a.jpg"  # "..\\images\\a.jpg" is not there
    assert annotation.texts == ("curve", "box", "###")
    assert annotation.ignored.tolist() == [False, True, True]
    assert annotation.polygons[0].tolist() == [[1.5, 2], [30, 2.25], [30, 12], [15, 14], [1, 12]]
    assert annotation.polygons[1].tolist() == [[20, 10], [50, 10], [50, 40], [20, 40]]


def test_labelme_faults(fixtures: Path, tmp_path: Path) -> None:
    document = json.loads((fixtures / "labelme" / "a.json").read_text())
    document["shapes"] += [
        {"label": "o", "points": [[0, 0], [3, 3]], "shape_type": "circle"},
        {"label": "x"},
        {"label": "r", "points": [[0, 0], "?"], "shape_type": "rectangle"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(document))
    (tmp_path / "b.json").write_text('{\n"shapes": [\n')
    (tmp_path / "c.json").write_text("[]")
    (tmp_path / "d.json").write_text('{"imagePath": "d.jpg", "shapes": 3}')
    (tmp_path / "e.json").write_bytes(b'{"imagePath": "\xff"}')
    found = read_format("labelme", tmp_path, tmp_path)
    assert [len(a.polygons) for a in found.annotations] == [3]
    for problem, words in zip(
        found.problems,
        (
            "a.json:shapes[3]: shape_type is 'circle', expected polygon or rectangle",
            "a.json:shapes[4]: 'points' is missing, expected a list",
            "a.json:shapes[5]: points are [[0, 0], '?'], expected [[x1, y1], [x2, y2]]",
            "b.json:3: not JSON (Expecting value",
            "c.json: holds list, expected a JSON object",
            "d.json: 'shapes' is '3', expected a list",
            "e.json: not UTF-8 (byte 0xff)",
        ),
        strict=True,
    ):
        assert problem.startswith(f"{tmp_path}/{words}"), problem


def test_coco_text_sets_outlines_and_legibility(fixtures: Path, tmp_path: Path) -> None:
    file = fixtures / "coco_text" / "cocotext.v2.json"
    found = read_format("coco_text", file, tmp_path)
    assert [a.image.name[-6:-4] for a in found.annotations] == ["52", "36", "77"]
    train, val, empty = found.annotations
    assert train.texts == ("New",) and train.polygons[0][2].tolist() == pytest.approx([493.0, 295.8])
    assert val.texts == ("", "###") and val.ignored.tolist() == [True, False]  # legibility decides, not the text
    assert val.polygons[1].tolist() == [[5, 6], [15, 6], [15, 10], [5, 10]]
    assert empty.polygons == ()
    sets = {name: read_format("coco_text", Path(f"{file}#{name}"), tmp_path).annotations for name in ("train", "val")}
    assert [len(sets["train"]), len(sets["val"])] == [1, 2]
    with pytest.raises(LabelError, match="unknown set 'vali', expected one of train, val, test"):
        read_format("coco_text", Path(f"{file}#vali"), tmp_path)


def test_coco_text_faults(fixtures: Path, tmp_path: Path) -> None:
    document = json.loads((fixtures / "coco_text" / "cocotext.v2.json").read_text())
    good = document["anns"]["45346"]
    document["anns"] |= {
        "1": good | {"legibility": "maybe"},
        "2": good | {"mask": [1, 2, 3]},
        "3": good | {"image_id": 99},
    }
    del document["imgs"]["36"]["file_name"]
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(document))
    found = read_format("coco_text", file, tmp_path)
    assert [len(a.polygons) for a in found.annotations] == [1, 0]
    assert [problem[len(str(file)) :] for problem in found.problems] == [
        ":anns[1]: legibility is 'maybe', expected legible or illegible; this text is left out",
        ":anns[2]: mask is [1, 2, 3], expected [x1, y1, x2, y2, ...]; this text is left out",
        ":imgs[36]: 'file_name' is missing, expected text; this picture is left out",
        ":imgs: no picture 36; its 2 texts are left out",
        ":imgs: no picture 99; its 1 texts are left out",
    ]


def test_mmocr(fixtures: Path, tmp_path: Path) -> None:
    file = fixtures / "mmocr" / "textdet_train.json"
    found = read_format("mmocr", file, tmp_path)
    first, empty = found.annotations
    assert first.image == tmp_path / "textdet_imgs/train/img_1.jpg" and first.source == f"{file}:data_list[0]"
    assert first.polygons[0].tolist() == [[377, 117], [463, 117], [465, 130], [378, 130]]
    assert first.polygons[1].tolist() == [[493, 115], [519, 115], [519, 131], [493, 131]]
    assert first.texts == ("", "Joe") and first.ignored.tolist() == [False, True]
    assert empty.polygons == ()


@pytest.mark.parametrize(("name", "key"), [("mmocr", "data_list"), ("coco_text", "anns")])
def test_json_of_another_kind(name: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"images": []}')
    with pytest.raises(LabelError, match=f"the first: {file}: '{key}' is missing, expected"):
        read_format(name, file, tmp_path)


def test_mmocr_faults(tmp_path: Path) -> None:
    good = {"polygon": [1, 1, 9, 1, 9, 9], "ignore": False}
    pictures = [
        {"img_path": "a.jpg", "instances": [good, {"polygon": [1, 2], "ignore": False}, {"polygon": [1, 2]}]},
        {"instances": []},
        {"img_path": "c.jpg", "instances": [{"polygon": ["a", "b"], "ignore": True}]},
    ]
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"metainfo": {}, "data_list": pictures}))
    found = read_format("mmocr", file, tmp_path)
    assert [a.image.name for a in found.annotations] == ["a.jpg"]
    starts = [
        ":data_list[0]: instances[1]: 1 points, expected at least 3",
        ":data_list[0]: instances[2]: 'ignore' is missing, expected true or false",
        ":data_list[1]: 'img_path' is missing",
        ":data_list[2]: instances[0]: polygon is ['a', 'b']",
        ":data_list[2]: none of its texts can be used; the picture c.jpg is left out",
    ]
    assert len(found.problems) == len(starts)
    for problem, start in zip(found.problems, starts):
        assert problem.startswith(f"{file}{start}"), problem
