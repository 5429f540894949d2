"""Two processes on the CPU, started as users start them: same losses as one, the same score, exact resume."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import CONFIG, ROOT, options, tool

STEPS = 20
SETTINGS = [
    f"Global.max_steps={STEPS}",
    "Global.epoch_num=99",
    "Global.log_smooth_window=1",
    "Global.eval_batch_epoch=0",
    "Global.eval_batch_step=[0,10]",
    "Global.freeze_bn=all",  # each rank would normalise its own half of the batch
    "Global.ema_decay=0.9",
    "Train.loader.num_workers=0",
    "PostProcess.thresh=-1000",  # the whole picture is one text: found in 5 pictures, right in 2
    "PostProcess.box_thresh=0",
]


def launch(ranks: int, *arguments: object, script: str = "train.py", code: int = 0) -> str:
    """Run a tool in several processes; returns what the launcher printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PADDLE_", "CUDA_"))}
    logs = next(Path(str(a).partition("=")[2]) for a in arguments if str(a).startswith("Global.save_model_dir"))
    command = [sys.executable, "-u", "-m", "paddle.distributed.launch", "--nproc_per_node", ranks, "--log_dir"]
    process = subprocess.run(
        [*map(str, command), f"{logs}_launch", str(ROOT / "tools" / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )
    text = process.stdout + process.stderr
    assert process.returncode == code, text
    return text


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as handle:
        return list(csv.DictReader(handle))


def losses_of(folder: Path) -> dict[int, str]:
    return {int(row["global_step"]): row["loss"] for row in rows_of(folder) if row["loss"]}


def scores_of(folder: Path) -> dict[int, str]:
    return {int(row["global_step"]): row["hmean"] for row in rows_of(folder) if row["hmean"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conftest import write_pictures

    folder = tmp_path_factory.mktemp("bars")
    write_pictures(folder, 10, name="label.txt")
    write_pictures(folder, 5, name="val.txt")
    whole = [{"transcription": "all", "points": [[0, 0], [128, 0], [128, 96], [0, 96]]}]
    lines = [f"val.txt_{i}.png\t{json.dumps(whole if i in (1, 4) else [])}" for i in range(5)]
    (folder / "val.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def two_ranks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("runs") / "two"
    text = launch(2, "-c", CONFIG, *options(data, out), *SETTINGS, "Train.loader.batch_size_per_card=2")
    return out, text


def test_two_ranks_follow_one_with_twice_the_batch(data: Path, tmp_path: Path, two_ranks: tuple[Path, str]) -> None:
    out, text = two_ranks
    one = tmp_path / "one"
    tool("train.py", "-c", CONFIG, *options(data, one), *SETTINGS, "Train.loader.batch_size_per_card=4")
    expected, found = losses_of(one), losses_of(out)
    assert sorted(found) == sorted(expected) == list(range(1, STEPS + 1))
    assert [float(found[step]) for step in found] == pytest.approx([float(expected[s]) for s in found], abs=1e-4)
    assert scores_of(out) == scores_of(one)
    assert {step: float(score) for step, score in scores_of(out).items()} == pytest.approx({10: 4 / 7, 20: 4 / 7})
    assert "4 samples a step (2 a rank x 2 ranks)" in text


def test_two_ranks_resume_exactly_in_the_middle_of_an_epoch(
    data: Path, tmp_path: Path, two_ranks: tuple[Path, str]
) -> None:
    parts = tmp_path / "parts"
    arguments = ["-c", CONFIG, *options(data, parts), *SETTINGS, "Train.loader.batch_size_per_card=2"]
    launch(2, *arguments, "Global.max_steps=11")  # an epoch has 3 steps
    launch(2, *arguments, "Global.checkpoints=auto")
    assert losses_of(parts) == losses_of(two_ranks[0])
    assert scores_of(parts)[20] == scores_of(two_ranks[0])[20]


def test_two_ranks_score_each_picture_once(data: Path, two_ranks: tuple[Path, str]) -> None:
    arguments = ["-c", CONFIG, *options(data, two_ranks[0]), *SETTINGS]
    (data / "val.txt_3.png").rename(data / "away.png")
    try:
        both = launch(2, *arguments, f"Global.checkpoints={two_ranks[0]}/latest", script="eval.py", code=1)
        alone = tool("eval.py", *arguments, f"Global.checkpoints={two_ranks[0]}/latest", code=1)
    finally:
        (data / "away.png").rename(data / "val.txt_3.png")
    for text in (both, alone):
        figures = re.findall(r"precision: ([\d.]+), recall: ([\d.]+), hmean: ([\d.]+)", text)
        assert set(figures) == {("0.500000", "1.000000", "0.666667")}  # 2 of the 4 that can be read
    assert "texts: 2, detections: 4, matched: 2" in both and "val.txt:4" in both
