"""What is known of every rank of a job, and the verdict when one of them fails; without sockets, the time is given."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

END_OF_RUN = "end of the run"
"""What ranks gather for when they are done; afterwards nothing is a failure any more."""

JOIN_SECONDS = 300.0
SETTLE_SECONDS = 0.5  # one failure drags others along within milliseconds: hear all of them before judging
STACK_SECONDS = 3.0  # a stuck rank is asked where it is; it may be unable to answer
NOTICE_SECONDS = 60.0
TRACEBACK_LINES = 60
STACK_LINES = 24
STATES = {"T": ", its process is stopped (SIGSTOP)", "D": ", its process waits for a disk or a driver"}


@dataclass
class _Rank:
    number: int
    host: str = "unknown host"
    pid: int = 0
    joined: bool = False
    heard: float = 0.0
    moved: float = 0.0  # when it last came further
    progress: int = -1
    at: str = "not started"
    state: str = ""  # of the process, as in /proc: T is stopped
    waits_for: str = ""
    notice: float = NOTICE_SECONDS
    ended: bool = False

    def __str__(self) -> str:
        return f"rank {self.number} ({self.host}, pid {self.pid})" if self.joined else f"rank {self.number}"


@dataclass
class _Failure:
    rank: _Rank
    what: str
    when: float
    crashed: bool  # it could not say a word itself: a cause, where an exception may be a consequence
    detail: str = ""
    settled: bool = True  # there is nothing more to wait for


@dataclass
class Board:
    """Collects what ranks tell, and judges.

    Args:
        world_size: number of ranks.
        rank_timeout: seconds without a sign of life from a rank's guard after which its node counts as lost.
        stall_timeout: seconds without progress after which a rank counts as stuck, unless it waits for one that moves.
    """

    world_size: int
    rank_timeout: float
    stall_timeout: float
    ranks: list[_Rank] = field(init=False)
    failures: list[_Failure] = field(init=False, default_factory=list)
    outbox: list[tuple[int, dict[str, Any]]] = field(init=False, default_factory=list)
    notices: list[str] = field(init=False, default_factory=list)
    verdict: str = field(init=False, default="")
    over: bool = field(init=False, default=False)
    _given: dict[int, dict[int, Any]] = field(init=False, default_factory=dict)
    _purpose: dict[int, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.ranks = [_Rank(number) for number in range(self.world_size)]

    def join(self, number: int, host: str, pid: int, now: float) -> None:
        """A rank's guard has connected."""
        rank = self.ranks[number]
        rank.host, rank.pid, rank.joined, rank.at = host, pid, True, "start-up"
        rank.heard = rank.moved = now

    def hear(self, number: int, message: Mapping[str, Any], now: float) -> None:
        """Take in a message: a beat, a contribution to a gather, a failure in words, or the end of the process."""
        rank = self.ranks[number]
        rank.heard = now
        rank.at = message.get("at", rank.at)
        rank.state = message.get("state", rank.state)
        if message.get("waits", rank.waits_for) != rank.waits_for:
            rank.waits_for, rank.notice = message["waits"], NOTICE_SECONDS
        if message.get("progress", rank.progress) != rank.progress:
            rank.progress, rank.moved = message["progress"], now
        if "gather" in message:
            self._gather(rank, message["gather"], message["what"], message["value"], now)
        if "failed" in message:
            self._fail(rank, now, f"failed with {message['error']} (exit code {message['code']})", message["failed"])
        if "abandoned" in message:
            self._fail(rank, now, message["abandoned"], crashed=True)
        if "stack" in message:
            for failure in self.failures:
                if failure.rank is rank and not failure.settled:
                    stack = message["stack"].rstrip().splitlines()
                    failure.detail, failure.settled = "\n".join(stack[-STACK_LINES:]), True
        if "ended" in message:
            self._ended(rank, message["ended"], message["words"], now)

    def leave(self, number: int, now: float) -> None:
        """The connection to a rank's guard is gone."""
        rank = self.ranks[number]
        rank.ended = True
        what = "vanished together with its guard: its node or container was stopped or killed"
        self._fail(rank, now, what, crashed=True)

    def tick(self, now: float) -> None:
        """Look for ranks that are silent, stuck or missing; give the verdict when all is heard."""
        if self.over or self.verdict:
            return
        if not self.failures:
            self._look(now)
        if self.failures:
            first = min(failure.when for failure in self.failures)
            settled = all(failure.settled for failure in self.failures)
            if now - first >= (SETTLE_SECONDS if settled else STACK_SECONDS):
                self.verdict = self._judge(now)

    def _look(self, now: float) -> None:
        missing = [rank for rank in self.ranks if not rank.joined]
        if missing and now > JOIN_SECONDS:
            what = (
                f"has not come within {JOIN_SECONDS:.0f} s. Was it started on every node with the same --nnodes, "
                "and can its node reach the address of rank 0's guard (docs/cluster.md, Ports)?"
            )
            for rank in missing:
                self._fail(rank, now, what, crashed=True)
        for rank in self.ranks:
            if not rank.joined or rank.ended:
                continue
            if now - rank.heard > self.rank_timeout:
                what = f"has not been heard of for {now - rank.heard:.0f} s: its node is down, frozen or cut off"
                self._fail(rank, now, what, crashed=True)
            elif rank.waits_for and now - rank.moved > rank.notice:
                rank.notice *= 2
                others = [other for other in self.ranks if other.waits_for != rank.waits_for]
                where = "; ".join(f"{other} is at {other.at}" for other in others)
                self.notices.append(
                    f"{rank} has waited {now - rank.moved:.0f} s for the others ({rank.waits_for}): {where}"
                )
        if not missing:  # those that are here may be waiting for them
            self._look_for_stuck_ranks(now)

    def _look_for_stuck_ranks(self, now: float) -> None:
        alive = [rank for rank in self.ranks if rank.joined and not rank.ended]
        suspects = [rank for rank in alive if not rank.waits_for] or alive
        if all(now - rank.moved <= self.stall_timeout for rank in suspects):
            return
        for rank in suspects:
            # in a step all ranks wait for the gradients of the one that hangs: their stacks tell which it is
            if now - rank.moved > self.stall_timeout / 2:
                what = f"has not come further for {now - rank.moved:.0f} s; Global.stall_timeout is the limit"
                self._fail(rank, now, what, crashed=True, settled=False)
                self.outbox.append((rank.number, {"dump": True}))

    def _gather(self, rank: _Rank, number: int, what: str, value: Any, now: float) -> None:
        rank.waits_for, rank.moved, rank.notice = what, now, NOTICE_SECONDS
        purpose = self._purpose.setdefault(number, what)
        if purpose != what:
            self._fail(rank, now, f"came to {what!r} while others are at {purpose!r}: the ranks do different things")
            return
        given = self._given.setdefault(number, {})
        given[rank.number] = value
        if len(given) < self.world_size:
            return
        values = [given[number] for number in range(self.world_size)]
        del self._given[number], self._purpose[number]
        for other in self.ranks:
            other.waits_for, other.moved = "", now
            self.outbox.append((other.number, {"gathered": number, "values": values, "over": what == END_OF_RUN}))
        self.over = what == END_OF_RUN

    def _ended(self, rank: _Rank, code: int | None, words: str, now: float) -> None:
        rank.ended = True
        hint = ""
        if code == -signal.SIGKILL:
            hint = (
                ": `kill -9`, a job manager, or the kernel because memory ran out "
                f"(on {rank.host}: dmesg -T | grep -i 'killed process')"
            )
        # gloo aborts the ranks that were connected to one that died
        crashed = code != -signal.SIGABRT
        self._fail(rank, now, f"ended in the middle of the run with {describe_exit(code)}{hint}", words, crashed)

    def _fail(
        self, rank: _Rank, now: float, what: str, detail: str = "", crashed: bool = False, settled: bool = True
    ) -> None:
        if not (self.over or self.verdict or any(failure.rank is rank for failure in self.failures)):
            self.failures.append(_Failure(rank, what, now, crashed, detail.rstrip(), settled))

    def _judge(self, now: float) -> str:
        lines: list[str] = []
        for failure in sorted(self.failures, key=lambda failure: not failure.crashed):
            also = " (perhaps because of the above)" if lines and not failure.crashed else ""
            lines.append(f"{failure.rank} {failure.what}, at {failure.rank.at}{also}")
            lines += ["    " + line for line in failure.detail.splitlines()[-TRACEBACK_LINES:]]
        lines.append("the job ends, with exit code 76 where nothing failed; where each rank was:")
        for rank in self.ranks:
            waits = f", waiting for the others ({rank.waits_for})" if rank.waits_for else ""
            state = STATES.get(rank.state, "") if not rank.ended else ""
            moved = f", {now - rank.moved:.1f} s ago" if rank.joined else ""
            lines.append(f"    {rank}: {rank.at}{waits}{state}{moved}")
        return "\n".join(lines)


def describe_exit(code: int | None) -> str:
    """Put an exit code into words; negative is a signal, None is not known."""
    if code is None:
        return "an exit code that only its parent has seen"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
