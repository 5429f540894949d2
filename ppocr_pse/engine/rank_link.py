"""What guards of ranks are made of: lines of JSON, a patient clock, an eye on another process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

BEAT_SECONDS = 1.0


class Line:
    """JSON objects, one a line, over a socket that never blocks."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.closed = False
        self._unsent = b""
        self._unread = b""
        connection.setblocking(False)

    def fileno(self) -> int:
        """For wait()."""
        return self.connection.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Send now what the socket takes; the rest follows with flush()."""
        self._unsent += json.dumps(message).encode() + b"\n"
        self.flush()

    def flush(self) -> bool:
        """Send what is left; True when nothing is."""
        while self._unsent and not self.closed:
            try:
                self._unsent = self._unsent[self.connection.send(self._unsent) :]
            except BlockingIOError:
                return False
            except OSError:
                self.closed = True
        return True

    def lines(self) -> list[str]:
        """The whole lines that have come; sets ``closed`` when the other side is gone."""
        while not self.closed:
            try:
                chunk = self.connection.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            self.closed = not chunk
            self._unread += chunk
        *whole, self._unread = self._unread.split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def messages(self) -> list[dict[str, Any]]:
        """The messages that have come; a line that is none closes the line."""
        found = []
        for line in self.lines():
            message = parse(line)
            if message is None:
                self.closed = True
                break
            found.append(message)
        return found


def parse(line: str) -> dict[str, Any] | None:
    """A message, or None for any other text."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


class PatientClock:
    """Seconds in which this process itself was running: one that was frozen does not accuse others of silence."""

    def __init__(self) -> None:
        self._seen = time.monotonic()
        self._sum = 0.0

    def now(self) -> float:
        """Seconds since the start; a gap between two calls counts for two beats at most."""
        seen = time.monotonic()
        self._sum += min(seen - self._seen, 2 * BEAT_SECONDS)
        self._seen = seen
        return self._sum


class Process:
    """Another process, not a child: whether it runs and how it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.running = True
        self.code: int | None = None
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):  # an old kernel: look every time
            self._handle = None

    def sources(self) -> list[int]:
        """What becomes readable when it ends."""
        return [self._handle] if self.running and self._handle is not None else []

    def look(self) -> str:
        """Its state as in /proc (R, S, D, T, ...), or nothing when it has ended; then ``code`` is set if to be had."""
        if not self.running or (self._handle is not None and wait([self._handle], 0)):
            self._end()
            return ""
        state = self._stat()[:1]
        if not state or state[0] == "Z":
            self._end()
            return ""
        return state[0]

    def kill(self) -> None:
        """Send SIGKILL."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        if self.running:
            self.running = False
            fields = self._stat()
            # a process that its parent has not collected yet still shows its wait status, the last field
            if fields and fields[0] == "Z":
                self.code = os.waitstatus_to_exitcode(int(fields[-1]))

    def _stat(self) -> list[str]:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return []


def launcher_of(pid: int) -> Process | None:
    """The `paddle.distributed.launch` that started a process, if one did."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        command = Path(f"/proc/{parent}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return Process(parent) if b"paddle.distributed" in command or b"fleetrun" in command else None
