"""Training that is killed again and again: there is always a checkpoint to go on from, and the losses stay the same."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.engine.checkpoint import exists, load_checkpoint
from tests.test_cli import CONFIG, ROOT, options

pytestmark = pytest.mark.long
MORE = [
    "Global.eval_batch_epoch=5",
    "Global.log_smooth_window=1",
    "Global.save_latest_step=3",  # an epoch has 4 steps: most checkpoints lie within one
    "Global.checkpoints=auto",
    "Global.ema_decay=0.99",
    "Train.loader.batch_size_per_card=2",
]


def losses_of(folder: Path) -> dict[int, str]:
    with (folder / "metrics.csv").open() as handle:
        return {int(row["global_step"]): row["loss"] for row in csv.DictReader(handle) if row["loss"]}


def start(ranks: int, arguments: list[str], logs: Path) -> subprocess.Popen[bytes]:
    launcher = ["-m", "paddle.distributed.launch", "--nproc_per_node", str(ranks), "--log_dir", str(logs)]
    command = [sys.executable, *(launcher if ranks > 1 else []), str(ROOT / "tools" / "train.py"), "-c", CONFIG]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PADDLE_", "CUDA_"))}
    with (logs.parent / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env=environment | {"OMP_NUM_THREADS": "1"},
        )


def ranks_of(process: subprocess.Popen[bytes], ranks: int) -> list[int]:
    """Process numbers of the ranks: the process itself, or the launcher's children that train."""
    if ranks == 1:
        return [process.pid]
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            trains = b"tools/train.py" in (place / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue  # it has ended meanwhile
        if parent == process.pid and trains:
            found.append(int(place.name))
    return found


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 180
    while not what():
        assert process.poll() is None and time.monotonic() < deadline, output.read_text()[-3000:]
        time.sleep(0.02)


@pytest.mark.parametrize(("ranks", "kills", "epochs"), [(1, 20, 120), (2, 8, 60)])
def test_killed_at_random_moments(bars: Path, tmp_path: Path, ranks: int, kills: int, epochs: int) -> None:
    """SIGKILL of one rank chosen at random, so many times; the losses are those of a run that nobody killed."""
    whole, out = tmp_path / "whole", tmp_path / "killed" / "run"
    out.parent.mkdir()
    more = [*MORE, f"Global.epoch_num={epochs}"]
    assert start(ranks, [*options(bars, whole), *more], tmp_path / "logs").wait(600) == 0

    rng = np.random.default_rng(int(os.environ.get("KILL_SEED", "1")))
    arguments, logs = [*options(bars, out), *more], out.parent / "logs"
    done, step, table = 0, 0, out / "metrics.csv"
    while done < kills:
        size = table.stat().st_size if table.exists() else 0
        process = start(ranks, arguments, logs)
        wait_for(lambda: table.exists() and table.stat().st_size != size, process, out.parent / "output.txt")  # noqa: B023
        time.sleep(float(rng.uniform(0.0, 1.0)))
        running = ranks_of(process, ranks)
        if process.poll() is not None or len(running) < ranks:
            assert process.wait() == 0  # it reached the end
            break
        os.kill(int(rng.choice(running)), signal.SIGKILL)
        assert process.wait(60) != 0
        done += 1
        if exists(out / "latest"):
            saved = load_checkpoint(f"{out}/latest")
            assert saved.states["global_step"] >= step
            step = saved.states["global_step"]
    assert done >= kills // 2 and step > 0
    assert start(ranks, arguments, logs).wait(600) == 0
    assert losses_of(out) == losses_of(whole)
