"""Where the time of reading goes, in one line."""

from __future__ import annotations

import pytest

from ppocr_pse.data.reader.stages import StageMeter
from ppocr_pse.types import Batch


def batch(samples: int, wait: float, cache: tuple[int, int] = (0, 0)) -> Batch:
    seconds = {"decode": 0.012 * samples, "augment": 0.003 * samples, "targets": 0.002, "collate": 0.004, "wait": wait}
    return Batch(None, None, None, None, ("a.jpg",) * samples, (), seconds, cache)


def test_the_network_is_the_limit() -> None:
    """Batches of 4 and 2 samples in 12 s; the first, read ahead by nobody, is waited for 2 s, the other 0.01."""
    meter = StageMeter()
    meter.add(batch(4, 2.0))
    meter.add(batch(2, 0.01))
    assert meter.describe(12.0) == (
        "reader: decode 12.0 ms, augment 3.0 ms, targets 0.7 ms a sample; "
        "collate 4.0 ms, wait 10.0 ms a batch, 0% of the time: the network is the limit"
    )


@pytest.mark.parametrize(("elapsed", "limit"), [(0.99, "reader"), (1.01, "network")])
def test_a_tenth_of_the_time_spent_waiting_parts_them(elapsed: float, limit: str) -> None:
    meter = StageMeter()
    meter.add(batch(4, 0.0, (4, 0)))
    meter.add(batch(4, 0.1, (4, 3)))
    assert f"the {limit} is the limit" in meter.describe(elapsed)
    assert ", 3 of 8 pictures from the cache: " in meter.describe(elapsed)


def test_batches_that_tell_nothing() -> None:
    meter = StageMeter()
    for _ in range(3):
        meter.add(Batch(None, None, None, None))
        assert meter.describe(1.0) == ""
    assert StageMeter().describe(1.0) == ""


def test_only_faults() -> None:
    meter = StageMeter()
    for _ in range(2):
        meter.add(Batch(None, None, None, None, (), (("a.jpg", "broken"),), {"collate": 0.001, "wait": 0.1}))
    assert "decode 0.0 ms" in meter.describe(1.0)
