"""What stands in each kind of output."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from ppocr_pse.data.formats import labelme
from ppocr_pse.data.line_names import written_name
from ppocr_pse.data.results import read_results
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.base import OutputOptions
from ppocr_pse.outputs.output_set import OutputSet
from tests.outputs.made import ALL, OUTLINE, QUAD, broken, image, result

SCORES = OutputOptions(scores=True)


def write(out: Path, kinds: list[str], results: list[PictureResult], options: OutputOptions | None = None) -> None:
    paths = list(dict.fromkeys(found.path for found in results))
    with OutputSet(kinds, out / "r.txt", paths, options=options) as outputs:
        for found in results:
            outputs.add(outputs.finish(found))


def test_lines(tmp_path: Path) -> None:
    write(tmp_path, [], [result(Path("a.jpg")), result(Path("b\t\udcff.jpg"), 0), broken(Path("c.jpg"))])
    assert (tmp_path / "r.txt").read_text(encoding="utf-8") == (
        'a.jpg\t[{"transcription": "", "points": [[4, 6], [34, 4], [35, 16], [5, 18]], "score": 0.5}]\n'
        '"b\\t\\udcff.jpg"\t[]\n'
    )


def test_json_lines(tmp_path: Path) -> None:
    results = [
        result(Path("字.tif"), page=2),
        result(Path("b\udcff\u2028.jpg"), 0, error="cut\n off"),
        broken(Path("c.jpg")),
    ]
    write(tmp_path, ["jsonl"], results)
    content = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    assert content.splitlines()[0].startswith('{"file": "字.tif", "page": 2, ')
    assert [json.loads(line) for line in content.splitlines()] == [
        {
            "file": "字.tif",
            "page": 2,
            "width": 60,
            "height": 40,
            "detections": [{"points": QUAD.tolist(), "score": 0.5}],
        },
        {"file": "b\udcff\u2028.jpg", "page": 0, "width": 60, "height": 40, "detections": [], "error": "cut off"},
        {"file": "c.jpg", "page": 0, "error": "c.jpg: not a picture"},
    ]


def test_coco(tmp_path: Path) -> None:
    results = [result(Path("a.jpg"), 0), broken(Path("c.jpg")), result(Path("\udcff.tif"), 2, page=1)]
    write(tmp_path, ["coco"], results)
    document = json.loads((tmp_path / "r_coco.json").read_text(encoding="utf-8"))
    assert document["categories"] == [{"id": 1, "name": "text", "supercategory": "text"}]
    assert document["images"] == [
        {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40},
        {"id": 2, "file_name": "\udcff.tif#page=1", "width": 60, "height": 40},
    ]
    quad, outline = document["annotations"]
    assert quad == {
        "id": 1,
        "image_id": 2,
        "category_id": 1,
        "segmentation": [[4, 6, 34, 4, 35, 16, 5, 18]],
        "bbox": [4, 4, 31, 14],
        "area": 362.0,
        "iscrowd": 0,
        "score": 0.5,
    }
    assert outline["segmentation"] == [OUTLINE.ravel().tolist()]
    assert (outline["id"], outline["score"]) == (2, 0.6)
    write(tmp_path / "none", ["coco"], [])
    assert json.loads((tmp_path / "none" / "r_coco.json").read_text())["annotations"] == []


def test_icdar_is_what_the_reader_of_results_reads(tmp_path: Path) -> None:
    found = result(Path("img_1.jpg"), 2)
    write(tmp_path / "with", ["icdar"], [found, result(Path("none.png"), 0)], SCORES)
    write(tmp_path / "without", ["icdar"], [found])
    text = (tmp_path / "with" / "icdar" / "img_1.txt").read_bytes()
    assert text.startswith(b"4,6,34,4,35,16,5,18,0.500000\r\n")
    assert (tmp_path / "with" / "icdar" / "none.txt").read_bytes() == b""
    first, second = read_results(tmp_path / "with" / "icdar", "rrc").pictures
    assert (first.name, first.scores.tolist(), second.polygons) == ("img_1", [0.5, 0.6], ())
    assert first.polygons[0].tolist() == QUAD.tolist()
    assert first.polygons[1].shape == (4, 2)  # the rectangle round an outline
    assert (tmp_path / "without" / "icdar" / "img_1.txt").read_bytes().splitlines()[0] == b"4,6,34,4,35,16,5,18"


def test_labelme_is_what_the_reader_of_data_sets_reads(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    path = photos / "sub" / "a.jpg"
    path.write_bytes(cv2.imencode(".jpg", image())[1].tobytes())
    write(tmp_path / "out", ["labelme"], [result(path, 2), result(photos / "b.tif", 1, page=2)])
    file = tmp_path / "out" / "labelme" / "sub" / "a.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (file.parent / document["imagePath"]).resolve() == path.resolve()
    assert (document["imageHeight"], document["imageWidth"], document["imageData"]) == (40, 60, None)
    assert [shape["score"] for shape in document["shapes"]] == [0.5, 0.6]
    (annotation,) = labelme.stream(file, tmp_path)
    assert [polygon.tolist() for polygon in annotation.polygons] == [QUAD.tolist(), OUTLINE.tolist()]
    page = json.loads((tmp_path / "out" / "labelme" / "b#page=2.json").read_text(encoding="utf-8"))
    assert (page["page"], Path(page["imagePath"]).name) == (2, "b.tif")


def test_drawn(tmp_path: Path) -> None:
    write(tmp_path, ["drawn"], [result(Path("a.png")), result(Path("b.gif"))], OutputOptions(drawn="det_res_"))
    drawn = cv2.imread(str(tmp_path / "det_res_a.png"))
    assert drawn.shape == (40, 60, 3)
    assert (drawn != image()).any()
    assert (drawn[34:, 40:] == image()[34:, 40:]).all()
    assert (tmp_path / "det_res_b.gif.png").exists()


def test_a_picture_in_rgb_is_drawn_in_its_colours(tmp_path: Path) -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 255
    found = result(Path("a.png"), 0)
    write(tmp_path, ["drawn"], [PictureResult(found.path, red, found.detections, "", found.timing, img_mode="RGB")])
    assert cv2.imread(str(tmp_path / "det_results" / "a.png"))[0, 0].tolist() == [0, 0, 255]


def test_crops_and_their_list(tmp_path: Path) -> None:
    hostile = Path("b\t\udcff.jpg")
    write(tmp_path, ["crops"], [result(Path("a.jpg"), 2), result(Path("none.png"), 0), result(hostile)])
    rows = [line.split("\t") for line in (tmp_path / "r_crops.txt").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["crops/a/0001.png", "", "a.jpg", "[[4, 6], [34, 4], [35, 16], [5, 18]]", "0.5"]
    assert rows[1][0] == "crops/a/0002.png"
    assert rows[2][0] == written_name("crops/b\t\udcff/0001.png")
    assert rows[2][2] == written_name(hostile)
    assert cv2.imread(str(tmp_path / rows[0][0])).shape == (12, 30, 3)
    assert not (tmp_path / "crops" / "none").exists()


def test_surplus_crops_of_an_earlier_run_go(tmp_path: Path) -> None:
    write(tmp_path, ["crops"], [result(Path("a.jpg"), 3), result(Path("b.jpg"), 3)])
    (tmp_path / "crops" / "a" / "mine.png").write_bytes(b"")
    write(tmp_path, ["crops"], [result(Path("a.jpg"), 1), result(Path("b.jpg"), 0)])
    assert sorted(file.name for file in (tmp_path / "crops" / "a").iterdir()) == ["0001.png", "mine.png"]
    assert not (tmp_path / "crops" / "b").exists()


def test_a_sheet_shows_the_same_pictures_whatever_the_order(tmp_path: Path) -> None:
    options = OutputOptions(sheet_pictures=3)
    results = [result(Path(f"{number}.jpg"), number=number) for number in range(20)]
    write(tmp_path / "one", ["sheet"], results, options)
    chosen = sorted(hashlib.sha256(f"{number}.jpg".encode()).hexdigest()[:16] for number in range(20))[:3]
    assert sorted(file.stem for file in (tmp_path / "one" / ".r_sheet").iterdir()) == chosen
    assert cv2.imread(str(tmp_path / "one" / "r_sheet.jpg")).shape == (244, 3 * 324, 3)
    write(tmp_path / "other", ["sheet"], results[::-1], options)
    assert sorted(file.stem for file in (tmp_path / "other" / ".r_sheet").iterdir()) == chosen
    one, other = (cv2.imread(str(tmp_path / name / "r_sheet.jpg")).astype(int) for name in ("one", "other"))
    assert np.abs(one[:, :320] - other[:, 2 * 324 : 2 * 324 + 320]).mean() < 3  # in the order of the lines
    paths = [found.path for found in results]
    with OutputSet(["sheet"], tmp_path / "one" / "r.txt", paths, options=OutputOptions(sheet_pictures=2), resume=True):
        pass
    assert cv2.imread(str(tmp_path / "one" / "r_sheet.jpg")).shape == (244, 2 * 324, 3)


def test_a_sheet_of_nothing_is_none(tmp_path: Path) -> None:
    write(tmp_path, ["sheet"], [broken(Path("a.jpg"))])
    assert not (tmp_path / "r_sheet.jpg").exists()


PROGRAM = """
import resource
from pathlib import Path
from ppocr_pse.outputs.base import OutputError
from ppocr_pse.outputs.output_set import OutputSet
from tests.outputs.made import ALL, result
paths = [Path(f"{number:04d}.png") for number in range(40)]
outputs = OutputSet(["drawn", "jsonl"], Path("r.txt"), paths)
try:
    for number, path in enumerate(paths):
        outputs.add(outputs.finish(result(path, 9, number=number)))
except OutputError as error:
    print(error)
"""


def no_file_above_16_kb() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))


def test_where_there_is_no_room_the_run_ends_in_words(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        preexec_fn=no_file_above_16_kb,
    )
    assert run.stdout.startswith("r.txt: cannot write (File too large)"), run.stdout + run.stderr
    lines = (tmp_path / "r.txt").read_text().splitlines()
    assert len(lines) > 5
    assert all(len(json.loads(line.split("\t")[1])) == 9 for line in lines)
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == len(lines) + 1  # the lines come last


def test_every_kind_is_written_for_the_same_picture(tmp_path: Path) -> None:
    write(tmp_path, list(ALL), [result(Path("a.jpg"))])
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".r_sheet", "crops", "det_results", "icdar", "labelme", "r.jsonl", "r.run.json", "r.txt", "r_coco.json",
        "r_crops.txt", "r_sheet.jpg",
    ]  # fmt: skip
