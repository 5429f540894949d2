"""Which samples an epoch takes: ratios, weights, ranks, the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pse.data.reader.sampler import EpochSampler, share_out


def test_ranks_share_a_batch_as_one_rank_would_have_it() -> None:
    one = list(EpochSampler([(23, 1.0)], 4, seed=5))
    two = [list(EpochSampler([(23, 1.0)], 2, seed=5, rank=rank, world_size=2)) for rank in (0, 1)]
    assert len(two[0]) == len(two[1]) == len(one)
    for both, a, b in zip(one[:-1], *two):
        assert a + b == both
    assert set(one[-1]) <= set(two[0][-1] + two[1][-1]) and len(two[0][-1]) == len(two[1][-1])


def test_ratios_take_a_part_or_repeat() -> None:
    """Half of 10 pictures and 2.5 times 4: 5 + 10 samples, each of the 4 two or three times."""
    sampler = EpochSampler([(10, 0.5), (4, 2.5)], 3, seed=2)
    order = sampler.order(1)
    assert len(order) == sampler.count == 15
    assert len({i for i in order if i < 10}) == 5
    pictures = [i % 14 for i in order]
    counts = [pictures.count(i) for i in range(10, 14)]
    assert sum(counts) == 10 and sorted(counts) == [2, 2, 3, 3]
    assert {i for i in sampler.order(2) if i < 10} != {i for i in order if i < 10}


def test_a_repeated_picture_is_asked_for_with_other_random_numbers() -> None:
    order = EpochSampler([(3, 2.0), (2, 1.0)], 3, seed=2).order(1)
    assert sorted(order) == [0, 1, 2, 3, 4, 5, 6, 7]  # 5, 6, 7 are pictures 0, 1, 2 once more
    assert len(set(EpochSampler([(4, 2.5)], 3).order(7))) == 10


def test_drop_last_and_no_shuffle() -> None:
    sampler = EpochSampler([(7, 1.0)], 3, shuffle=False, drop_last=True)
    assert [[i for _, i in batch] for batch in sampler] == [[0, 1, 2], [3, 4, 5]]


def test_weights_part_an_epoch_of_the_same_length() -> None:
    """Weights 3 to 1 over files of 4 and 8 pictures: 9 and 3 of the 12 samples."""
    sampler = EpochSampler([(4, 1.0), (8, 1.0)], 5, seed=1, weights=[3, 1])
    assert (sampler.takes, sampler.count, len(sampler)) == ((9, 3), 12, 3)
    pictures = [i % 12 for i in sampler.order(1)]
    assert sorted(pictures.count(i) for i in range(4)) == [2, 2, 2, 3]
    assert sum(i >= 4 for i in pictures) == 3
    seen = {i % 12 for epoch in range(1, 30) for i in sampler.order(epoch)}
    assert seen == set(range(12))  # every picture has its turn


def test_weights_go_with_ratios_which_set_the_length() -> None:
    assert EpochSampler([(10, 2.0), (10, 1.0)], 4, weights=[1, 1]).takes == (15, 15)
    assert EpochSampler([(0, 1.0), (10, 1.0)], 4, weights=[1, 1]).takes == (0, 10)  # nothing usable in the first


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1], "1 entries for 2 label files"), ([1, -1], "numbers from 0 up"), ([0, 0], "leaves no picture")],
)
def test_weights_that_cannot_be_used(weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpochSampler([(4, 1.0), (8, 1.0)], 5, weights=weights)
    with pytest.raises(ValueError, match="numbers from 0 up"):
        share_out(3, [float("nan")], [3])


def test_shares_go_by_largest_remainder() -> None:
    """2.6 and 7.4 of 10; a third of 10 each."""
    assert share_out(10, [0.26, 0.74], [5, 5]) == [3, 7]
    assert share_out(10, [1, 1, 1], [5, 5, 5]) == [4, 3, 3]


@given(st.integers(0, 500), st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6))
def test_shares_add_up_and_are_within_one_of_the_exact_part(total: int, weights: list[float]) -> None:
    parts = share_out(total, weights, [1] * len(weights))
    assert sum(parts) == total
    assert all(abs(part - total * weight / sum(weights)) < 1.0 + 1e-6 for part, weight in zip(parts, weights))
