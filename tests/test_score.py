"""`ppocr-pse score`: the same score from every kind of file, equal to a plain reference; what does not fit is named."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.cli import score as command
from ppocr_pse.data.submission import write_submission
from tests.metrics import metrics_reference as reference

ROOT = Path(__file__).parent.parent
KINDS = ("ours", "paddleocr", "mindocr", "rrc.zip", "rrc", "ctw1500")
Scene = tuple[list, list, np.ndarray]


def random_scenes(seed: int, count: int = 12) -> dict[str, Scene]:
    """Pictures with words, detections near them, and don't-care texts, all in whole pixels."""
    rng = np.random.default_rng(seed)
    scenes = {}
    for number in range(1, count + 1):
        truths = []
        for cell in range(int(rng.integers(0, 9))):
            x, y = 30 + 130 * (cell % 3), 30 + 60 * (cell // 3)
            w, h = rng.integers(30, 110), rng.integers(12, 40)
            truths.append(np.array([[x, y], [x + w, y + 3], [x + w, y + h], [x, y + h - 3]]))
        near = [text + rng.integers(-9, 10, (4, 2)) for text in truths if rng.random() < 0.8]
        far = [reference.box(x, y, x + 40, y + 15) for x, y in rng.integers(0, 300, (int(rng.integers(0, 3)), 2))]
        scenes[f"set/img_{number}.jpg"] = (near + far, truths, rng.random(len(truths)) < 0.25)
    return scenes


def write_labels(file: Path, scenes: dict[str, Scene]) -> Path:
    lines = []
    for name, (_, truths, ignored) in scenes.items():
        texts = [
            {"transcription": "###" if care_not else "word", "points": text.tolist()}
            for text, care_not in zip(truths, ignored)
        ]
        lines.append(f"{name}\t{json.dumps(texts)}\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def write_results(folder: Path, kind: str, scenes: dict[str, Scene]) -> Path:
    names, found = list(scenes), [polygons for polygons, _, _ in scenes.values()]
    if kind in ("rrc.zip", "rrc", "ctw1500"):
        write_submission(folder / kind, kind.removesuffix(".zip"), names, found)
        return folder / kind
    lines = []
    for name, polygons in zip(names, found):
        plain = [polygon.tolist() for polygon in polygons]
        entries: list = plain
        if kind == "ours":
            entries = [{"transcription": "", "points": p, "score": 0.9} for p in plain]
        elif kind == "paddleocr":
            entries = [{"transcription": "", "points": [[float(x), float(y)] for x, y in p]} for p in plain]
        path = {"ours": f"/data/{name}", "paddleocr": f"./train_data/{name}", "mindocr": Path(name).name}[kind]
        lines.append(f"{path}\t{json.dumps(entries)}\n")
    (folder / f"{kind}.txt").write_text("".join(lines), encoding="utf-8")
    return folder / f"{kind}.txt"


def score(labels: Path, results: Path, *options: str, protocol: str = "icdar2015", code: int = 0) -> dict:
    out = labels.with_name("score.json")
    arguments = ["--protocol", protocol, "--gt", str(labels), "--results", str(results), "--json", str(out), *options]
    assert command.main(arguments) == code
    return json.loads(out.read_text(encoding="utf-8"))


def expected(scenes: dict[str, Scene], protocol: str) -> dict[str, float]:
    texts = detections = 0
    recall = precision = 0.0
    for polygons, truths, ignored in scenes.values():
        if protocol == "icdar2015":
            n, m, hits = reference.icdar2015(polygons, truths, ignored)
            found, right = hits, hits
        elif protocol == "ctw1500":
            n, m, hits = reference.ctw1500(polygons, truths)
            found, right = hits, hits
        else:
            tr, tp = (0.8, 0.4) if protocol == "totaltext_08_04" else (0.7, 0.6)
            n, m, found, right = reference.deteval(polygons, truths, ignored, tr, tp)
        texts, detections, recall, precision = texts + n, detections + m, recall + found, precision + right
    r, p = recall / texts if texts else 0.0, precision / detections if detections else 0.0
    return {"precision": p, "recall": r, "hmean": 2 * p * r / (p + r) if p + r else 0.0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", ["icdar2015", "ctw1500", "totaltext", "totaltext_08_04"])
def test_every_kind_of_file_gives_the_reference_score(tmp_path: Path, protocol: str, kind: str) -> None:
    scenes = random_scenes(seed=7)
    options = ["--results-format", "ctw1500"] if kind == "ctw1500" else []
    got = score(
        write_labels(tmp_path / "gt.txt", scenes), write_results(tmp_path, kind, scenes), *options, protocol=protocol
    )
    wanted = expected(scenes, protocol)
    assert 0.2 < wanted["hmean"] < 0.95, "the scene must be neither hopeless nor perfect"
    assert {name: got[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)
    counts = got["counts"]
    assert counts["truths"] > 10 and counts["detections"] > 10 and counts["recall_hits"] > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(reference.scenes(reference.rectangles), min_size=1, max_size=4))
def test_any_scenes_give_the_reference_score(tmp_path_factory: pytest.TempPathFactory, pictures: list[Scene]) -> None:
    folder = tmp_path_factory.mktemp("scenes")
    scenes = {f"img_{number}.jpg": scene for number, scene in enumerate(pictures)}
    got = score(write_labels(folder / "gt.txt", scenes), write_results(folder, "paddleocr", scenes))
    assert {name: got[name] for name in ("precision", "recall", "hmean")} == pytest.approx(
        expected(scenes, "icdar2015")
    )


@pytest.mark.parametrize("gt_format", ["ppocr", "icdar2015", "mindocr"])
def test_ground_truth_of_other_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gt_format: str) -> None:
    """The same score whatever the ground truth comes in; pictures that lie about here by chance do not matter."""
    from ppocr_pse.data.formats import WRITERS
    from ppocr_pse.data.labels import read_labels

    scenes = random_scenes(seed=11)
    labels = write_labels(tmp_path / "label.txt", scenes)
    place = tmp_path / "truth"
    WRITERS[gt_format](read_labels(labels, tmp_path).annotations, place, tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "img_1.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    got = score(place, write_results(tmp_path, "rrc.zip", scenes), "--gt-format", gt_format)
    wanted = expected(scenes, "icdar2015")
    assert {name: got[name] for name in wanted} == pytest.approx(wanted, abs=1e-9) and wanted["hmean"] > 0.2


def test_detections_with_fractions_are_scored_in_whole_pixels(tmp_path: Path) -> None:
    """10 x 5.9 is 10 x 5: IoU of exactly one half with 10 x 10, a miss. 10 x 6.1 is 10 x 6, a hit: 1 of 2."""
    (tmp_path / "gt.txt").write_text(
        "".join(f'{name}.jpg\t[{{"transcription": "a", "points": [[0,0],[10,0],[10,10],[0,10]]}}]\n' for name in "ab")
    )
    lines = [f'{name}.jpg\t[{{"points": [[0,0],[10,0],[10,{h}],[0,{h}]]}}]\n' for name, h in (("a", 5.9), ("b", 6.1))]
    (tmp_path / "results.txt").write_text("".join(lines))
    got = score(tmp_path / "gt.txt", tmp_path / "results.txt")
    assert (got["precision"], got["recall"], got["hmean"]) == (0.5, 0.5, 0.5)


def test_pictures_without_results_and_unknown_pictures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Three pictures with one text each; one is found, one has an empty line, one has none: recall 1/3.

    The unknown picture is named and counts for nothing: precision 1.
    """
    box = reference.box(0, 0, 20, 10).tolist()
    texts = json.dumps([{"transcription": "a", "points": box}])
    (tmp_path / "gt.txt").write_text("".join(f"{name}.jpg\t{texts}\n" for name in ("one", "two", "three")))
    (tmp_path / "res.txt").write_text(f"one.jpg\t{texts}\ntwo.jpg\t[]\nfour.jpg\t{texts}\n")
    got = score(tmp_path / "gt.txt", tmp_path / "res.txt", code=1)
    assert got["precision"] == 1.0 and got["recall"] == pytest.approx(1 / 3) and got["pictures_without_results"] == 1
    assert got["problems"] == ["four.jpg: no such picture in the ground truth"]
    assert "four.jpg: no such picture" in capsys.readouterr().err


def test_nothing_detected_is_zero_not_an_error(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "gt.txt", random_scenes(1))
    (tmp_path / "res.txt").write_text("")
    for protocol in ("icdar2015", "ctw1500", "totaltext", "msra_td500", "msra_td500_psenet"):
        got = score(labels, tmp_path / "res.txt", protocol=protocol)
        assert (got["precision"], got["recall"], got["hmean"]) == (0.0, 0.0, 0.0)


def test_thresholds_of_totaltext(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    scenes = random_scenes(3)
    labels, results = write_labels(tmp_path / "gt.txt", scenes), write_results(tmp_path, "ours", scenes)
    by_options = score(labels, results, "--tr", "0.8", "--tp", "0.4", protocol="totaltext")
    assert by_options["hmean"] == pytest.approx(expected(scenes, "totaltext_08_04")["hmean"])
    assert by_options["hmean"] != pytest.approx(expected(scenes, "totaltext")["hmean"])
    for options in (["--tr", "0.8"], ["--protocol", "totaltext", "--tp", "1.5"]):
        with pytest.raises(SystemExit) as stopped:
            score(labels, results, *options)
        assert stopped.value.code == 2
    assert "protocol icdar2015 has no such thresholds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "words"), [("gt", "cannot"), ("results", "there is no such file or folder of results")]
)
def test_what_stops_the_work_is_told_in_one_line(
    tmp_path: Path, missing: str, words: str, capsys: pytest.CaptureFixture
) -> None:
    labels = write_labels(tmp_path / "gt.txt", random_scenes(1))
    results = write_results(tmp_path, "ours", random_scenes(1))
    paths = {"gt": labels, "results": results, missing: tmp_path / "absent"}
    assert command.main(["--protocol", "icdar2015", "--gt", str(paths["gt"]), "--results", str(paths["results"])]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_report_without_pictures(tmp_path: Path) -> None:
    scenes = random_scenes(5)
    labels, results = write_labels(tmp_path / "gt.txt", scenes), write_results(tmp_path, "mindocr", scenes)
    got = score(labels, results, "--report", str(tmp_path / "report"), "--gallery", "3")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    HTMLParser().feed(page)
    assert page.count('class="exhibit"') == 3 and "no picture" in page and "the detections have no scores" in page
    content = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert content["hmean"] == got["hmean"] and content["curve"] == []


def test_exchanged_coordinates_are_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    scenes = random_scenes(5)
    labels, results = write_labels(tmp_path / "gt.txt", scenes), write_results(tmp_path, "ctw1500", scenes)
    wrong = score(labels, results, "--results-format", "xy")
    text = capsys.readouterr().err
    right = score(labels, results, "--results-format", "ctw1500")
    assert wrong["hmean"] < 0.1 < right["hmean"]
    assert f"the other way round hmean is {right['hmean']:.4f}; add --results-format ctw1500" in text
    assert capsys.readouterr().err == "", "nothing is said about a good score"


def test_no_paddle_is_imported(tmp_path: Path) -> None:
    scenes = random_scenes(2, count=3)
    labels, results = write_labels(tmp_path / "gt.txt", scenes), write_results(tmp_path, "rrc.zip", scenes)
    arguments = ["score", "--protocol", "icdar2015", "--gt", str(labels), "--results", str(results)]
    arguments += ["--report", str(tmp_path / "report")]
    script = f"import sys; from ppocr_pse.cli import main; code = main({arguments}); "
    script += "assert 'paddle' not in sys.modules; sys.exit(code)"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    assert "precision: " in process.stdout and "truths: " in process.stdout


def test_help_ends_in_worked_examples(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0 and "examples:" in capsys.readouterr().out
    assert subprocess.run([sys.executable, ROOT / "tools" / "score.py", "-h"], capture_output=True).returncode == 0
