"""What a rank's failure does to the others, with real processes; and the parts of a guard."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ppocr_pse.engine import rank_link
from ppocr_pse.engine.rank_link import Line, PatientClock, Process
from ppocr_pse.engine.ranks import RankError, RankWatch, guard_address

ROOT = Path(__file__).parent.parent.parent


def test_a_frozen_guard_does_not_accuse_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(rank_link.time, "monotonic", lambda: now[0])
    clock = PatientClock()
    now[0] = 101.5
    assert clock.now() == 1.5
    now[0] = 1e6
    assert clock.now() == 3.5


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"PADDLE_TRAINER_ENDPOINTS": "ten.1:6170,ten.2:6170", "PADDLE_MASTER": "ten.1:40000"},
            ("ten.1", 6170),
        ),
        # --ips: Paddle's store takes the port of the first endpoint; without a master as well
        (
            {"PADDLE_TRAINER_ENDPOINTS": "ten.1:6170,ten.1:6171", "PADDLE_MASTER": "ten.1:6170"},
            ("ten.1", 6171),
        ),
        ({"PADDLE_TRAINER_ENDPOINTS": "ten.1:6170,ten.1:6180"}, ("ten.1", 6171)),
        ({"PADDLE_TRAINER_ENDPOINTS": "a:1", "MASTER_PORT": "1", "PADDLE_MASTER": "a:7"}, ("a", 2)),
        ({"PPOCR_PSE_GUARD": "head:9000", "PADDLE_TRAINER_ENDPOINTS": "head:9000"}, ("head", 9000)),
    ],
)
def test_address_of_the_guard_of_rank_0(environment: dict[str, str], expected: tuple[str, int]) -> None:
    assert guard_address(environment) == expected


@pytest.mark.parametrize("given", ["", "head", "head:", ":80", "head:http"])
def test_an_address_that_is_none(given: str) -> None:
    with pytest.raises(RankError, match="PPOCR_PSE_GUARD=HOST:PORT"):
        guard_address({"PADDLE_TRAINER_ENDPOINTS": given})


def test_lines_survive_being_cut_and_large() -> None:
    ours, theirs = socket.socketpair()
    line = Line(theirs)
    ours.sendall(b'{"a": 1}\n{"b')
    assert line.messages() == [{"a": 1}]
    ours.sendall(b'": 2}\n')
    assert line.messages() == [{"b": 2}]
    other = Line(ours)
    other.send({"big": "x" * 3_000_000})
    assert not other.flush()  # a socket's buffer is smaller
    found: list[dict[str, Any]] = []
    while not found:
        other.flush()
        found = line.messages()
    assert len(found[0]["big"]) == 3_000_000
    ours.sendall(b"GET / HTTP/1.1\n")
    assert line.messages() == [] and line.closed
    theirs.close()


@pytest.mark.parametrize(("script", "code"), [("pass", 0), ("raise SystemExit(75)", 75), ("import os; os.abort()", -6)])
def test_how_another_process_ended(script: str, code: int) -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", script], stderr=subprocess.DEVNULL)
    process = Process(child.pid)
    deadline = time.monotonic() + 10
    while process.look():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.code == code
    child.wait()


def test_alone_there_is_nothing_to_wait_for() -> None:
    watch = RankWatch()
    watch.at("training, step 1")
    with watch.waiting("counts"):
        assert watch.gather({"a": 1}, "counts") == [{"a": 1}]
    watch.finish()


# Real processes: three ranks of this script, each with its guard. All jobs run at the same time.

WORKER = """
import os, signal, sys, time
from pathlib import Path
from ppocr_pse.engine.ranks import watch_ranks

rank, mode = int(os.environ["PADDLE_TRAINER_ID"]), sys.argv[1]
stall = 2.5 if mode in ("stuck", "stopped") else 100.0
silence = 2.0 if "silent" in mode else 60.0


def guard():
    return int(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text())


with watch_ranks(rank, 3, Path("train.log"), rank_timeout=silence, stall_timeout=stall) as watch:
    print(watch.gather(rank * rank, "squares"), flush=True)
    for step in (1, 2):
        watch.at(f"training, step {step}")
        time.sleep(0.1)
    if rank == 1:
        if mode == "exception":
            raise ValueError("boom")
        if mode == "exit":
            sys.exit(3)
        if mode == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "crashed":
            import ctypes
            ctypes.string_at(0)
        if mode == "stuck":
            time.sleep(600)
        if mode == "guard killed":
            os.kill(guard(), signal.SIGKILL)
        if mode == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
    if rank == 0 and mode == "rank 0 killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == f"rank {rank} silent":
        os.kill(guard(), signal.SIGSTOP)
        time.sleep(5)
        os.kill(guard(), signal.SIGCONT)
    if mode == "requeue":
        pids = watch.gather(os.getpid(), "pids")
        os.kill(guard(), signal.SIGTERM)  # Slurm signals every process of a job
        if rank == 2:
            time.sleep(1.0)
            os.kill(pids[0], signal.SIGTERM)  # a launcher sends it more than once; rank 0 waits at the end of its run
        sys.exit(75)
    if mode != "fine":
        watch.gather(None, "after")
print("left", flush=True)
"""
CODES = {
    "fine": (0, 0, 0),
    "requeue": (75, 75, 75),
    "exception": (76, 1, 76),
    "exit": (76, 3, 76),
    "killed": (76, -9, 76),
    "crashed": (76, -11, 76),
    "stuck": (76, 76, 76),
    "stopped": (76, -9, 76),
    "rank 0 killed": (-9, 76, 76),
    "rank 0 silent": (76, 76, 76),
    "rank 1 silent": (76, 76, 76),
    "guard killed": (76, 76, 76),
}


@dataclass
class Job:
    folder: Path
    codes: tuple[int, ...]
    seconds: float

    @property
    def log(self) -> str:
        file = self.folder / "train.log"
        return file.read_text() if file.exists() else ""

    def output(self, rank: int) -> str:
        return (self.folder / f"output.{rank}").read_text()


def start(folder: Path, mode: str) -> list[subprocess.Popen[bytes]]:
    folder.mkdir()
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    endpoints = ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in sockets)
    for server in sockets:
        server.close()
    processes = []
    for rank in range(3):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PADDLE_TRAINER_ID": str(rank),
            "PADDLE_TRAINER_ENDPOINTS": endpoints,
            "PADDLE_MASTER": "127.0.0.1:1",
        }
        with (folder / f"output.{rank}").open("wb") as output:
            command = [sys.executable, "-c", WORKER, mode]
            processes.append(
                subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
            )
    return processes


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    folder = tmp_path_factory.mktemp("jobs")
    started = time.monotonic()
    running = {mode: start(folder / mode, mode) for mode in CODES}
    finished: dict[str, Job] = {}
    try:
        while len(finished) < len(running):
            for mode, processes in running.items():
                if mode not in finished and all(process.poll() is not None for process in processes):
                    codes = tuple(process.returncode for process in processes)
                    finished[mode] = Job(folder / mode, codes, time.monotonic() - started)
            if time.monotonic() - started > 60:
                break
            time.sleep(0.05)
    finally:
        for processes in running.values():
            for process in processes:
                process.kill()
    return finished


@pytest.mark.parametrize("mode", CODES)
def test_all_ranks_end_together(jobs: dict[str, Job], mode: str) -> None:
    assert mode in jobs, "still running after a minute"
    assert jobs[mode].codes == CODES[mode], jobs[mode].output(0)
    assert "[0, 1, 4]" in jobs[mode].output(2)


@pytest.mark.parametrize("mode", ["fine", "requeue"])
def test_a_good_end_leaves_nothing_in_the_log(jobs: dict[str, Job], mode: str) -> None:
    assert jobs[mode].log == ""
    assert ("left" in jobs[mode].output(2)) == (mode == "fine")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("exception", "failed with ValueError: boom (exit code 1), at training, step 2\n    Traceback"),
        ("exit", "failed with SystemExit: 3 (exit code 3), at training, step 2\n"),
        ("killed", "ended in the middle of the run with signal 9 (SIGKILL)"),
        (
            "crashed",
            "ended in the middle of the run with signal 11 (SIGSEGV), at training, step 2\n    Fatal Python error",
        ),
        ("stuck", "Global.stall_timeout is the limit, at training, step 2\n"),
        ("stopped", "its process is stopped (SIGSTOP)"),
        ("rank 1 silent", "has not been heard of for "),
        ("guard killed", "vanished together with its guard"),
    ],
)
def test_the_log_of_rank_0_and_every_output_name_rank_1(jobs: dict[str, Job], mode: str, expected: str) -> None:
    for text in (jobs[mode].log, jobs[mode].output(0), jobs[mode].output(2)):
        assert text.count("rank 1 (") >= 2  # the headline, and the list of where each was
        assert expected in text
    assert jobs[mode].log.count(" ppocr ERROR: ") == 1


def test_a_crash_and_a_hang_show_where(jobs: dict[str, Job]) -> None:
    assert "string_at" in jobs["crashed"].log
    line = WORKER[: WORKER.index("time.sleep(600)")].count("\n") + 1
    assert f'File "<string>", line {line}' in jobs["stuck"].log


def test_the_log_of_rank_0_is_written_even_when_rank_0_was_killed(jobs: dict[str, Job]) -> None:
    assert "rank 0 (" in jobs["rank 0 killed"].log
    assert "signal 9 (SIGKILL)" in jobs["rank 0 killed"].log


def test_ranks_that_lose_the_guard_of_rank_0_say_so(jobs: dict[str, Job]) -> None:
    for rank in (1, 2):
        text = jobs["rank 0 silent"].output(rank)
        assert "no sign of life from the guard of rank 0 at 127.0.0.1:" in text, text
    assert "its guard process is gone" in jobs["guard killed"].output(1)


def test_a_taken_port_is_an_error_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    from ppocr_pse.engine.ranks import watch_ranks

    with socket.create_server(("", 0)) as taken:
        monkeypatch.setenv("PPOCR_PSE_GUARD", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(RankError, match="set PPOCR_PSE_GUARD=HOST:PORT with a free port"), watch_ranks(0, 2):
            pass
