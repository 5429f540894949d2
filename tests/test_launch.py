"""Training with several processes, started as on a cluster: by Paddle's launcher, on the CPU, with gloo."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import write_pictures
from tests.test_cli import CONFIG, ROOT, options

# tools/train.py, with a fault at one step of one rank
FAULTY = """
import os, signal, sys, time

from ppocr_pse.cli import main, prepare_environment

fault, rank, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
prepare_environment()
if int(os.environ["PADDLE_TRAINER_ID"]) == rank:
    from ppocr_pse.engine.trainer import Trainer

    train_step = Trainer.train_step

    def with_fault(self, batches):
        if self.at.global_step == step:
            if fault == "raise":
                raise ValueError("a fault made by the test")
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "hang":
                time.sleep(600)
        return train_step(self, batches)

    Trainer.train_step = with_fault
sys.exit(main(["train", *sys.argv[4:]]))
"""


@dataclass
class Launch:
    """A launcher with its workers; ``nodes`` launchers on one machine stand for as many nodes."""

    folder: Path
    script: Sequence[str]
    arguments: Sequence[str]
    nodes: int = 1
    processes_a_node: int = 2
    launchers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: float = 0.0

    def start(self) -> Launch:
        environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        several = ["--master", f"127.0.0.1:{free_port()}", "--nnodes", str(self.nodes)] if self.nodes > 1 else []
        for node in range(self.nodes):
            command = [sys.executable, "-m", "paddle.distributed.launch", *several]
            if several:
                command += ["--rank", str(node)]
            command += ["--nproc_per_node", str(self.processes_a_node), "--log_dir", str(self.folder / f"node{node}")]
            with (self.folder / f"launcher{node}.txt").open("wb") as output:
                self.launchers.append(
                    subprocess.Popen(
                        [*command, *self.script, "-c", CONFIG, *self.arguments],
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        cwd=ROOT,
                    )
                )
        self.started = time.monotonic()
        return self

    def wait(self, seconds: float = 120.0) -> list[int]:
        """Exit codes of the launchers."""
        deadline = time.monotonic() + seconds
        return [launcher.wait(max(0.1, deadline - time.monotonic())) for launcher in self.launchers]

    def wait_for(self, condition: Callable[[], object], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.output()
            assert all(launcher.poll() is None for launcher in self.launchers), self.output()
            time.sleep(0.05)

    def worker(self, rank: int) -> str:
        node, local = divmod(rank, self.processes_a_node)
        file = self.folder / f"node{node}" / f"workerlog.{local}"
        return file.read_text(errors="replace") if file.exists() else ""

    def pids(self) -> list[int]:
        """Processes of the workers, by rank."""
        listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {launcher.pid: node for node, launcher in enumerate(self.launchers)}
        found = [tuple(map(int, line.split())) for line in listing.splitlines()]
        return [pid for _, pid in sorted((parents[ppid], pid) for pid, ppid in found if ppid in parents)]

    def output(self) -> str:
        texts = [file.read_text(errors="replace") for file in sorted(self.folder.glob("launcher*.txt"))]
        return "\n".join([*texts, *(self.worker(rank) for rank in range(self.nodes * self.processes_a_node))])

    def end(self) -> None:
        pids = self.pids()
        for launcher in self.launchers:
            launcher.kill()
            launcher.wait()
        for pid in pids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def losses_of(run: Path) -> dict[int, str]:
    """Loss by step, from metrics.csv."""
    file = run / "metrics.csv"
    if not file.exists():
        return {}
    with file.open() as handle:
        return {int(row["global_step"]): row["loss"] for row in csv.DictReader(handle) if row["loss"]}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., tuple[Launch, Path]]]:
    """Start training on eight small pictures; gives the launch and the folder of the run."""
    bars = tmp_path / "bars"
    bars.mkdir()
    write_pictures(bars, 8, name="label.txt")
    write_pictures(bars, 4, name="val.txt")
    (tmp_path / "faulty.py").write_text(FAULTY)
    started: list[Launch] = []

    def begin(
        *more: str, fault: Sequence[object] = (), nodes: int = 1, processes: int = 2, name: str = "run"
    ) -> tuple[Launch, Path]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        run = folder / "output"
        script = [str(tmp_path / "faulty.py"), *map(str, fault)] if fault else ["tools/train.py"]
        common = ["Train.loader.batch_size_per_card=1", "Train.loader.num_workers=0", "Global.log_smooth_window=1"]
        started.append(Launch(folder, script, [*options(bars, run), *common, *more], nodes, processes).start())
        return started[-1], run

    yield begin
    for one in started:
        one.end()


def test_an_exception_in_a_rank_is_in_the_log_of_rank_0(launch: Callable[..., tuple[Launch, Path]]) -> None:
    job, run = launch("Global.epoch_num=100", fault=("raise", 1, 3))
    codes = job.wait(60)
    log = (run / "train.log").read_text()
    assert re.search(
        r"ppocr ERROR: rank 1 \(.*, pid \d+\) failed with ValueError: a fault made by the test \(exit code 1\), "
        r"at training, step \d\n    Traceback",
        log,
    ), job.output()
    assert "with_fault" in log
    assert log.count("ppocr ERROR") == 1
    assert "a fault made by the test" in job.worker(0)  # its output, which the launcher shows
    assert codes == [76], job.output()  # the launcher returns the code of the first rank that failed
