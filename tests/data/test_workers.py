"""Reader processes: results in order, and words when one is killed, hangs, crashes or fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppocr_pse.data.reader.sampler import Key
from ppocr_pse.data.reader.shared_memory import Slot
from ppocr_pse.data.reader.workers import Job, ReaderError, WorkerPool

ROOT = Path(__file__).parent.parent.parent
BATCHES = [[(1, 2 * k), (1, 2 * k + 1)] for k in range(6)]


def collate(samples: Sequence[int], empty: Callable[..., Any]) -> tuple[tuple[np.ndarray, ...], Any]:
    values = empty((len(samples), 3), np.float64)
    values[:] = np.array(samples)[:, None]
    return (values, np.array(samples, np.int16)), os.getpid()


def job(read: Callable[[Key], int] = lambda key: key[1]) -> Job:
    return Job(read, collate, lambda key: f"img_{key[1]}.jpg (label.txt:{key[1] + 1})")


def copied(arrays: Sequence[np.ndarray], rest: Any) -> tuple[list[float], list[int], int]:
    return arrays[0][:, 2].tolist(), arrays[1].tolist(), rest


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_end(pids: Sequence[int]) -> None:
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"reader processes {pids} are still there"
        time.sleep(0.02)


@pytest.mark.parametrize("slot_bytes", [0, 100, 4096])
def test_batches_come_in_order_whatever_travels_how(slot_bytes: int) -> None:
    def read(key: Key) -> int:
        time.sleep(0.01 if key[1] in (0, 4) else 0.0)  # later batches are ready before
        return key[1]

    pool = WorkerPool(job(read), 3, slot_bytes)
    try:
        pids = pool.pids
        for _ in range(2):  # the processes serve several runs
            made = list(pool.run(BATCHES, copied))
            assert [values for values, _, _ in made] == [[2.0 * k, 2.0 * k + 1] for k in range(6)]
            assert [whole for _, whole, _ in made] == [[2 * k, 2 * k + 1] for k in range(6)]
            assert {pid for _, _, pid in made} <= set(pids) and os.getpid() not in pids
        assert list(pool.run([], copied)) == []
    finally:
        pool.close()
    wait_for_end(pids)


def test_memory_is_not_used_again_before_its_batch_is_taken() -> None:
    """Many batches through few slots, while the training loop is slower than the processes."""
    pool = WorkerPool(job(), 2, 4096)
    batches = [[(1, 10 * k + i) for i in range(4)] for k in range(40)]
    try:
        for keys, (values, whole, _) in zip(batches, pool.run(batches, copied), strict=True):
            assert values == whole == [index for _, index in keys]
            time.sleep(0.003)
    finally:
        pool.close()


def test_a_slot_lends_aligned_memory_until_it_is_full() -> None:
    slot = Slot(256)
    first, second, third = (slot.empty((5,), np.float32) for _ in range(3))
    assert [slot.send(array)[0] for array in (first, second, third)] == [0, 64, 128]
    big = slot.empty((100,), np.float32)
    assert slot.send(big) is big and slot.receive(big) is big
    second[:] = 7
    np.testing.assert_array_equal(slot.receive(slot.send(second)), second)
    slot.clear()
    assert slot.send(slot.empty((5,), np.float32))[0] == 0


def test_a_killed_process_is_told_with_the_picture_that_it_was_at() -> None:
    def read(key: Key) -> int:
        if key[1] == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return key[1]

    pool = WorkerPool(job(read), 2, 4096)
    pids, results = pool.pids, pool.run(BATCHES, copied)
    with pytest.raises(ReaderError) as caught:
        list(results)
    text = str(caught.value)
    assert "was killed by SIGKILL" in text and "out of memory" in text and "num_workers" in text
    assert "at picture 2 of 2 of its batch, img_7.jpg (label.txt:8)" in text
    assert "img_6.jpg (label.txt:7), img_7.jpg (label.txt:8)" in text
    assert any(f"(pid {pid})" in text for pid in pids)
    wait_for_end(pids)


def test_a_process_killed_from_outside_ends_the_wait_at_once() -> None:
    def read(key: Key) -> int:
        time.sleep(0.0 if key[1] < 2 else 600.0)
        return key[1]

    pool = WorkerPool(job(read), 2, 4096)
    pids, results = pool.pids, pool.run(BATCHES, copied)
    next(results)
    os.kill(pids[1], signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(ReaderError, match=rf"\(pid {pids[1]}\) was killed by SIGKILL"):
        list(results)
    assert time.monotonic() - started < 5
    wait_for_end(pids)


def test_a_crash_points_at_the_picture() -> None:
    def read(key: Key) -> int:
        if key[1] == 4:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # without Paddle's report on the terminal
            os.kill(os.getpid(), signal.SIGSEGV)
        return key[1]

    pool = WorkerPool(job(read), 1, 4096)
    with pytest.raises(ReaderError, match=r"killed by SIGSEGV.*img_4\.jpg.*take it out of the label file"):
        list(pool.run(BATCHES, copied))


def test_a_process_that_hangs_is_told_with_the_picture(tmp_path: Path) -> None:
    """It reads a pipe that nobody writes to, as a drive that does not answer."""
    os.mkfifo(tmp_path / "img_5.jpg")

    def read(key: Key) -> int:
        if key[1] == 5:
            (tmp_path / "img_5.jpg").read_bytes()
        return key[1]

    pool = WorkerPool(job(read), 2, 4096, timeout=0.8)
    pids, started = pool.pids, time.monotonic()
    with pytest.raises(ReaderError) as caught:
        list(pool.run(BATCHES, copied))
    assert time.monotonic() - started < 5
    text = str(caught.value)
    assert "has not got on for 0.8 s (Train.loader.timeout); it is asleep" in text
    assert "at picture 2 of 2 of its batch, img_5.jpg (label.txt:6)" in text and "network drive" in text
    wait_for_end(pids)


def test_a_stopped_process_is_told() -> None:
    pool = WorkerPool(job(), 2, 4096, timeout=0.3)
    for pid in pool.pids:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ReaderError, match=r"was stopped by a signal. It was between two batches"):
        list(pool.run(BATCHES, copied))


def test_slow_is_not_hung() -> None:
    """Eight samples of .15 s in a batch take twice the timeout, but each is a sign of life."""

    def read(key: Key) -> int:
        time.sleep(0.15)
        return key[1]

    pool = WorkerPool(job(read), 1, 4096, timeout=0.6)
    try:
        assert len(list(pool.run([[(1, i) for i in range(8)]], copied))) == 1
    finally:
        pool.close()


def test_a_fault_of_the_program_is_raised_with_type_place_and_pictures() -> None:
    def read(key: Key) -> int:
        return {0: 0, 1: 1, 2: 2}[key[1]]

    pool = WorkerPool(job(read), 1, 4096)
    with pytest.raises(ReaderError, match=r"KeyError while reading img_3\.jpg(.|\n)*test_workers\.py"):
        list(pool.run(BATCHES, copied))


def test_an_epoch_that_is_left_early_ends_the_processes() -> None:
    pool = WorkerPool(job(), 2, 4096)
    pids, results = pool.pids, pool.run(BATCHES, copied)
    next(results)
    assert isinstance(results, Iterator)
    results.close()  # type: ignore[attr-defined]
    assert pool.pids == []
    wait_for_end(pids)


def test_keyboard_and_termination_are_left_to_the_trainer() -> None:
    pool = WorkerPool(job(), 1, 4096)
    try:
        assert len(list(pool.run(BATCHES[:1], copied))) == 1
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pool.pids[0], number)
        assert len(list(pool.run(BATCHES, copied))) == 6
    finally:
        pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_size_of_dev_shm_does_not_matter() -> None:
    before = set(Path("/proc/self/maps").read_text().splitlines())  # libraries may have something there
    pool = WorkerPool(job(), 1, 1 << 20)
    try:
        list(pool.run(BATCHES, copied))
        theirs = set(Path(f"/proc/{pool.pids[0]}/maps").read_text().splitlines()) - before
        assert not [line for line in theirs if "/dev/shm" in line]
        assert [line for line in theirs if "/dev/zero" in line]  # anonymous shared memory shows as that
    finally:
        pool.close()


SCRIPT = """
import sys, time
from tests.data.test_workers import BATCHES, copied, job
from ppocr_pse.data.reader.workers import WorkerPool

def read(key):
    time.sleep({slow} if key[1] >= 2 else 0.0)
    return key[1]

pool = WorkerPool(job(read), 2, 4096, timeout=0.6)
results = pool.run(BATCHES, copied)
next(results)
print(*pool.pids, flush=True)
"""


def trainer(slow: float, last: str) -> subprocess.Popen[str]:
    """A process of its own with two readers, as far as its first batch."""
    code = textwrap.dedent(SCRIPT).format(slow=slow) + last
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def first_line(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


def test_time_that_the_whole_run_is_suspended_for_does_not_count() -> None:
    """Stopped for twice the timeout, as by Ctrl-Z or a cluster, while it waits for pictures that take a third of it."""
    with trainer(0.2, "list(results)") as process:
        first_line(process)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(1.2)
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(30) == 0


@pytest.mark.parametrize("end", ["kill", "exit", "raise"])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_processes_end_with_the_trainer_however_it_ends(end: str) -> None:
    last = {"kill": "time.sleep(600)", "exit": "sys.exit(3)", "raise": "raise RuntimeError"}[end]
    with trainer(600.0, last) as process:
        pids = first_line(process)
        if end == "kill":
            process.kill()
        assert process.wait(30) == {"kill": -9, "exit": 3, "raise": 1}[end]
    assert len(pids) == 2
    wait_for_end(pids)
