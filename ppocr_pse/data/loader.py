"""Training batches from samples, made in this process or in others."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle

from ppocr_pse.data.augment.crops import EastRandomCropData
from ppocr_pse.data.chain import TrainChain, TrainItem
from ppocr_pse.data.dataset import PseDataset, SampleFault
from ppocr_pse.data.reader.picture_cache import PictureCache
from ppocr_pse.data.reader.sampler import EpochSampler
from ppocr_pse.data.reader.stages import StageClock
from ppocr_pse.data.reader.workers import BATCHES_AHEAD, DEFAULT_TIMEOUT, Job, ReaderError, WorkerPool
from ppocr_pse.types import Batch

__all__ = ["EpochSampler", "ReaderError", "TrainLoader", "collate", "sample_size"]

Four = tuple[Any, Any, Any, Any]  # image, text map, kernels, mask
HOPELESS = 100
"""An epoch that begins with so many pictures of which none can be used is given up."""


@dataclass(frozen=True)
class Read:
    """What belongs to the arrays of a batch.

    Attributes:
        sources: path of each sample.
        faults: the pictures that could not be used.
        seconds: time by stage, summed over the samples.
        cache: (pictures asked of the cache, answered by it).
    """

    sources: tuple[str, ...]
    faults: tuple[SampleFault, ...]
    seconds: dict[str, float]
    cache: tuple[int, int] = (0, 0)


def collate(
    items: Sequence[TrainItem | SampleFault], empty: Callable[..., npt.NDArray[Any]] = np.empty
) -> tuple[tuple[npt.NDArray[Any], ...], Read]:
    """Stack items.

    Args:
        items: of one batch, all of one size.
        empty: makes the arrays.

    Returns:
        (image, text, kernels, mask), none of them when every picture of the batch is faulty; and the rest.
    """
    clock = StageClock()
    faults = tuple(item for item in items if isinstance(item, SampleFault))
    good = [item for item in items if isinstance(item, TrainItem)]
    parts = [(item.image, item.targets.text, item.targets.kernels, item.targets.mask) for item in good]
    arrays = tuple(_stack(same, empty) for same in zip(*parts))
    clock.lap("collate")
    for item in good:
        for stage, seconds in item.seconds.items():
            clock.seconds[stage] = clock.seconds.get(stage, 0.0) + seconds
    return arrays, Read(tuple(item.source for item in good), faults, clock.seconds)


def _stack(arrays: Sequence[npt.NDArray[Any]], empty: Callable[..., npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), arrays[0].dtype))


def sample_size(chain: TrainChain) -> tuple[int, int]:
    """Height and width of every sample that a chain makes."""
    if chain.crop is not None:
        height, width = chain.crop.size  # type: ignore[misc]  # an int is made a pair when it is constructed
    else:
        width, height = next(step.size for step in chain.policies if isinstance(step, EastRandomCropData))
    return int(height), int(width)


class TrainLoader:
    """Batches of an epoch, the same for any number of workers, on the current device.

    Args:
        dataset: looked up by (epoch, index).
        sampler: the batches.
        num_workers: reader processes; 0 reads in this process, which cannot notice that it hangs.
        use_shared_memory: pass batches through shared memory; otherwise through pipes, which takes longer.
        timeout: seconds after which a reader process that does not get on counts as hung; 0 for 300.
    """

    def __init__(
        self,
        dataset: PseDataset,
        sampler: EpochSampler,
        num_workers: int = 4,
        use_shared_memory: bool = True,
        timeout: float = 0.0,
    ) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self.num_workers = num_workers
        self.timeout = timeout or DEFAULT_TIMEOUT
        self.use_shared_memory = use_shared_memory
        self._pool: WorkerPool | None = None

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return len(self.sampler)

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Go through an epoch (counted from 1), beginning with batch ``start`` (counted from 0).

        Raises:
            ReaderError: if a reader process died, hung or failed, or no picture can be used.
        """
        self.sampler.set_position(epoch, start)
        faults: list[SampleFault] = []
        good = 0
        with closing(self._batches()) as batches:
            while True:
                asked = time.perf_counter()
                made = next(batches, None)
                if made is None:
                    break
                tensors, read = made
                good += len(read.sources)
                faults.extend(read.faults if not good else ())
                if not good and len(faults) >= HOPELESS:
                    raise ReaderError(_hopeless(faults))
                named = tuple((fault.source, fault.message) for fault in read.faults)
                seconds = {**read.seconds, "wait": time.perf_counter() - asked}
                yield Batch(*tensors, read.sources, named, seconds, read.cache)
        if faults and not good and not start:
            raise ReaderError(_hopeless(faults))

    @property
    def buffer_bytes(self) -> int:
        """Shared memory for the batches on their way."""
        return self.num_workers * BATCHES_AHEAD * self._slot_bytes()

    def blank(self) -> Batch:
        """One black sample of which no pixel counts, for a rank whose own batch cannot be used."""
        height, width = sample_size(self.dataset.chain)
        maps = len(self.dataset.chain.targets.rates)
        shapes = ((1, *channels, height, width) for channels in ((3,), (), (maps,), ()))
        return Batch(*self._on_device([np.zeros(shape, np.uint8) for shape in shapes]))

    def close(self) -> None:
        """End the reader processes; the next epoch starts new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _batches(self) -> Generator[tuple[Four, Read], None, None]:
        job = Job(self.dataset.__getitem__, self._collate, self.dataset.name)
        if not self.num_workers:
            for keys in self.sampler:
                arrays, read = job.here(keys)
                yield self._on_device(arrays), read
            return
        if self._pool is None or not self._pool.pids:
            self._pool = WorkerPool(job, self.num_workers, self._slot_bytes(), self.timeout)
        yield from self._pool.run(self.sampler, lambda arrays, read: (self._on_device(arrays), read))

    def _collate(self, items: Sequence[TrainItem | SampleFault], empty: Callable[..., npt.NDArray[Any]]) -> Any:
        arrays, read = collate(items, empty)
        cache = self.dataset.chain.read
        return arrays, replace(read, cache=cache.take_counts()) if isinstance(cache, PictureCache) else read

    def _on_device(self, arrays: Sequence[npt.NDArray[Any]]) -> Four:
        if not arrays:
            return None, None, None, None
        image, text, kernels, mask = arrays
        normalize = self.dataset.chain.normalize
        # tensors are copies: the arrays' memory is used again
        if paddle.device.get_device() == "cpu":
            room = np.empty(image.shape, np.float32)
            for sample, normalized in zip(image, room):
                normalize.planes(sample, normalized)  # several times as fast as Paddle's arithmetic there
            pixels = paddle.to_tensor(room)
        else:
            pixels = normalize.on_device(paddle.to_tensor(image))
        return pixels, *map(paddle.to_tensor, (text, kernels, mask))

    def _slot_bytes(self) -> int:
        height, width = sample_size(self.dataset.chain)
        bytes_a_pixel = 3 + 2 + len(self.dataset.chain.targets.rates)  # image, text map and mask, kernels
        room = self.sampler.batch_size * height * width * bytes_a_pixel
        return room + 4 * 64 if self.use_shared_memory else 0  # each array starts at a multiple of 64


def _hopeless(faults: Sequence[SampleFault]) -> str:
    first = "; ".join(fault.message for fault in faults[:3])
    return f"none of the first {len(faults)} pictures of the epoch can be used, so something is wrong with all: {first}"
