"""What the board makes of what ranks tell, with a clock of the test's."""

from __future__ import annotations

import signal
from typing import Any

from ppocr_pse.engine.rank_board import END_OF_RUN, JOIN_SECONDS, SETTLE_SECONDS, STACK_SECONDS, Board


def board_of(size: int = 3, rank_timeout: float = 20.0, stall_timeout: float = 100.0) -> Board:
    board = Board(size, rank_timeout, stall_timeout)
    for number in range(size):
        board.join(number, f"host{number}", 100 + number, 0.0)
    return board


def beat(board: Board, number: int, now: float, **more: Any) -> None:
    board.hear(number, more, now)


def verdict_at(board: Board, now: float) -> str:
    board.tick(now)
    return board.verdict


def test_gather_answers_all_ranks_in_order() -> None:
    board = board_of()
    for number in (2, 0):
        board.hear(number, {"gather": 1, "what": "counts", "value": number * 10}, 1.0)
        assert not board.outbox
    board.hear(1, {"gather": 1, "what": "counts", "value": 10}, 2.0)
    answers = dict(board.outbox)
    assert sorted(answers) == [0, 1, 2]
    assert all(answer == {"gathered": 1, "values": [0, 10, 20], "over": False} for answer in answers.values())


def test_ranks_that_gather_for_different_things_are_told_so() -> None:
    board = board_of(2)
    board.hear(0, {"gather": 1, "what": "counts", "value": 0}, 1.0)
    board.hear(1, {"gather": 1, "what": "faults", "value": 0}, 1.0)
    assert "rank 1 (host1, pid 101) came to 'faults' while others are at 'counts'" in verdict_at(board, 1.5)


def test_an_exception_is_told_with_its_traceback_exit_code_and_place() -> None:
    trace = "Traceback\n  line 3\nValueError: boom\n"
    board = board_of()
    board.hear(1, {"failed": trace, "error": "ValueError: boom", "code": 2, "at": "training, step 7"}, 10.0)
    assert not verdict_at(board, 9.9 + SETTLE_SECONDS)
    text = verdict_at(board, 10.0 + SETTLE_SECONDS)
    assert text.startswith(
        "rank 1 (host1, pid 101) failed with ValueError: boom (exit code 2), at training, step 7\n"
        "    Traceback\n      line 3\n    ValueError: boom\n"
    )
    assert "    rank 2 (host2, pid 102): start-up, 10.5 s ago" in text


def test_aborted_ranks_come_after_the_one_that_was_killed() -> None:
    board = board_of()
    board.hear(0, {"ended": -signal.SIGABRT, "words": ""}, 10.0)
    board.hear(1, {"ended": -signal.SIGKILL, "words": ""}, 10.1)
    assert verdict_at(board, 11.0).startswith("rank 1 (host1, pid 101) ended in the middle of the run with signal 9")


def test_the_killed_rank_comes_before_the_error_that_it_caused() -> None:
    board = board_of()
    board.hear(0, {"failed": "T\n", "error": "RuntimeError: connection reset", "code": 1}, 10.0)
    board.hear(2, {"ended": -signal.SIGKILL, "words": ""}, 10.2)
    first, second = (line for line in verdict_at(board, 11.0).splitlines() if line.startswith("rank"))
    assert first.startswith("rank 2 (host2, pid 102) ended in the middle of the run with signal 9 (SIGKILL): `kill -9`")
    assert "memory" in first
    assert "RuntimeError" in second and second.endswith("(perhaps because of the above)")


def test_a_crash_brings_its_last_words_and_an_unknown_exit_code_says_so() -> None:
    board = board_of()
    board.hear(1, {"ended": None, "words": "Fatal Python error: Segmentation fault\n  File x"}, 1.0)
    text = verdict_at(board, 2.0)
    assert "an exit code that only its parent has seen" in text
    assert "    Fatal Python error: Segmentation fault\n      File x" in text


def test_silence_counts_only_beyond_the_limit() -> None:
    board = board_of(rank_timeout=20)
    for now in range(1, 35):
        beat(board, 0, now)
        beat(board, 2, now)
        if now < 15:
            beat(board, 1, now)
        assert not verdict_at(board, now)
    board.tick(35.0)
    assert "rank 1 (host1, pid 101) has not been heard of for 21 s" in verdict_at(board, 36.0)
    assert "rank 0 (host0, pid 100) has not" not in board.verdict


def test_a_stuck_rank_is_named_and_those_that_wait_for_it_are_not() -> None:
    board = board_of(rank_timeout=1e9, stall_timeout=100)
    beat(board, 0, 1.0, at="counting", waits="counts", progress=5)
    beat(board, 2, 1.0, at="counting", waits="counts", progress=5)
    for now in range(0, 200, 10):  # rank 1 is late, but it moves
        beat(board, 1, now, at=f"picture {now}", progress=now)
        assert not verdict_at(board, now)
    beat(board, 1, 291.0, state="T")
    assert not verdict_at(board, 290.0)
    assert not verdict_at(board, 291.0)
    assert (1, {"dump": True}) in board.outbox
    board.hear(1, {"stack": "  File loop.py, line 3\n"}, 291.1)
    text = verdict_at(board, 291.0 + SETTLE_SECONDS)
    assert text.startswith("rank 1 (host1, pid 101) has not come further for 101 s; Global.stall_timeout")
    assert "at picture 190\n      File loop.py, line 3" in text
    assert "    rank 1 (host1, pid 101): picture 190, its process is stopped (SIGSTOP), 101.5 s ago" in text
    assert "rank 0 (host0, pid 100): counting, waiting for the others (counts)" in text


def test_ranks_in_the_same_step_are_all_asked_where_they_hang() -> None:
    board = board_of(rank_timeout=1e9, stall_timeout=100)
    for number, moved in enumerate((9.0, 10.0, 80.0)):
        beat(board, number, moved, at="training, step 3", progress=1)
    assert not verdict_at(board, 109.0)
    board.tick(110.0)
    assert board.outbox == [(0, {"dump": True}), (1, {"dump": True})]
    board.hear(1, {"stack": "  File data.py, in read\n"}, 110.1)
    assert not verdict_at(board, 112.0)  # rank 0 may still answer
    text = verdict_at(board, 110.0 + STACK_SECONDS)
    assert "rank 0 (host0, pid 100) has not come further for 101 s" in text
    assert "rank 1 (host1, pid 101) has not come further for 100 s" in text
    assert "      File data.py, in read\n" in text


def test_when_all_wait_nobody_is_excused() -> None:
    board = board_of(2, rank_timeout=1e9, stall_timeout=100)
    for number in (0, 1):
        beat(board, number, 1.0, waits="gradients", progress=1)
    assert not verdict_at(board, 101.0)
    board.tick(101.5)
    assert "has not come further" in verdict_at(board, 101.5 + STACK_SECONDS)


def test_a_long_wait_is_noted_ever_more_seldom() -> None:
    board = board_of(2, rank_timeout=1e9, stall_timeout=1e9)
    beat(board, 0, 0.0, waits="counts", progress=1)
    noted = []
    for now in range(1, 1001):
        beat(board, 1, now, at=f"picture {now}", progress=now)
        board.tick(now)
        noted += [now] * len(board.notices)
        last = board.notices or ["none"]
        board.notices = []
        if now == 61:
            assert last == [
                "rank 0 (host0, pid 100) has waited 61 s for the others (counts): "
                "rank 1 (host1, pid 101) is at picture 61"
            ]
    assert noted == [61, 121, 241, 481, 961]


def test_a_rank_that_never_comes() -> None:
    board = Board(2, 20.0, 100.0)
    board.join(0, "host0", 100, 1.0)
    beat(board, 0, 2.0, waits="counts", progress=1)
    beat(board, 0, JOIN_SECONDS)  # it has waited for longer than the limit for stuck ranks
    assert not verdict_at(board, JOIN_SECONDS)
    board.tick(JOIN_SECONDS + 1)
    assert verdict_at(board, JOIN_SECONDS + 2).startswith("rank 1 has not come within 300 s")


def test_a_guard_that_vanishes_is_a_failure_only_before_the_end() -> None:
    board = board_of(2)
    board.leave(1, 5.0)
    assert "vanished together with its guard" in verdict_at(board, 6.0)

    board = board_of(2)
    for number in (0, 1):
        board.hear(number, {"gather": 4, "what": END_OF_RUN, "value": None}, 5.0)
    assert board.over
    board.hear(0, {"ended": 75, "words": ""}, 6.0)
    board.leave(1, 6.0)
    assert not verdict_at(board, 1e6)


def test_a_rank_that_leaves_early_without_an_error_is_a_failure() -> None:
    board = board_of(2)
    board.hear(0, {"gather": 1, "what": END_OF_RUN, "value": None}, 5.0)
    board.hear(1, {"ended": 0, "words": ""}, 6.0)
    assert "rank 1 (host1, pid 101) ended in the middle of the run with exit code 0" in verdict_at(board, 7.0)
