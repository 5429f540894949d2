"""Signals, the wall clock and patience; what the ranks agree about."""

from __future__ import annotations

import os
import signal

import pytest

from ppocr_pse.engine.stopping import REASONS, Patience, StopRequest


def test_a_signal_is_remembered() -> None:
    with StopRequest() as stop:
        assert (stop.pending, stop.agreed(1)) == ("", "")
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.pending, stop.agreed(1)) == ("SIGTERM", "SIGTERM")
    os.kill(os.getpid(), signal.SIGTERM)  # launchers send it three times: this one comes when all is saved


@pytest.mark.parametrize("received", [None, signal.SIGINT])
def test_the_handlers_are_put_back(received: signal.Signals | None) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopRequest():
        if received is not None:
            os.kill(os.getpid(), received)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_second_interrupt_does_not_wait() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.agreed(1) == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_time_limit() -> None:
    now = [100.0]
    stop = StopRequest(max_minutes=2, clock=lambda: now[0])
    now[0] = 219.9
    assert stop.agreed(1) == ""
    now[0] = 220.0
    assert stop.agreed(2) == "Global.max_minutes"
    assert StopRequest(max_minutes=0, clock=lambda: 1e9).pending == ""


def test_what_one_rank_was_told_stops_all() -> None:
    sent: list[int] = []
    stop = StopRequest(agree=lambda code: sent.append(code) or REASONS.index("SIGTERM"))
    assert stop.agreed(7) == "SIGTERM" and sent == [0]


def test_other_ranks_are_asked_only_now_and_then() -> None:
    sent: list[int] = []
    stop = StopRequest(check_every=10, agree=lambda code: sent.append(code) or code)
    for step in range(1, 31):
        stop.agreed(step)
    assert len(sent) == 3
    stop.agreed(31, at_once=True)
    assert len(sent) == 4


@pytest.mark.parametrize(
    ("figures", "stops_after"),
    [([0.1, 0.2, 0.3, 0.4], None), ([0.1, 0.1, 0.1], 3), ([0.5, 0.4, 0.6, 0.5, 0.505], 5)],
)
def test_patience(figures: list[float], stops_after: int | None) -> None:
    patience = Patience(2, min_delta=0.01)
    for count, figure in enumerate(figures, 1):
        patience.record(figure)
        assert patience.exhausted == (count == stops_after)
    other = Patience(2, min_delta=0.01)
    other.set_state_dict(patience.state_dict())
    assert other.exhausted == patience.exhausted and other.best == patience.best


def test_no_patience_never_stops() -> None:
    patience = Patience(0)
    for _ in range(100):
        patience.record(0.0)
    assert not patience.exhausted
