"""Processes that read batches: results in order, shared memory, and words instead of a wait when one dies or hangs."""

from __future__ import annotations

import atexit
import ctypes
import mmap
import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.reader.sampler import Key
from ppocr_pse.data.reader.shared_memory import Slot

Out = TypeVar("Out")
BATCHES_AHEAD = 2
"""Batches that each process has at hand: one at work and one to go on with."""
DEFAULT_TIMEOUT = 300.0
LOOKS = 5  # at the signs of life, at least, before a process counts as hung
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class ReaderError(RuntimeError):
    """Reading cannot go on; the message says which process and pictures, the likely cause and the cure."""


@dataclass(frozen=True)
class Job:
    """How a batch is made; runs in the processes.

    Attributes:
        read: one sample of a key; may raise only for faults of the program.
        collate: (samples, `numpy.empty` or the like) -> (arrays, anything else that can be pickled).
        name: what to call the sample of a key in messages.
    """

    read: Callable[[Key], Any]
    collate: Callable[[Sequence[Any], Callable[..., npt.NDArray[Any]]], tuple[tuple[npt.NDArray[Any], ...], Any]]
    name: Callable[[Key], str]

    def here(self, keys: Sequence[Key]) -> tuple[tuple[npt.NDArray[Any], ...], Any]:
        """Make a batch in this process."""
        return self.collate([self.read(key) for key in keys], np.empty)


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    held: deque[tuple[int, Sequence[Key]]] = field(default_factory=deque)


class WorkerPool:
    """Reader processes, each with a pipe of its own, so that one that is killed leaves no lock behind.

    The processes are forked when the pool is made and serve any number of runs. They end with this process, however
    that ends.

    Args:
        job: how a batch is made.
        workers: number of processes.
        slot_bytes: shared memory for the arrays of a batch; 0 sends them through the pipes.
        timeout: seconds without a sign of life, while its batch is waited for, after which a process counts as hung.

    Raises:
        ReaderError: if the system cannot fork.
    """

    def __init__(self, job: Job, workers: int, slot_bytes: int, timeout: float = DEFAULT_TIMEOUT) -> None:
        if "fork" not in multiprocessing.get_all_start_methods():
            raise ReaderError(f"num_workers is {workers}, but {sys.platform} cannot fork; set num_workers: 0")
        self.job = job
        self.timeout = timeout
        self._slots = [Slot(slot_bytes) for _ in range(workers * BATCHES_AHEAD)]
        # what each process is at: number of the batch, and of the sample in it
        self._signs = np.frombuffer(mmap.mmap(-1, workers * 16), np.int64).reshape(workers, 2)
        self._signs[:] = -1
        self._workers: list[_Worker] = []
        self._next = 0
        context = multiprocessing.get_context("fork")
        for number in range(workers):
            pipe, other_end = context.Pipe()
            foreign = [pipe, *(worker.pipe for worker in self._workers)]
            arguments = (job, other_end, foreign, self._slots, self._signs[number], os.getpid())
            process = context.Process(target=_work, args=arguments, name=f"reader-{number + 1}", daemon=True)
            process.start()
            other_end.close()  # or its end would not be noticed
            self._workers.append(_Worker(number + 1, process, pipe))
        # multiprocessing ends daemons by SIGTERM, which ours ignore, and waits; be there first
        atexit.register(self.close)

    @property
    def pids(self) -> list[int]:
        """Process ids; none once the pool is closed, which a run that is left early does too."""
        return [worker.process.pid or 0 for worker in self._workers]

    def run(
        self, batches: Iterable[Sequence[Key]], use: Callable[[tuple[npt.NDArray[Any], ...], Any], Out]
    ) -> Iterator[Out]:
        """Make batches, a few ahead, and yield them in order.

        Args:
            batches: the keys of each, taken as processes become free.
            use: turns (arrays, anything else) into what is yielded; must copy the arrays, whose memory is used again.

        Raises:
            ReaderError: if a process died, hung or failed.
        """
        free = deque(range(len(self._slots)))
        tasks = enumerate(batches, self._next)  # numbers never come again: an old sign of life is not taken for a new
        slot_of: dict[int, int] = {}
        done: dict[int, Any] = {}
        try:
            self._hand_out(tasks, free, slot_of)
            while slot_of:
                while self._next not in done:
                    self._receive(self._next, done)
                outcome = done.pop(self._next)
                if isinstance(outcome, str):
                    raise ReaderError(outcome)
                sent, rest = outcome
                slot = slot_of.pop(self._next)
                made = use(tuple(map(self._slots[slot].receive, sent)), rest)
                free.append(slot)
                self._next += 1
                self._hand_out(tasks, free, slot_of)
                yield made
        finally:
            if slot_of:  # left early: the processes are at work on what nobody waits for
                self.close()

    def close(self) -> None:
        """End the processes at once; they hold nothing that could be lost."""
        atexit.unregister(self.close)
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(5.0)
            worker.pipe.close()
        self._workers = []

    def _hand_out(self, tasks: Iterator[tuple[int, Sequence[Key]]], free: deque[int], slot_of: dict[int, int]) -> None:
        while free:
            task = next(tasks, None)
            if task is None:
                return
            worker = min(self._workers, key=lambda worker: len(worker.held))
            number, keys = task
            slot_of[number] = free.popleft()
            worker.held.append((number, keys))
            try:
                worker.pipe.send((number, keys, slot_of[number]))
            except OSError:  # it is dead: told when its batch is waited for
                continue

    def _receive(self, expected: int, done: dict[int, Any]) -> None:
        """Take what the processes have made; returns as soon as something came."""
        (holder,) = (worker for worker in self._workers if any(number == expected for number, _ in worker.held))
        sign, quiet, tick = self._sign(holder), 0.0, min(1.0, self.timeout / LOOKS)
        while True:
            ready = wait([worker.pipe for worker in self._workers], tick)
            for worker in self._workers:
                if worker.pipe in ready:
                    try:
                        number, outcome = worker.pipe.recv()
                    except (EOFError, OSError):
                        raise ReaderError(self._obituary(worker)) from None
                    worker.held.popleft()
                    done[number] = outcome
            if ready:
                return
            # counted, not read off a clock: time that the whole run was suspended for is not held against it
            sign, former = self._sign(holder), sign
            quiet = quiet + tick if sign == former else 0.0
            if quiet > self.timeout - tick / 2:
                raise ReaderError(self._complaint(holder))

    def _sign(self, worker: _Worker) -> tuple[int, int]:
        batch, sample = self._signs[worker.number - 1].tolist()
        return batch, sample

    def _at_work(self, worker: _Worker) -> str:
        """Say which picture a process is at, and what else it holds."""
        batch, sample = self._sign(worker)
        keys = dict(worker.held).get(batch)
        if keys is None:
            return "It was between two batches."
        names = [self.job.name(key) for key in keys]
        at = "It was putting its batch together"
        if sample < len(names):
            at = f"It was at picture {sample + 1} of {len(names)} of its batch, {names[sample]}"
        return f"{at}. Pictures of the batch: {', '.join(names)}."

    def _obituary(self, worker: _Worker) -> str:
        worker.process.join(5.0)
        code = worker.process.exitcode
        who = f"reader process {worker.number} of {len(self._workers)} (pid {worker.process.pid})"
        if code is None or code >= 0:
            return f"{who} ended with exit code {code}. {self._at_work(worker)}"
        name = signal.Signals(-code).name
        if name == "SIGKILL":
            cause = (
                "Somebody killed it; most often that is the system, out of memory (`dmesg | grep -i -e oom -e killed` "
                "tells). Then lower Train.loader.num_workers, batch_size_per_card or Train.dataset.cache, or give the "
                "machine or container more memory"
            )
        else:
            cause = "A library crashed, most likely on this picture: mend it or take it out of the label file"
        return f"{who} was killed by {name}. {self._at_work(worker)} {cause}"

    def _complaint(self, worker: _Worker) -> str:
        return (
            f"reader process {worker.number} of {len(self._workers)} (pid {worker.process.pid}) has not got on for "
            f"{self.timeout:g} s (Train.loader.timeout); it {_doing(worker.process.pid)}. {self._at_work(worker)} "
            "See whether the picture can be read (`cat FILE > /dev/null`): a network drive that does not answer is the "
            "most frequent cause; copy the data to a local disc, or raise Train.loader.timeout if reading is that slow"
        )


def _doing(pid: int | None) -> str:
    """What Linux says that a process does."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "does not answer"
    return {"D": "waits for a disc or a network drive", "T": "was stopped by a signal", "R": "is computing"}.get(
        state, "is asleep"
    )


def _work(
    job: Job,
    pipe: Connection,
    foreign: Sequence[Connection],
    slots: Sequence[Slot],
    sign: npt.NDArray[np.int64],
    parent: int,
) -> None:
    """Serve batches until the other end of the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both go to the whole group; the trainer decides
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # a process whose trainer was killed would hold its memory until it has worked off its batches
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
    for other in foreign:
        other.close()
    cv2.setNumThreads(0)  # the processes share the cores already
    while True:
        try:
            number, keys, slot = pipe.recv()
        except EOFError:
            return
        try:
            samples = []
            for position, key in enumerate(keys):
                sign[:] = number, position
                samples.append(job.read(key))
            sign[:] = number, len(keys)
            slots[slot].clear()
            arrays, rest = job.collate(samples, slots[slot].empty)
            outcome: Any = tuple(map(slots[slot].send, arrays)), rest
        except Exception as error:
            at = f" while reading {job.name(keys[sign[1]])}" if sign[1] < len(keys) else ""
            outcome = f"reader process: {type(error).__name__}{at}: {error}\n{traceback.format_exc()}"
        pipe.send((number, outcome))
