"""The guard of a rank: a small process of its own beside each training process.

A process that was killed, that hangs in a driver or holds the interpreter lock cannot tell anybody. Its guard can: it
sees how the process ends, sends a sign of life every second to the guard of rank 0, which keeps the board for
all, and when that gives a verdict it writes it to the log and ends its process. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ppocr_pse.engine.rank_board import JOIN_SECONDS, Board
from ppocr_pse.engine.rank_link import BEAT_SECONDS, Line, PatientClock, Process, launcher_of, parse

EXIT_OTHER_RANK = 76
PATIENCE_SECONDS = 2.0  # until a process that was asked to leave is killed
LAST_WORDS_SECONDS = 10.0  # longest stay of a guard whose process has ended


@dataclass(frozen=True)
class GuardSettings:
    """What a guard is told when it is started.

    Attributes:
        rank: of its process.
        world_size: number of ranks.
        pid: its process.
        worker_fd: socket to it.
        listen_fd: listening socket of the board (rank 0), else None.
        host: where the guard of rank 0 is.
        port: where it listens.
        token: tells this job from others.
        log_file: the verdict is appended there as well as printed; None only prints.
        rank_timeout: see Board.
        stall_timeout: see Board.
    """

    rank: int
    world_size: int
    pid: int
    worker_fd: int
    listen_fd: int | None
    host: str
    port: int
    token: str
    log_file: str | None
    rank_timeout: float
    stall_timeout: float


class Hub:
    """The board with its connections; part of the guard of rank 0."""

    def __init__(self, settings: GuardSettings, listener: socket.socket) -> None:
        self.board = Board(settings.world_size, settings.rank_timeout, settings.stall_timeout)
        self.token = settings.token
        self.listener = listener
        self.lines: dict[int, Line] = {}
        self.strangers: list[Line] = []
        self._beat = 0.0
        self._told = False
        listener.setblocking(False)

    def sources(self) -> list[Any]:
        """What may become readable."""
        return [self.listener, *self.strangers, *self.lines.values()]

    def serve(self, now: float) -> None:
        """Take in what has come, send what is due."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.strangers.append(Line(self.listener.accept()[0]))
        for line in list(self.strangers):
            self._admit(line, now)
        for number, line in list(self.lines.items()):
            for message in line.messages():
                self.board.hear(number, message, now)
            if line.closed:
                del self.lines[number]
                self.board.leave(number, now)
        self.board.tick(now)
        for number, message in self.board.outbox:
            if number in self.lines:
                self.lines[number].send(message)
        self.board.outbox.clear()
        if self.board.notices and 0 in self.lines:
            self.lines[0].send({"notices": self.board.notices})
            self.board.notices = []
        if now - self._beat >= BEAT_SECONDS:
            self._beat = now
            self._send_all({"beat": True})
        if self.board.verdict and not self._told:
            self._told = True
            self._send_all({"verdict": self.board.verdict})

    def flushed(self) -> bool:
        """Whether everything has been sent."""
        return sum(not line.flush() for line in self.lines.values()) == 0  # flush them all

    def _send_all(self, message: dict[str, Any]) -> None:
        for line in self.lines.values():
            line.send(message)

    def _admit(self, line: Line, now: float) -> None:
        hello, *more = line.messages() or [{}]
        if not (hello or line.closed):
            return  # nothing has come yet
        self.strangers.remove(line)
        if hello.get("token") != self.token or hello.get("rank") not in range(self.board.world_size):
            line.connection.close()  # another job, or a port scanner
            return
        number = int(hello["rank"])
        self.lines[number] = line
        self.board.join(number, str(hello["host"]), int(hello["pid"]), now)
        for message in more:
            self.board.hear(number, message, now)


class Guard:
    """Stands between one process and the hub until the run is over or the process has ended."""

    def __init__(self, settings: GuardSettings) -> None:
        self.settings = settings
        self.worker = Line(socket.socket(fileno=settings.worker_fd))
        self.process = Process(settings.pid)
        self.launcher = launcher_of(settings.pid)
        self.clock = PatientClock()
        self.hub = None
        if settings.listen_fd is not None:
            self.hub = Hub(settings, socket.socket(fileno=settings.listen_fd))
        self.line: Line | None = None  # to the hub
        self.heard = 0.0
        self.progress = 0
        self.at = "start-up"
        self.waits = ""
        self.untold: list[dict[str, Any]] = []  # before the hub is reached
        self.words: list[str] = []  # what the process wrote when it crashed
        self.over = False
        self.failing = False  # the process has told of an exception and is leaving by itself
        self.verdict = ""
        self.ended_at: float | None = None
        self.kill_at: float | None = None
        self._beat = 0.0

    def run(self) -> None:
        """Work until everything is told."""
        while True:
            now = self.clock.now()
            if self.hub is not None:
                self.hub.serve(now)
            self._hear_worker()
            self._hear_hub(now)
            self._look(now)
            sent = (self.line is None or self.line.flush()) and self.worker.flush()
            sent = (self.hub is None or self.hub.flushed()) and sent
            if self._finished(now) and sent:
                return
            wait(self._sources(), 0.2 if sent else 0.01)

    def _sources(self) -> list[Any]:
        sources: list[Any] = [*self.process.sources(), *(self.launcher.sources() if self.launcher else [])]
        sources += [line for line in (self.worker, self.line) if line is not None and not line.closed]
        return sources + (self.hub.sources() if self.hub is not None else [])

    def _finished(self, now: float) -> bool:
        if self.ended_at is None:
            return False
        if now - self.ended_at > (JOIN_SECONDS if self.line is None else LAST_WORDS_SECONDS):
            return True
        if self.hub is not None and self.verdict:
            return set(self.hub.lines) <= {0}  # the other guards have read it and left
        return self.over or bool(self.verdict)

    def _hear_worker(self) -> None:
        for text in self.worker.lines():
            message = parse(text)
            if message is None:
                self.words.append(text)
                continue
            self.progress += "stack" not in message
            self.at = message.pop("at", self.at)
            self.waits = message.pop("waits", self.waits)
            self.failing = self.failing or "failed" in message
            if message:  # where it is goes with the next beat
                self._tell(message)

    def _tell(self, message: dict[str, Any]) -> None:
        message = {"progress": self.progress, "at": self.at, "waits": self.waits, **message}
        if self.line is None:
            self.untold.append(message)
        else:
            self.line.send(message)

    def _hear_hub(self, now: float) -> None:
        if self.line is None:
            self._connect(now)
            return
        for message in self.line.messages():
            self.heard = now
            self.over = self.over or message.get("over", False)
            if message.keys() & {"gathered", "dump"}:
                self.worker.send(message)
            for notice in message.get("notices", ()):
                self._write("WARNING", notice)
            if "verdict" in message:
                self._end(message["verdict"], now)
        settings = self.settings
        place = f"the guard of rank 0 at {settings.host}:{settings.port}"
        if self.line.closed:
            self._end(f"rank {settings.rank}: {place} is gone: its node or container was stopped or killed", now)
        elif now - self.heard > settings.rank_timeout:
            self._end(f"rank {settings.rank}: no sign of life from {place} for {now - self.heard:.0f} s", now)

    def _connect(self, now: float) -> None:
        settings = self.settings
        try:
            connection = socket.create_connection((settings.host, settings.port), timeout=BEAT_SECONDS)
        except OSError as error:
            if now > JOIN_SECONDS:
                where = f"the guard of rank 0 at {settings.host}:{settings.port}"
                cure = "is rank 0 running, and is the port open between the nodes (PPOCR_PSE_GUARD sets another)?"
                self._end(f"rank {settings.rank}: cannot reach {where} ({error}); {cure}", now)
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line, self.heard = Line(connection), now
        host = socket.gethostname()
        self.line.send({"token": settings.token, "rank": settings.rank, "host": host, "pid": settings.pid})
        for message in self.untold:
            self.line.send(message)
        self.untold.clear()

    def _look(self, now: float) -> None:
        if self.ended_at is not None:
            return
        state = self.process.look()
        if not self.process.running:
            self.ended_at = now
            self._hear_worker()
            self._tell({"ended": self.process.code, "words": "\n".join(self.words)})
            return
        if self.launcher is not None and self.launcher.running and not self.launcher.look() and not self.over:
            self._tell({"abandoned": f"was left alone: its launcher (pid {self.launcher.pid}) has been killed"})
        if self.line is not None and now - self._beat >= BEAT_SECONDS:
            self._beat = now
            self._tell({"state": state})
        if self.kill_at is not None and now >= self.kill_at:
            self.process.kill()

    def _end(self, verdict: str, now: float) -> None:
        """Write the verdict once, and have the process leave."""
        if self.over or self.verdict:
            return
        self.verdict = verdict
        self._write("ERROR", verdict)
        self.worker.send({"end": EXIT_OTHER_RANK})
        self.kill_at = now + PATIENCE_SECONDS * (3 if self.failing else 1)

    def _write(self, level: str, text: str) -> None:
        stamp = time.strftime("%Y/%m/%d %H:%M:%S")
        entry = f"[{stamp}] ppocr {level}: {text}\n"
        with contextlib.suppress(OSError):  # nobody may be left to read it
            sys.stdout.write(entry)
            sys.stdout.flush()
        if self.settings.log_file is not None:
            try:
                with Path(self.settings.log_file).open("a", encoding="utf-8") as handle:
                    handle.write(entry)
            except OSError as error:
                with contextlib.suppress(OSError):
                    print(f"{self.settings.log_file}: cannot be written ({error})", file=sys.stderr)


def main(argv: Sequence[str]) -> None:
    """Guard the process that the one argument, GuardSettings as JSON, names."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # launchers signal the whole process group
    Guard(GuardSettings(**json.loads(argv[0]))).run()


if __name__ == "__main__":
    main(sys.argv[1:])
