"""A job of Ray Data: what its workers do with bad pictures, and each picture once whatever is killed."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.cli import main
from ppocr_pse.data.line_names import printable
from ppocr_pse.deploy import ray_job
from ppocr_pse.deploy.ray_job import RayPredictor, detect
from ppocr_pse.deploy.ray_worker import RayJob, Worker, failure, named, open_export
from ppocr_pse.deploy.spec import read_spec
from ppocr_pse.engine.predictor import PictureResult, Predictor
from tests.hostile import write_folder

JOB = RayJob(Path("export"), batch=4)
PATHS = [Path(f"{i}.jpg") for i in range(10)]


class Echo:
    """Stands for a predictor: each picture's error is its name; some names are trouble."""

    def stream(
        self, paths: list[Path], workers: int, pages: bool, finish: Callable[[PictureResult], PictureResult]
    ) -> Iterator[PictureResult]:
        for path in paths:
            if path.name == "raises.jpg":
                raise MemoryError("too large")
            yield finish(failure(path, path.name))
            if path.name == "pages.tif":
                yield finish(failure(path, "page 2"))


def errors(rows: dict[str, np.ndarray]) -> list[list[str]]:
    return [[result.error for result in pickle.loads(row)] for row in rows["results"]]


def block(*names: str) -> object:
    pa = pytest.importorskip("pyarrow", reason="Ray Data hands tables of pyarrow to workers")
    paths = pa.array([os.fsencode(name) for name in names], pa.binary())
    return pa.table({"number": pa.array(range(5, 5 + len(names)), pa.int64()), "path": paths})


def test_a_worker_gives_a_row_for_each_path() -> None:
    worker = Worker(JOB, lambda job: Echo())  # type: ignore[arg-type, return-value]
    rows = worker(block("a.jpg", "pages.tif", "caf\udce9\n.jpg"))  # type: ignore[arg-type]
    assert rows["number"].tolist() == [5, 6, 7] and set(rows["fault"]) == {""}
    assert errors(rows) == [["a.jpg"], ["pages.tif", "page 2"], ["caf\udce9\n.jpg"]]
    assert errors(worker(block("a.jpg"))) == [["a.jpg"]]  # type: ignore[arg-type]


def test_what_a_picture_raises_is_its_error_and_no_others() -> None:
    worker = Worker(JOB, lambda job: Echo())  # type: ignore[arg-type, return-value]
    rows = worker(block("a.jpg", "raises.jpg", "pages.tif"))  # type: ignore[arg-type]
    assert errors(rows) == [["a.jpg"], ["raises.jpg: MemoryError: too large"], ["pages.tif", "page 2"]]


def test_a_worker_that_cannot_start_says_so_in_each_row() -> None:
    rows = Worker(JOB, lambda job: 1 / 0)(block("a.jpg", "b.jpg"))  # type: ignore[arg-type, return-value]
    assert errors(rows) == [[], []]
    assert all("cannot start: ZeroDivisionError" in fault for fault in rows["fault"])


def fake_run(lose: set[int], kill: set[int], seen: list[tuple[list[int], int, int | None]]) -> Callable[..., object]:
    """Ray, which loses blocks with pictures of ``lose`` the first time, and those of ``kill`` always."""

    def run(paths: list[Path], numbers: range, size: int, job: RayJob, opener: object, in_flight: int | None = None):
        seen.append((list(numbers), size, in_flight))
        for first in range(0, len(numbers), size):
            chunk = numbers[first : first + size]
            if not kill & set(chunk) and (len(seen) > 1 or not lose & set(chunk)):
                yield from ((number, pickle.dumps([failure(paths[number], f"{number}")])) for number in chunk)

    return run


@pytest.mark.parametrize("batch", [1, 4])
def test_lost_blocks_are_done_again_one_by_one_and_in_their_place(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[int], int, int | None]] = []
    notes: list[str] = []
    monkeypatch.setattr(ray_job, "_run", fake_run({9}, {2}, seen))
    results = [one for [one] in detect(PATHS, RayJob(Path("x"), batch=batch), note=notes.append)]
    assert [result.path for result in results] == PATHS
    assert [result.error for result in results if result.path.name != "2.jpg"] == [*"01", *"3456789"]
    assert results[2].error == "2.jpg: each of the 4 workers that read it was killed, perhaps for its memory"
    assert seen == [(list(range(10)), batch, None), ([0, 1, 2, 3, 8, 9] if batch == 4 else [2, 9], 1, 1)]
    assert len(notes) == 1


def test_nothing_left_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job, "_run", None)
    assert list(detect([], JOB)) == []


@pytest.mark.parametrize("order", [[0, 1, 1, 2], [0, 2, 1]])
def test_a_picture_that_comes_twice_is_a_fault(order: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job, "_run", lambda *rest: ((number, pickle.dumps([])) for number in order))
    with pytest.raises(AssertionError, match="twice or out of order"):
        list(detect(PATHS, JOB))


@pytest.mark.parametrize("missing", ["ray", "pandas", "pyarrow"])
def test_what_is_not_installed_is_named_with_its_cure(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ray", "pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None if name == missing else sys)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"")
    assert main(["ray-infer", str(photos), "--model", str(folder), "--output", str(tmp_path / "out")]) == 2
    assert "pip install 'ppocr-pse[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "no pictures are named"),
        (["photos", "--num_cpus", "0"], "num_cpus is 0.0, expected more than 0"),
        (["photos", "--num_gpus=-1"], "num_gpus is -1.0, expected 0 or more"),
        (["photos", "--formats", "drawn"], "'drawn' is none of lines, jsonl, coco; for other files use infer --shard"),
        (["photos", "--formats", "lnies"], "'lnies' is none of"),
        (["photos", "--workers", "0"], "expected a whole number from 1 up"),
        (["photos"], "photos"),
    ],
)
def test_bad_options_stop_before_ray_is_touched(
    options: list[str], expected: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    try:
        code = main(["ray-infer", *options, "--model", str(folder)])
    except SystemExit as stop:
        code = stop.code  # type: ignore[assignment]
    assert code == 2
    assert expected in capsys.readouterr().err


class Slow:
    """The real predictor, slowed down; ``kill.png`` ends the process that reads it."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def stream(
        self, paths: list[Path], workers: int, pages: bool, finish: Callable[[PictureResult], PictureResult]
    ) -> Iterator[PictureResult]:
        for path in paths:
            time.sleep(0.1)
            if path.name == "kill.png":
                os.kill(os.getpid(), signal.SIGKILL)
            yield from self.predictor.stream([path], workers, pages, finish)


def slowly(marks: Path) -> Callable[[RayJob], Predictor]:
    """Open the export and write this process down."""

    def opener(job: RayJob) -> Predictor:
        (marks / str(os.getpid())).touch()
        return Slow(open_export(job))  # type: ignore[return-value]

    return opener


def facts(result: PictureResult) -> tuple[str, str, list[object], list[float]]:
    found = result.detections
    return result.name, result.error, [polygon.tolist() for polygon in found.polygons], found.scores.round(4).tolist()


@pytest.mark.long
@pytest.mark.parametrize("deadly", [False, True])
def test_every_picture_once_though_a_worker_is_killed(deadly: bool, folder: Path, tmp_path: Path) -> None:
    for module in ("ray", "pyarrow", "pandas"):
        pytest.importorskip(module, reason="the extra `ray`")
    pytest.importorskip("onnxruntime", reason="the engine of this test")
    photos, marks = tmp_path / "photos", tmp_path / "marks"
    photos.mkdir()
    marks.mkdir()
    write_folder(photos)
    if deadly:
        (photos / "kill.png").write_bytes((photos / "grey.png").read_bytes())
    paths = sorted(photos.iterdir())
    job = RayJob(folder, "onnxruntime", "cpu", 1, workers=3, batch=4, folder=str(tmp_path))
    ray_job.start_ray(job)
    try:
        stream = RayPredictor(read_spec(folder), job, opener=slowly(marks)).stream(paths)
        results = [next(stream) for _ in range(8)]
        if not deadly:
            victim = next(marks.iterdir())
            os.kill(int(victim.name), signal.SIGKILL)
        results += stream
    finally:
        ray_job.stop_ray()
    from ppocr_pse.deploy.detector import open_predictor

    alone = open_predictor(folder, "onnxruntime", "cpu", 1)
    expected = [facts(one) for one in alone.stream([path for path in paths if path.name != "kill.png"], 1, pages=True)]
    assert [facts(one) for one in results if one.path.name != "kill.png"] == expected
    assert [one.error for one in results if one.path.name == "kill.png"] == [
        f"{photos / 'kill.png'}: each of the 4 workers that read it was killed, perhaps for its memory"
    ] * deadly
    assert len(list(marks.iterdir())) >= 4  # three workers, and one that took the place of a dead one


@pytest.mark.parametrize("name", ["a.jpg", "sub/a\tb.jpg", '"q.jpg', "/elsewhere/a.jpg"])
def test_results_are_called_as_the_pictures_were(name: str, tmp_path: Path) -> None:
    """Workers read below the folder of the job; names and messages are those that `infer` gives."""
    place = Path(tmp_path, name)
    result = named(failure(place, f"{printable(place)}: the picture file is empty"), Path(name))
    assert result.path == Path(name)
    assert result.error == f"{printable(Path(name))}: the picture file is empty"
