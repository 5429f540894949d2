"""Training that is killed again and again: there is always a checkpoint to go on from, and the losses stay the same."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.engine.checkpoint import load_checkpoint
from tests.test_cli import CONFIG, ROOT, options, tool

pytestmark = pytest.mark.long
EPOCHS = 40


def losses_of(folder: Path) -> dict[int, str]:
    with (folder / "metrics.csv").open() as handle:
        return {int(row["global_step"]): row["loss"] for row in csv.DictReader(handle) if row["loss"]}


def test_ten_kills(bars: Path, tmp_path: Path) -> None:
    more = [f"Global.epoch_num={EPOCHS}", "Global.eval_batch_epoch=3", "Global.log_smooth_window=1"]
    whole = tmp_path / "whole"
    tool("train.py", "-c", CONFIG, *options(bars, whole), *more)

    out = tmp_path / "killed"
    rng = np.random.default_rng(int(os.environ.get("KILL_SEED", "1")))
    kills, step = 0, 0
    while kills < 10:
        arguments = [*options(bars, out), *more]
        if (out / "latest.pdparams").exists() or (out / "latest.pending").exists():
            arguments.append(f"Global.checkpoints={out}/latest")
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "train.py"), "-c", CONFIG, *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        log, size = out / "metrics.csv", 0
        if log.exists():
            size = log.stat().st_size
        deadline = time.monotonic() + 120
        while not log.exists() or log.stat().st_size == size:  # it has begun to train
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0.0, 2.0)))
        if process.poll() is not None:
            break  # it reached the end
        process.kill()
        process.wait()
        kills += 1
        if (out / "latest.pdparams").exists() or (out / "latest.pending").exists():
            saved = load_checkpoint(f"{out}/latest")
            assert saved.states["global_step"] >= step
            step = saved.states["global_step"]
    assert kills >= 5
    tool("train.py", "-c", CONFIG, *options(bars, out), *more, f"Global.checkpoints={out}/latest")
    assert losses_of(out) == losses_of(whole)
