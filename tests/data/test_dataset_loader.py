"""Samples by (seed, epoch, index), faults that are named, batches that do not depend on the number of workers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.data.augment import ColorJitter, IaaAugment, RandomCropImgMask
from ppocr_pse.data.chain import TrainChain, TrainItem
from ppocr_pse.data.dataset import PseDataset, SampleFault, pool_annotations
from ppocr_pse.data.labels import LabelError, read_labels
from ppocr_pse.data.loader import EpochSampler, TrainLoader, ordered_map
from ppocr_pse.data.preprocess import DecodeImage, NormalizeImage
from ppocr_pse.data.targets import MakePseGt


def chain(size: int = 64) -> TrainChain:
    augmenters = [{"type": "Resize", "args": {"size": [0.8, 1.5]}}, {"type": "Affine", "args": {"rotate": [-10, 10]}}]
    return TrainChain(
        DecodeImage("BGR"),
        (ColorJitter(0.1), IaaAugment(augmenters)),
        MakePseGt(size=size),
        RandomCropImgMask([size, size]),
        NormalizeImage(),
    )


def dataset(folder: Path, seed: int = 7) -> PseDataset:
    pool = pool_annotations([read_labels(folder / "label.txt", folder)], [1.0], drop_missing=True)
    return PseDataset(pool.annotations, chain(), seed)


def test_a_sample_depends_on_seed_epoch_and_index_only(bars: Path) -> None:
    data = dataset(bars)
    first = data[(1, 3)]
    data[(1, 4)], data[(2, 3)]
    again = dataset(bars)[(1, 3)]
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.targets.kernels, again.targets.kernels)
    assert (data[(2, 3)].image != first.image).any()
    assert (dataset(bars, seed=8)[(1, 3)].image != first.image).any()


def test_shapes_and_types(bars: Path) -> None:
    item = dataset(bars)[(1, 1)]
    assert item.image.shape == (3, 64, 64) and item.image.dtype == np.float32
    assert item.targets.kernels.shape == (7, 64, 64) and item.targets.kernels.dtype == np.uint8
    assert item.targets.text.any()


def test_a_picture_without_text_is_a_sample(bars: Path) -> None:
    item = dataset(bars)[(1, 0)]
    assert isinstance(item, TrainItem)
    assert item.targets.text.sum() == 0 and item.targets.mask.min() == 1


def test_a_broken_picture_is_a_named_fault_and_nothing_takes_its_place(bars: Path) -> None:
    (bars / "label.txt_2.png").write_bytes(b"no picture")
    fault = dataset(bars)[(1, 2)]
    assert isinstance(fault, SampleFault)
    assert "label.txt_2.png" in fault.source and "label.txt:3" in fault.message


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_do_not_depend_on_the_number_of_workers(bars: Path, workers: int) -> None:
    (bars / "label.txt_2.png").write_bytes(b"no picture")
    data = dataset(bars)
    sampler = EpochSampler([(8, 1.0)], 3, seed=1)
    loader = TrainLoader(data, sampler, workers)
    for epoch in (1, 2):
        batches = list(loader(epoch))
        assert [len(batch) + len(batch.faults) for batch in batches] == [3, 3, 2]
        assert sum(len(batch.faults) for batch in batches) == 1
        order = sampler.order(epoch)
        expected = [data[(epoch, i)] for i in order]
        images = np.concatenate([np.asarray(batch.image) for batch in batches])
        np.testing.assert_array_equal(images, np.stack([e.image for e in expected if isinstance(e, TrainItem)]))
        assert [s for b in batches for s in b.sources] == [e.source for e in expected if isinstance(e, TrainItem)]


def test_a_batch_in_which_everything_is_broken(bars: Path) -> None:
    for i in range(8):
        (bars / f"label.txt_{i}.png").write_bytes(b"")
    for workers in (0, 1):
        batches = list(TrainLoader(dataset(bars), EpochSampler([(8, 1.0)], 4), workers)(1))
        assert [(len(batch), len(batch.faults)) for batch in batches] == [(0, 4), (0, 4)]


def test_an_epoch_can_be_entered_in_the_middle(bars: Path) -> None:
    loader = TrainLoader(dataset(bars), EpochSampler([(8, 1.0)], 2, seed=1), 1)
    whole = [batch.sources for batch in loader(3)]
    assert [batch.sources for batch in loader(3, start=2)] == whole[2:]
    assert list(loader(3, start=4)) == []


def test_ranks_share_a_batch_as_one_rank_would_have_it() -> None:
    one = list(EpochSampler([(23, 1.0)], 4, seed=5))
    two = [list(EpochSampler([(23, 1.0)], 2, seed=5, rank=rank, world_size=2)) for rank in (0, 1)]
    assert len(two[0]) == len(two[1]) == len(one)
    for both, a, b in zip(one[:-1], *two):
        assert a + b == both
    assert set(one[-1]) <= set(two[0][-1] + two[1][-1]) and len(two[0][-1]) == len(two[1][-1])


def test_ratios_take_a_part_or_repeat() -> None:
    sampler = EpochSampler([(10, 0.5), (4, 2.5)], 3, seed=2)
    order = sampler.order(1)
    assert len(order) == sampler.count == 15
    assert len({i for i in order if i < 10}) == 5
    counts = [order.count(i) for i in range(10, 14)]
    assert sum(counts) == 10 and min(counts) == 2 and max(counts) == 3
    assert {i for i in sampler.order(2) if i < 10} != {i for i in order if i < 10}


def test_drop_last_and_no_shuffle() -> None:
    sampler = EpochSampler([(7, 1.0)], 3, shuffle=False, drop_last=True)
    assert [[i for _, i in batch] for batch in sampler] == [[0, 1, 2], [3, 4, 5]]


def test_missing_pictures(bars: Path) -> None:
    (bars / "label.txt_2.png").unlink()
    labels = read_labels(bars / "label.txt", bars)
    kept = pool_annotations([labels], [1.0], drop_missing=True)
    assert len(kept.annotations) == 7 and len(kept.problems) == 1
    assert "label.txt:3: no picture at" in kept.problems[0]
    assert len(pool_annotations([labels], [1.0], drop_missing=False).annotations) == 8
    with pytest.raises(LabelError, match=r"none of the 8 pictures exists.*Check data_dir"):
        pool_annotations([read_labels(bars / "label.txt", bars / "elsewhere")], [1.0], drop_missing=True)


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_workers_die_with_a_killed_trainer(bars: Path) -> None:
    script = textwrap.dedent(
        """
        import multiprocessing, sys, time
        from pathlib import Path
        from ppocr_pse.data.loader import EpochSampler, TrainLoader
        from tests.data.test_dataset_loader import dataset
        batches = TrainLoader(dataset(Path(sys.argv[1])), EpochSampler([(8, 1.0)], 2), 2)(1)
        next(batches)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
        """
    )
    root = Path(__file__).parent.parent.parent
    arguments = [sys.executable, "-c", script, str(bars)]
    with subprocess.Popen(arguments, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, f"workers {workers} outlived their trainer"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_ordered_map_keeps_the_order_and_runs_only_a_little_ahead(workers: int) -> None:
    taken: list[int] = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    def slow(i: int) -> int:
        time.sleep(0.002 * (i % 3))
        return i * i

    results = ordered_map(slow, items(), workers)
    assert next(results) == 0
    assert len(taken) <= 2 * workers + 1
    assert list(results) == [i * i for i in range(1, 50)]
