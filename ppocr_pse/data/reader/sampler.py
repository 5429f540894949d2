"""Which samples make up each batch of each epoch, for each rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

Key = tuple[int, int]
"""(epoch, index): what a sample is drawn for; its random numbers depend on nothing else but the seed.

Of a data set of N pictures, index i and i + N, i + 2N, ... are the same picture with other random numbers: what an
epoch that takes a picture more than once asks for.
"""


class EpochSampler:
    """Which samples make up each batch of each epoch, for each rank; the same for the same seed.

    With W ranks and batch size B, global batch k holds the k-th W*B samples of the epoch's order, and rank r takes
    its r-th part, so that W ranks with B samples see what one rank with W*B samples sees. The last batch is
    filled up from the start of the order when it cannot be shared out evenly.

    Args:
        shares: (number of samples, ratio) of each label file; an epoch draws round(number * ratio) of them.
        batch_size: samples a rank and step.
        shuffle: a new order each epoch.
        drop_last: leave out the last batch when it is not full.
        seed: of the order.
        rank: of this process.
        world_size: number of processes.
        weights: one number a label file: its part of the epoch, whose length stays what the ratios make it; None
            leaves the parts to the ratios too.

    Raises:
        ValueError: if the weights are not one number from 0 up for each file, with one above 0.
    """

    def __init__(
        self,
        shares: Sequence[tuple[int, float]],
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        weights: Sequence[float] | None = None,
    ) -> None:
        self.numbers = tuple(number for number, _ in shares)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 1
        self.start = 0
        takes = [round(number * ratio) for number, ratio in shares]
        self.takes = tuple(takes if weights is None else share_out(sum(takes), weights, self.numbers))
        self.count = sum(self.takes)

    def __len__(self) -> int:
        """Batches in a whole epoch (of each rank)."""
        step = self.batch_size * self.world_size
        return self.count // step if self.drop_last else -(-self.count // step)

    def set_position(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch that the next iteration goes through, and the batch that it begins with."""
        self.epoch = epoch
        self.start = start

    def order(self, epoch: int) -> list[int]:
        """Sample indices of an epoch over all ranks, in order; see Key for what is taken more than once."""
        rng = np.random.default_rng((self.seed, epoch))
        chosen: list[int] = []
        total, first = sum(self.numbers), 0
        for number, take in zip(self.numbers, self.takes):
            whole, rest = divmod(take, number) if number else (0, 0)
            for repeat in range(whole):
                chosen.extend(range(first + repeat * total, first + repeat * total + number))
            chosen.extend(first + whole * total + int(i) for i in sorted(rng.permutation(number)[:rest]))
            first += number
        return [chosen[i] for i in rng.permutation(len(chosen))] if self.shuffle else chosen

    def __iter__(self) -> Iterator[list[Key]]:
        """Go through the batches of this rank as lists of (epoch, index)."""
        order = self.order(self.epoch)
        step = self.batch_size * self.world_size
        for k in range(self.start, len(self)):
            part = order[k * step : (k + 1) * step]
            if len(part) % self.world_size:
                part = part + [order[i % len(order)] for i in range(self.world_size - len(part) % self.world_size)]
            each = len(part) // self.world_size
            yield [(self.epoch, index) for index in part[self.rank * each : (self.rank + 1) * each]]


def share_out(total: int, weights: Sequence[float], numbers: Sequence[int]) -> list[int]:
    """Divide the samples of an epoch among label files, by largest remainder, so that the parts add up.

    Args:
        total: samples of the epoch.
        weights: one number a file; only their proportions count.
        numbers: usable pictures of each file; a file without any gets nothing.

    Raises:
        ValueError: if the weights do not fit the files, or leave nothing.
    """
    if len(weights) != len(numbers):
        raise ValueError(f"weights has {len(weights)} entries for {len(numbers)} label files, expected one each")
    if not all(0 <= weight < float("inf") for weight in weights):
        raise ValueError(f"weights is {list(weights)}, expected numbers from 0 up")
    usable = [weight if number else 0.0 for weight, number in zip(weights, numbers)]
    if not sum(usable):
        raise ValueError(f"weights is {list(weights)}, which leaves no picture; expected one above 0")
    exact = [total * weight / sum(usable) for weight in usable]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
