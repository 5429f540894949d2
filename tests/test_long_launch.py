"""What clusters do to jobs, on the CPU: ranks and nodes that die, hang or are told to stop, and go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_launch import FAULTY, Launch, alive, launch, losses_of  # noqa: F401  the fixture

pytestmark = pytest.mark.long
Begin = Callable[..., tuple[Launch, Path]]
FOR_EVER = "Global.epoch_num=10000"
SECONDS = 15.0  # from the fault to the end of all; the launcher itself takes up to 8


def is_training(run: Path, steps: int = 3) -> Callable[[], bool]:
    return lambda: len(losses_of(run)) >= steps


def child_of(pid: int, word: str) -> int:
    """The process that was started by another and has a word in its command."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return next(int(row[0]) for row in rows if int(row[1]) == pid and word in row[2])


def test_a_killed_rank(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER)
    job.wait_for(is_training(run))
    pids = job.pids()
    os.kill(pids[1], signal.SIGKILL)
    assert job.wait(SECONDS) != [0]
    log = (run / "train.log").read_text()
    assert "ended in the middle of the run with signal 9 (SIGKILL): `kill -9`" in log, job.output()
    assert f"pid {pids[1]}" in log and "training, step" in log
    assert not any(map(alive, pids))


def test_rank_0_killed(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER)
    job.wait_for(is_training(run))
    pids = job.pids()
    os.kill(pids[0], signal.SIGKILL)
    assert job.wait(SECONDS) != [0]
    log = (run / "train.log").read_text()
    assert "rank 0 (" in log and "signal 9 (SIGKILL)" in log, job.output()
    assert "signal 9 (SIGKILL)" in job.worker(1)
    assert not any(map(alive, pids))


def test_a_rank_that_hangs_while_the_others_wait_in_a_collective(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER, "Global.stall_timeout=5", fault=("hang", 1, 3))
    assert job.wait(60) == [76], job.output()
    log = (run / "train.log").read_text()
    assert re.search(
        r"rank 1 .* has not come further for \d+ s; Global.stall_timeout is the limit, at training, step \d\n", log
    )
    assert "in with_fault" in log  # the stack of rank 1
    assert "in backward" in log  # that of rank 0, which waits for the gradients


def test_an_exception_on_the_second_node(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER, fault=("raise", 1, 3), nodes=2, processes=1)
    assert job.wait(60) == [76, 1], job.output()
    log = (run / "train.log").read_text()
    assert "failed with ValueError: a fault made by the test (exit code 1), at training, step" in log
    assert "a fault made by the test" in job.worker(0)


def test_the_launcher_of_the_second_node_killed(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER, nodes=2, processes=1)
    job.wait_for(is_training(run))
    pids = job.pids()
    killed = time.monotonic()
    job.launchers[1].kill()
    codes = job.wait(SECONDS)
    assert codes[0] not in (0, 75), job.output()
    log = (run / "train.log").read_text()
    assert "rank 1 (" in log
    assert f"was left alone: its launcher (pid {job.launchers[1].pid}) has been killed" in log
    while any(map(alive, pids)):  # the orphan as well
        assert time.monotonic() - killed < SECONDS
        time.sleep(0.1)


def test_the_whole_second_node_gone(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER, nodes=2, processes=1)
    job.wait_for(is_training(run))
    pids = job.pids()
    doomed = [job.launchers[1].pid, child_of(pids[1], "rank_guard"), pids[1]]
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    assert job.wait(SECONDS)[0] not in (0, 75), job.output()
    log = (run / "train.log").read_text()
    assert "rank 1 (" in log and ("vanished together with its guard" in log or "has been killed" in log), job.output()


def test_the_node_of_rank_0_gone(launch: Begin) -> None:  # noqa: F811
    job, run = launch(FOR_EVER, nodes=2, processes=1)
    job.wait_for(is_training(run))
    pids = job.pids()
    for pid in (job.launchers[0].pid, child_of(pids[0], "rank_guard"), pids[0]):
        os.kill(pid, signal.SIGKILL)
    assert job.wait(SECONDS)[1] not in (0, 75), job.output()
    assert "the guard of rank 0" in job.worker(1), job.output()


@pytest.mark.parametrize("receiver", ["launcher", "rank 1"])
def test_sigterm_and_requeue(launch: Begin, receiver: str) -> None:  # noqa: F811
    # the launcher signals whole process groups, so the reader processes as well
    plan = ["Global.epoch_num=10", "Global.eval_batch_epoch=100", "Train.loader.num_workers=1"]
    whole, reference = launch(*plan, name="whole")
    assert whole.wait() == [0], whole.output()

    job, run = launch(*plan, name="stopped")
    job.wait_for(is_training(run, 6))
    pids = job.pids()
    os.kill(job.launchers[0].pid if receiver == "launcher" else pids[1], signal.SIGTERM)
    # a launcher that is told to stop returns the number of the signal, whatever its workers return
    assert job.wait(30) == [signal.SIGTERM if receiver == "launcher" else 75], job.output()
    assert not any(map(alive, pids))
    log = (run / "train.log").read_text()
    assert "stopped by SIGTERM after step" in log and "exit code 75" in log
    assert "ppocr ERROR" not in log
    done = max(losses_of(run))
    assert 6 <= done < 40
    (job.folder / "node0").rename(job.folder / "before")

    again, _ = launch(*plan, "Global.checkpoints=auto", name="stopped")
    assert again.wait() == [0], again.output()
    assert f"global_step {done}" in (run / "train.log").read_text()
    assert losses_of(run) == losses_of(reference)
