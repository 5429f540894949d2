"""`infer` over many pictures: which, in which outputs, stopped and resumed, divided; and what is refused."""

from __future__ import annotations

import io
import json
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ppocr_pse.cli import folder_options, infer, predict_det
from ppocr_pse.cli import main as command
from ppocr_pse.cli.folder import Opened
from ppocr_pse.cli.folder_progress import Progress
from ppocr_pse.data.line_names import read_name
from ppocr_pse.deploy.box import box_folder
from ppocr_pse.deploy.spec import Overrides
from ppocr_pse.outputs.output_set import OUTPUTS
from tests.fake_detector import make_predictor
from tests.hostile import by_opencv, page, pil, saved, tiff_pages

ROOT = Path(__file__).parent.parent
Infer = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Infer:
    """The command, with what is dark taken for text; the working directory is a folder of its own."""
    monkeypatch.setattr(infer, "open_exported", lambda *_: Opened(make_predictor(), "fake"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: infer.main([str(argument) for argument in arguments])


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(by_opencv(page(), ".png"))


def names(file: Path) -> list[str]:
    return [read_name(line.split("\t")[0]) for line in file.read_text(encoding="utf-8").splitlines()]


def test_where_the_results_are_by_themselves(run: Infer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "street.png")
    assert run("street.png") == 0
    assert len(json.loads(Path("output/infer/results.txt").read_text().split("\t")[1])) == 2
    assert Path("output/infer/det_results/street.png").is_file()
    shown = capsys.readouterr().out
    places = "results: output/infer/results.txt, drawn pictures: output/infer/det_results"
    assert f"2 texts in 1 pictures; {places}\n" in shown
    assert "pictures/s, engine fake" in shown


def test_pictures_may_be_named_in_every_way_at_once(run: Infer, tmp_path: Path, monkeypatch) -> None:
    write(tmp_path, "-x.png", "a.png", "photos/b.png", "photos/sub/c.png", "scans/1/d.png", "scans/2/e.png", "f.png")
    write(tmp_path, "g.png")
    Path("list.txt").write_text("f.png\t[]\na.png\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"g.png\0f.png\0")))
    assert run("a.png", "--no-draw", "photos", "-r", "scans/*/*.png", "--list", "list.txt", "--output", "o") == 0
    expected = ["a.png", "photos/b.png", "photos/sub/c.png", "scans/1/d.png", "scans/2/e.png", "f.png"]
    assert names(Path("o/results.txt")) == expected
    assert run("--list", "-", "--null", "--output=o", "--", "-x.png", "a.png") == 0
    assert names(Path("o/results.txt")) == ["-x.png", "a.png", "g.png", "f.png"]
    assert sorted(file.name for file in Path("o/det_results").iterdir()) == ["-x.png", "a.png", "f.png", "g.png"]


def test_what_is_not_there_is_named_and_the_rest_is_done(run: Infer, tmp_path: Path, capsys) -> None:
    write(tmp_path, "a.png", "b/c.png")
    Path("list").write_text("gone.png\nb/c.png\n")
    assert run("absent.png", "a.png", "*.tif", "--list", "list", "--output", "o") == 1
    assert names(Path("o/results.txt")) == ["a.png", "b/c.png"]
    assert names(Path("o/results_errors.txt")) == ["absent.png", "*.tif", "gone.png"]
    assert "3 of 5 pictures could not be used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no pictures are named"),
        (["absent", "*.tif"], "there is no file or folder absent; nothing matches the pattern *.tif"),
        (["--list", "absent"], "cannot read the list absent"),
        (["--list", "empty"], "the list empty names no picture"),
        (["empty.d"], "the folder empty.d holds no picture"),
        (["a.png", "--shard", "4/4"], "expected I/N with I from 0: 0/4 to 3/4"),
        (["a.png", "--formats", "lines,xml"], "'xml' is none of lines, jsonl"),
        (["a.png", "--max_memory", "lots"], "'lots', expected a size such as 4G"),
        (["a.png", "--max_pixels=-1"], "'-1', expected a whole number from 0 up"),
        (["a.png", "--batch", "0"], "'0', expected a whole number from 1 up"),
        (["a.png", "--workers", "many"], "'many', expected a whole number from 0 up"),
        (["a.png", "-o", "PostProcess.box_thresh=1"], "add -c FILE"),
        (["a.png", "-c", "absent.yml"], "absent.yml: cannot read the configuration"),
        (["-c", "CONFIG", "-o", "Global.use_gpu=false", "a.png"], "pictures stand before -o, or behind --"),
        (["-c", "CONFIG", "-o", "Global.infer_img="], "no pictures are named"),
        (["-c", "CONFIG", "a.png", "--model", "m"], "give one of the two"),
        (["-c", "CONFIG", "a.png", "--device", "cpu"], "Global.use_gpu"),
        (["-c", "CONFIG", "a.png", "--box_type", "poly"], "give -o PostProcess.box_type=..."),
        (["-c", "CONFIG", "a.png", "--engine", "fast"], "engine is 'fast', expected auto or"),
        (["-c", "CONFIG", "a.png", "-o", "Global.pretrained_model="], "no weights are named"),
    ],
)
def test_what_cannot_be_stops_before_any_work(
    run: Infer, tmp_path: Path, configs: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a.png")
    Path("empty").write_text("")
    Path("empty.d").mkdir()
    before = sorted(tmp_path.rglob("*"))
    try:
        code = run(*(str(configs / "det_mv3_pse.yml") if part == "CONFIG" else part for part in arguments))
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    assert code == 2
    assert words in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_real_detectors_refuse_bad_values_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.png")
    common = [str(tmp_path / "a.png"), "--output", str(tmp_path / "o")]
    for arguments, words in [
        (["--model", str(tmp_path)], "is no exported model"),
        (["--threads", "0"], "threads is 0, expected 1 or more"),
        (["--engine", "fast"], "engine is 'fast', expected auto, "),
        (["--box_thresh", "2"], "a probability from 0 to 1 expected, got 2.0"),
    ]:
        assert infer.main([*common, *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_the_options_name_all_outputs() -> None:
    assert set(folder_options.KINDS) == set(OUTPUTS)
    assert folder_options.kinds(" coco,,drawn") == ("lines", "coco", "drawn")
    sizes = {"0": 0, "4G": 4 << 30, "1.5k": 1536, "500MB": 500 << 20, "2 GiB": 2 << 30}
    assert {text: folder_options.size(text) for text in sizes} == sizes


def test_what_is_asked_for_takes_the_place_of_what_the_export_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def opened(*arguments: object) -> Opened:
        asked.append(arguments[-1])
        return Opened(make_predictor(), "fake")

    monkeypatch.setattr(infer, "open_exported", opened)
    write(tmp_path, "a.png")
    options = ["--box_thresh", "0.9", "--box_type", "poly", "--limit_side_len", "960"]
    assert infer.main([str(tmp_path / "a.png"), "--output", str(tmp_path / "o"), *options]) == 0
    assert asked == [Overrides(box_thresh=0.9, box_type="poly", limit_side_len=960)]


def test_what_an_earlier_run_wrote_is_no_input(run: Infer, tmp_path: Path, capsys) -> None:
    write(tmp_path, "a.png", "sub/b.png")
    for _ in range(2):
        assert run(".", "-r", "--output", "found", "--formats", "drawn,crops,sheet") == 0
        assert names(Path("found/results.txt")) == ["a.png", "sub/b.png"]
    assert "were written by an earlier run of this command and are no input" in capsys.readouterr().out
    assert run("found/det_results", "--output", "found") == 2
    assert "are no input" in capsys.readouterr().err


def test_shards_share_a_folder_and_the_pictures(run: Infer, tmp_path: Path) -> None:
    write(tmp_path, *(f"photos/{i % 3}/{i}.png" for i in range(12)), "photos/twins/a.png", "photos/twins/a.jpg")
    Path("photos/0/0.png").write_bytes(b"broken")
    common = ["photos", "-r", "--formats", "drawn,icdar"]
    assert run(*common, "--output", "whole") == 1
    codes = [run(*common, "--output", "parts", "--shard", f"{i}/40") for i in range(40)]
    parts = [Path(f"parts/results.shard-{i}-of-40.txt") for i in range(40)]
    assert sorted(codes) == [0] * 39 + [1]
    assert any(part.read_text() == "" for part in parts), "an empty shard is fine, and its file is there"
    lines = Counter(line for part in parts for line in part.read_text().splitlines())
    assert lines == Counter(Path("whole/results.txt").read_text().splitlines())
    assert len(list(Path("parts").glob("*_errors.txt"))) == 1
    whole, together = ({name for name in contents(Path(place)) if "/" in name} for place in ("whole", "parts"))
    assert whole == together and len(whole) == 2 * 13 and "icdar/twins/a.png.txt" in whole


def hostile_folder(folder: Path, count: int = 60) -> set[str]:
    """Pictures of which some are bad, one has pages and one lacks its end; returns names that have lines."""
    write(folder, *(f"{i % 4}/{i:03}.png" for i in range(count)))
    (folder / "1" / "bad.png").write_bytes(b"broken")
    (folder / "2" / "pages.tif").write_bytes(tiff_pages())
    (folder / "3" / "cut.jpg").write_bytes(saved(pil("RGB"), "JPEG", quality=95)[:-20])
    good = {f"{i % 4}/{i:03}.png" for i in range(count)} | {f"2/pages.tif#page={n}" for n in range(1, 7)}
    return {f"{folder}/{name}" for name in good} | {f"{folder}/3/cut.jpg"}


def start(*arguments: object, seconds: float = 0.005, file_size: int = 0) -> subprocess.Popen[str]:
    """The command in a process of its own, whose files may have so many bytes (0: any number)."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (file_size, file_size)) if file_size else None
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fake_detector", str(seconds), *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=limit,
    )  # fmt: skip


def lines_in(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_for(process: subprocess.Popen[str], file: Path, lines: int) -> None:
    """Until so many lines stand there, or the process ends."""
    deadline = time.monotonic() + 60
    while process.poll() is None and lines_in(file) < lines and time.monotonic() < deadline:
        time.sleep(0.002)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run but the hidden ones that a sheet is made of."""
    files = {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    return {str(file): (folder / file).read_bytes() for file in files if not file.parts[0].startswith(".")}


def test_killed_at_random_and_resumed_nothing_is_lost_and_nothing_twice(tmp_path: Path, run: Infer) -> None:
    good = hostile_folder(tmp_path / "photos")
    formats = ["--formats", ",".join(folder_options.KINDS)]
    assert run(tmp_path / "photos", "-r", "--output", tmp_path / "whole", *formats) == 1
    arguments = [tmp_path / "photos", "-r", "--output", tmp_path / "parts", *formats, "--resume"]
    results = tmp_path / "parts" / "results.txt"
    rng = random.Random(os.urandom(8))
    stood = [0]
    while stood[-1] < 50:
        process = start(*arguments)
        wait_for(process, results, stood[-1] + rng.randint(1, 25))
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        stood.append(lines_in(results))
    assert run(*arguments) == 1, "the bad picture is named by the last run, too"
    assert sorted(names(results)) == sorted(good)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole"), stood


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_whole_files_and_says_how_to_go_on(tmp_path: Path, number: int, code: int, run: Infer) -> None:
    write(tmp_path, *(f"photos/{i:03}.png" for i in range(40)))
    arguments = [tmp_path / "photos", "--output", tmp_path / "o", "--formats", "coco"]
    process = start(*arguments, seconds=0.05)
    wait_for(process, tmp_path / "o" / "results.txt", 3)
    process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == code, shown
    assert f"stopped by {signal.Signals(number).name}: " in shown and "--resume goes on" in shown
    stood = names(tmp_path / "o" / "results.txt")
    assert 3 <= len(stood) < 40
    pictures = json.loads((tmp_path / "o" / "results_coco.json").read_text())["images"]
    assert [picture["file_name"] for picture in pictures] == [
        f"{tmp_path}/photos/{i:03}.png" for i in range(len(stood))
    ]
    assert run(*arguments, "--resume") == 0
    assert len(names(tmp_path / "o" / "results.txt")) == 40


def test_a_file_that_cannot_grow_ends_the_run_with_whole_lines(tmp_path: Path, run: Infer) -> None:
    write(tmp_path, *(f"photos/{i:03}.png" for i in range(40)))
    arguments = [tmp_path / "photos", "--output", tmp_path / "o", "--no-draw"]
    shown, _ = (process := start(*arguments, file_size=3000)).communicate(timeout=60)
    assert process.returncode == 1, shown
    assert "cannot write (File too large)" in shown and "--resume" in shown
    stood = (tmp_path / "o" / "results.txt").read_text()
    assert stood.endswith("]\n") and 3 < stood.count("\n") < 40
    assert run(*arguments, "--resume") == 0
    assert (tmp_path / "o" / "results.txt").read_text().startswith(stood)
    assert len(names(tmp_path / "o" / "results.txt")) == 40


def test_resuming_with_another_detector_is_refused(run: Infer, tmp_path: Path, monkeypatch, capsys) -> None:
    write(tmp_path, "a.png")
    assert run("a.png", "--output", "o") == 0
    monkeypatch.setattr(infer, "open_exported", lambda *_: Opened(make_predictor(), "another"))
    before = contents(Path("o"))
    assert run("a.png", "--output", "o", "--resume") == 2
    assert "weights" in capsys.readouterr().err
    assert contents(Path("o")) == before


def test_a_picture_that_failed_is_tried_again(run: Infer, tmp_path: Path) -> None:
    write(tmp_path, "photos/b.png")
    Path("photos/a.png").write_bytes(b"broken")
    assert run("photos", "--output", "o") == 1
    write(tmp_path, "photos/a.png")
    assert run("photos", "--output", "o", "--resume") == 0
    assert names(Path("o/results.txt")) == ["photos/a.png", "photos/b.png"]
    assert not Path("o/results_errors.txt").exists()


def test_progress_off_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    with (
        caplog.at_level(logging.INFO, "test"),
        Progress(100, 40, logging.getLogger("test"), lambda: now[0]) as progress,
    ):
        for i in range(31):
            now[0] += 1.0
            progress.step(Path(str(i)))
            progress.step(Path(str(i)))
    assert caplog.messages == ["70 of 100 pictures, 1.00 pictures/s, ETA 00:30"]
    assert (progress.done, progress.new) == (71, 31)


def test_paddle_is_not_needed_for_an_exported_detector(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="runs the detector in the box without Paddle")
    write(tmp_path, "a.png")
    script = "import sys; sys.modules['paddle'] = None; from ppocr_pse.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["infer", tmp_path / "a.png", "--engine", "onnxruntime", "--output", tmp_path / "o", "--batch", "2"]
    ran = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "engine onnxruntime" in ran.stdout
    assert names(tmp_path / "o" / "results.txt") == [f"{tmp_path}/a.png"]


def test_a_checkpoint_without_paddle_names_the_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "paddle", None)
    assert infer.main(["a.png", "-c", "any.yml"]) == 2
    assert "pip install paddlepaddle" in capsys.readouterr().err


def test_predict_det_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_det, "open_exported", lambda *_: Opened(make_predictor(), "fake"))
    good = hostile_folder(tmp_path / "photos", 4)
    Path(tmp_path / "list").write_text(f"{tmp_path}/photos/0/000.png\n")
    where = ["--det_model_dir", box_folder(), "--draw_img_save_dir", tmp_path / "o", "--use_gpu", "False"]
    arguments = ["--image_dir", tmp_path / "photos", "--list", tmp_path / "list", "-r", "--formats", "drawn,jsonl"]
    assert command(["predict-det", *map(str, [*where, *arguments])]) == 1
    assert sorted(names(tmp_path / "o" / "det_results.txt")) == sorted(good)
    assert len(names(tmp_path / "o" / "det_results_errors.txt")) == 2
    drawn = {str(file.relative_to(tmp_path / "o")) for file in (tmp_path / "o").rglob("det_res_*")}
    assert {"0/det_res_000.png", "2/det_res_pages.tif#page=6.png", "3/det_res_cut.jpg"} <= drawn
    assert command(["predict-det", *map(str, where)]) == 2
