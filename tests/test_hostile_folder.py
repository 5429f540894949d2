"""A folder with everything in it: every good picture has its line and its texts, every bad one is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ppocr_pse import build, build_deploy
from ppocr_pse.cli import infer
from ppocr_pse.data.line_names import read_name
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.engine.predictor import Predictor
from ppocr_pse.postprocess import PSEDecoder
from tests.hostile import by_opencv, lying, page, write_folder


class DarkIsText:
    """Logits: +8 where the picture is dark, -8 elsewhere, the same for all seven maps."""

    def run(self, images: np.ndarray) -> np.ndarray:
        dark = np.where(images.mean(axis=1)[:, ::4, ::4] < 0.0, 8.0, -8.0)
        return np.repeat(dark[:, None], 7, 1).astype(np.float32)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, configs: Path):
    """The command `infer` with a network that sees what is dark."""
    preprocess = Preprocess(DecodeImage("BGR"), DetResizeForTest(limit_side_len=192), NormalizeImage())
    predictor = Predictor(DarkIsText(), preprocess, PSEDecoder(thresh=0, scale=1))
    monkeypatch.setattr(infer, "load_trained", lambda *_: SimpleNamespace(state_dict=dict))
    monkeypatch.setattr(build_deploy, "build_network", lambda *_: DarkIsText())
    monkeypatch.setattr(build, "build_predictor", lambda *_: predictor)

    def call(place: Path, results: Path, *options: str, flags: Sequence[str] = ()) -> int:
        keys = [f"Global.infer_img={place}", f"Global.save_res_path={results}"]
        return infer.main(["-c", str(configs / "det_mv3_pse.yml"), *flags, "-o", *keys, *options])

    return call


def read_lines(file: Path) -> dict[str, str]:
    lines = [line.split("\t", 1) for line in file.read_text(encoding="utf-8").splitlines()]
    names = [read_name(name) for name, _ in lines]
    assert len(set(names)) == len(names), "a name stands there twice"
    return dict(zip(names, (rest for _, rest in lines)))


def test_each_is_detected_on_or_named(run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    good, bad = write_folder(folder)
    results = tmp_path / "found" / "results.txt"
    assert run(folder, results, flags=["--max_memory", "2G"]) == 1
    lines, errors = read_lines(results), read_lines(tmp_path / "found" / "results_errors.txt")

    expected = {str(folder / "cut.jpg")}
    for name, count in good.items():
        path = str(folder / name)
        expected |= {path} if count == 1 else {f"{path}#page={n}" for n in range(1, count + 1)}
    assert set(lines) == expected
    wrong = {name: len(json.loads(found)) for name, found in lines.items() if len(json.loads(found)) != 2}
    assert wrong == {}
    assert {Path(name.removesuffix("#page=1")) for name in errors} == {folder / name for name in bad | {"cut.jpg"}}
    assert "the end of the picture is missing" in errors[str(folder / "cut.jpg")]
    assert "limit of 500" in errors[str(folder / "bomb.png")]
    assert all(error and "\n" not in error for error in errors.values())
    drawn = [file for file in (tmp_path / "found" / "det_results").rglob("*") if file.is_file()]
    assert len(drawn) == len(lines), "a drawing for each line, none over another"


def test_a_second_clean_run_leaves_no_errors_behind(run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"")
    assert run(folder, tmp_path / "r.txt") == 1
    assert (tmp_path / "r_errors.txt").exists() and (tmp_path / "r.txt").read_text() == ""
    (folder / "bad.png").write_bytes(by_opencv(page()))
    assert run(folder, tmp_path / "r.txt") == 0
    assert not (tmp_path / "r_errors.txt").exists()


def test_the_limit_is_a_key_and_can_be_taken_off(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(by_opencv(page()))
    assert run(tmp_path / "a.png", tmp_path / "r.txt", "Global.max_pixels=15359") == 1
    assert "Global.max_pixels" in (tmp_path / "r_errors.txt").read_text()
    assert run(tmp_path / "a.png", tmp_path / "r.txt", "Global.max_pixels=15360") == 0
    assert run(tmp_path / "a.png", tmp_path / "r.txt", "Global.max_pixels=0") == 0
    assert run(tmp_path / "a.png", tmp_path / "r.txt", "Global.max_pixels=-1") == 2
    assert "max_pixels is -1" in capsys.readouterr().err


def test_what_may_not_be_read_is_named(run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "closed").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"x")
    (folder / "a.png").chmod(0)
    (folder / "closed").chmod(0)
    if os.access(folder / "a.png", os.R_OK):
        pytest.skip("this user (root?) may read everything")
    try:
        assert run(folder, tmp_path / "r.txt", flags=["--recursive"]) == 1
    finally:
        (folder / "closed").chmod(0o700)
    errors = read_lines(tmp_path / "r_errors.txt")
    assert set(errors) == {str(folder / "a.png"), str(folder / "closed")}
    assert "Permission denied" in errors[str(folder / "a.png")]


def test_what_is_named_beside_a_configuration_goes_before_its_own(run, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(by_opencv(page()))
    assert run(tmp_path / "a.png", tmp_path / "r.txt", flags=[str(tmp_path / "b.png"), "--output", str(tmp_path)]) == 0
    assert set(read_lines(tmp_path / "results.txt")) == {str(tmp_path / "b.png")}
    assert not (tmp_path / "r.txt").exists()


def test_lying_headers_take_no_memory(tmp_path: Path) -> None:
    """In a process that may take 300 MB more than its imports do, each is refused, and not for want of memory."""
    for name, content in lying().items():
        (tmp_path / name).write_bytes(content)
    script = """
import resource, sys
from pathlib import Path
from ppocr_pse.data.preprocess import DecodeImage, ImageError
from PIL import Image
Image.init()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        DecodeImage("BGR")(file)
    except ImageError as error:
        print(error)
    else:
        sys.exit(f"{file} was decoded")
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == len(lying())
    assert "memory" not in ran.stdout.lower(), ran.stdout
