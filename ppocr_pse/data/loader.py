"""Sampler, workers and collate: dataset keys to batches."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import cv2
import numpy as np
import paddle

from ppocr_pse.data.chain import TrainItem
from ppocr_pse.data.dataset import Key, PseDataset, SampleFault
from ppocr_pse.types import Batch

In = TypeVar("In")
Out = TypeVar("Out")


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
    ) -> None:
        self.shares = tuple(shares)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 1
        self.start = 0
        self.count = sum(round(number * ratio) for number, ratio in self.shares)

    def __len__(self) -> int:
        """Batches in a whole epoch (of each rank)."""
        step = self.batch_size * self.world_size
        return self.count // step if self.drop_last else -(-self.count // step)

    def set_position(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch that the next iteration goes through, and the batch that it begins with."""
        self.epoch = epoch
        self.start = start

    def order(self, epoch: int) -> list[int]:
        """Sample indices of an epoch over all ranks, in order."""
        rng = np.random.default_rng((self.seed, epoch))
        chosen: list[int] = []
        first = 0
        for number, ratio in self.shares:
            whole, rest = divmod(round(number * ratio), number) if number else (0, 0)
            indices = list(range(first, first + number))
            chosen.extend(indices * whole)
            chosen.extend(first + int(i) for i in sorted(rng.permutation(number)[:rest]))
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


def collate(items: Sequence[TrainItem | SampleFault]) -> tuple[Any, ...]:
    """Stack items; runs in the workers, hence plain tuples and arrays.

    Returns:
        image, text, kernels, mask, paths of the samples, (path, message) of the faults. When every picture of
        the batch is faulty the arrays are placeholders and there are no paths.
    """
    faults = [(item.source, item.message) for item in items if isinstance(item, SampleFault)]
    good = [item for item in items if isinstance(item, TrainItem)]
    if not good:
        return (*(np.zeros(1, np.uint8) for _ in range(4)), [], faults)
    return (
        np.stack([item.image for item in good]),
        np.stack([item.targets.text for item in good]),
        np.stack([item.targets.kernels for item in good]),
        np.stack([item.targets.mask for item in good]),
        [item.source for item in good],
        faults,
    )


PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def _start_worker(_worker: int) -> None:
    cv2.setNumThreads(0)  # the workers share the cores already
    if sys.platform == "linux":
        # a worker whose trainer was killed would wait for work for ever, holding its memory
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class TrainLoader:
    """Batches of one epoch, read by worker processes.

    Args:
        dataset: looked up by (epoch, index).
        sampler: the batches.
        num_workers: reader processes; 0 reads in this process.
        use_shared_memory: pass batches through /dev/shm.
    """

    def __init__(
        self, dataset: PseDataset, sampler: EpochSampler, num_workers: int = 4, use_shared_memory: bool = True
    ) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self._loader = paddle.io.DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=num_workers,
            use_shared_memory=use_shared_memory and num_workers > 0,
            collate_fn=collate,
            worker_init_fn=_start_worker,
            return_list=True,
        )

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return len(self.sampler)

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Go through an epoch (counted from 1), beginning with batch ``start`` (counted from 0)."""
        self.sampler.set_position(epoch, start)
        for image, text, kernels, mask, sources, faults in self._loader:
            named = tuple((str(path), str(message)) for path, message in faults)
            yield Batch(image, text, kernels, mask, tuple(sources), named)


def ordered_map(function: Callable[[In], Out], items: Iterable[In], workers: int) -> Iterator[Out]:
    """Apply a function in threads, a few items ahead, and yield the results in order.

    Args:
        function: must not raise for bad input; what it raises ends the iteration.
        items: taken lazily, so memory holds at most 2 * workers results.
        workers: threads; 0 applies the function in this thread.
    """
    if workers <= 0:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Out]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
