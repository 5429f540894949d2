"""Several processes that train together: they fail together, wait with a message, and exchange small values.

`watch_ranks` puts a guard process beside each rank (rank_guard.py). When a rank fails, is killed, falls silent or
gets stuck, every other rank ends with code 76 within seconds, on all nodes, also from inside a collective, and the
log of rank 0 says which rank it was, why, and where each of them was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ppocr_pse.engine.rank_board import END_OF_RUN
from ppocr_pse.engine.rank_guard import EXIT_OTHER_RANK, GuardSettings
from ppocr_pse.engine.stopping import EXIT_REQUEUE

VERDICT_SECONDS = 5.0
EXIT_INTERRUPTED = 130
TELL_SECONDS = 0.05
PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class RankError(RuntimeError):
    """The watch over the ranks cannot be set up; the message says the cure."""


class RankWatch:
    """Connects this process with its guard; alone it does nothing.

    Attributes:
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, rank: int = 0, world_size: int = 1, guard: socket.socket | None = None) -> None:
        self.rank = rank
        self.world_size = world_size
        self._guard = guard
        self._lock = threading.Lock()
        self._at = "start-up"
        self._told = 0.0
        self._gathers = 0
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._released = threading.Event()
        self._leaving = False  # this rank ends with an exit code of its own
        if guard is not None:
            threading.Thread(target=self._listen, args=(guard,), name="rank guard", daemon=True).start()

    def at(self, where: str) -> None:
        """Tell where this rank is, such as "training, step 1200"; cheap enough for every step.

        A rank that has told nothing for ``stall_timeout`` seconds counts as stuck.
        """
        self._at = where
        now = time.monotonic()
        if self._guard is not None and now - self._told >= TELL_SECONDS:
            self._told = now
            self._send({"at": where})

    def gather(self, value: Any, what: str) -> list[Any]:
        """Exchange a small value; every rank calls this, in the same order.

        Goes through the guards, not through the device, so it works alike for every backend. If a rank does not come,
        the log of rank 0 says after a minute who waits for whom; if one is stuck or has ended, all end.

        Args:
            value: made of what JSON knows: numbers, strings, lists, dicts by string, None.
            what: for messages, such as "evaluation: counts".

        Returns:
            The values of all ranks, in their order.
        """
        if self._guard is None:
            return [value]
        self._gathers += 1
        self._send({"at": self._at, "waits": what, "gather": self._gathers, "what": what, "value": value})
        values = self._answers.get()["values"]
        self._send({"waits": ""})
        return list(values)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Around a collective of Paddle's: this rank waits for the others, and is not stuck while one of them moves."""
        if self._guard is None:
            yield
            return
        self._send({"at": self._at, "waits": what})
        try:
            yield
        finally:
            self._send({"waits": ""})

    def barrier(self, what: str) -> None:
        """Wait until every rank is here."""
        self.gather(None, what)

    def finish(self) -> None:
        """Wait for the others at the end of the run; afterwards ranks may leave one by one."""
        if self._guard is not None:
            _ignore_sigterm()
        self.gather(None, END_OF_RUN)
        self._leaving = True

    def fail(self, error: BaseException, code: int) -> None:
        """Tell all ranks of an exception that ends this one, and wait until the others leave.

        Args:
            error: with its traceback.
            code: this process will exit with it.
        """
        if self._guard is None:
            return
        self._leaving = True
        _ignore_sigterm()
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        words = traceback.format_exception_only(type(error), error)[-1].strip()
        self._send({"at": self._at, "failed": "".join(lines), "error": words, "code": code})
        # gloo aborts the other ranks as soon as this one's connections close
        self._released.wait(VERDICT_SECONDS)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._guard is not None
        # when the guard is gone, the listening thread ends this process
        with self._lock, contextlib.suppress(OSError):
            self._guard.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self, guard: socket.socket) -> None:
        with guard.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                message = json.loads(line)
                if "gathered" in message:
                    self._answers.put(message)
                elif "dump" in message:
                    self._send({"stack": _stack_of_main_thread()})
                elif "end" in message:
                    if not self._leaving:
                        os._exit(message["end"])  # the main thread may be inside a collective that never returns
                    self._released.set()
        if not self._leaving:
            print(f"rank {self.rank}: its guard process is gone, nobody would see it fail; it ends", file=sys.stderr)
            os._exit(EXIT_OTHER_RANK)


@contextlib.contextmanager
def watch_ranks(
    rank: int,
    world_size: int,
    log_file: Path | None = None,
    rank_timeout: float = 20.0,
    stall_timeout: float = 1800.0,
    exit_code: Callable[[Exception], int] = lambda error: 1,
) -> Iterator[RankWatch]:
    """Watch over the ranks of a job for as long as the block runs; at its end all wait for each other.

    Args:
        rank: of this process.
        world_size: number of processes; with 1 there is nothing to watch.
        log_file: where rank 0 notes failures, besides its output.
        rank_timeout: seconds without a sign of life after which a node counts as lost; a dead process is seen at once.
        stall_timeout: seconds without `RankWatch.at` or a gather after which a rank counts as stuck.
        exit_code: that of the process when an exception leaves the block.

    Raises:
        RankError: if the address of rank 0's guard is not known, or its port is taken.
    """
    if world_size == 1:
        yield RankWatch()
        return
    watch = RankWatch(rank, world_size, _start_guard(rank, world_size, log_file, rank_timeout, stall_timeout))
    try:
        yield watch
    except SystemExit as error:
        if error.code in (None, 0, EXIT_REQUEUE):
            watch.finish()
        else:
            watch.fail(error, error.code if isinstance(error.code, int) else 1)
        raise
    except KeyboardInterrupt as error:
        watch.fail(error, EXIT_INTERRUPTED)
        raise
    except Exception as error:
        watch.fail(error, exit_code(error))
        raise
    watch.finish()


def guard_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where the guard of rank 0 listens, as every rank can tell from its environment.

    ``PPOCR_PSE_GUARD`` (HOST:PORT) if set; else the endpoint that the launcher has set aside for rank 0, one port
    higher where Paddle's own store listens on that one.

    Raises:
        RankError: if there is no endpoint, or it is not HOST:PORT.
    """
    given = environment.get("PPOCR_PSE_GUARD", "")
    endpoint = given or environment.get("PADDLE_TRAINER_ENDPOINTS", "").split(",")[0]
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise RankError(
            f"the address of rank 0 is {endpoint!r}, expected HOST:PORT. Start with "
            "`python -m paddle.distributed.launch`, which sets PADDLE_TRAINER_ENDPOINTS, or set "
            "PPOCR_PSE_GUARD=HOST:PORT, the same on all nodes"
        )
    store = environment.get("MASTER_PORT") or environment.get("PADDLE_MASTER", endpoint).rpartition(":")[2]
    return host, int(port) + (not given and port == store)


def _ignore_sigterm() -> None:
    """This rank is leaving: the launcher sends SIGTERM three times, and again when the first rank has left."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _stack_of_main_thread() -> str:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return "".join(traceback.format_stack(frame)) if frame is not None else ""


def _start_guard(
    rank: int, world_size: int, log_file: Path | None, rank_timeout: float, stall_timeout: float
) -> socket.socket:
    host, port = guard_address(os.environ)
    listener = None
    if rank == 0:
        try:
            listener = socket.create_server(("", port), backlog=world_size)
        except OSError as error:
            raise RankError(
                f"port {port}, where the guards of the other ranks are to report, cannot be opened ({error.strerror}). "
                "Start again, or set PPOCR_PSE_GUARD=HOST:PORT with a free port of rank 0's node, alike on all nodes"
            ) from error
    ours, theirs = socket.socketpair()
    settings = GuardSettings(
        rank=rank,
        world_size=world_size,
        pid=os.getpid(),
        worker_fd=theirs.fileno(),
        listen_fd=None if listener is None else listener.fileno(),
        host=host,
        port=port,
        token=f"{os.environ.get('PADDLE_TRAINER_ENDPOINTS', '')} {os.environ.get('PADDLE_MASTER', '')} {world_size}",
        log_file=str(log_file) if log_file is not None and rank == 0 else None,
        rank_timeout=rank_timeout,
        stall_timeout=stall_timeout,
    )
    path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), os.environ.get("PYTHONPATH"))))
    subprocess.Popen(
        [sys.executable, "-m", "ppocr_pse.engine.rank_guard", json.dumps(asdict(settings))],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        pass_fds=[settings.worker_fd, *([] if listener is None else [listener.fileno()])],
        start_new_session=True,  # it outlives signals to the process group, and tells of them
    )
    theirs.close()
    if listener is not None:
        listener.close()
    faulthandler.enable(ours.fileno())  # the Python stack of a crash in native code goes to the guard
    return ours
