"""Samples by (seed, epoch, index), faults that are named, batches that do not depend on the number of workers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse.data.ahead import ordered_map
from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import RandomCropImgMask
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.chain import TrainChain, TrainItem
from ppocr_pse.data.dataset import PseDataset, SampleFault, pool_annotations
from ppocr_pse.data.labels import LabelError, read_labels
from ppocr_pse.data.loader import ReaderError, TrainLoader
from ppocr_pse.data.preprocess import DecodeImage, NormalizeImage
from ppocr_pse.data.reader.picture_cache import PictureCache, cache_bytes
from ppocr_pse.data.reader.sampler import EpochSampler
from ppocr_pse.data.targets import MakePseGt
from ppocr_pse.types import Batch, Sample


def chain(size: int = 64, fast: bool = False) -> TrainChain:
    augmenters = [{"type": "Resize", "args": {"size": [0.8, 1.5]}}, {"type": "Affine", "args": {"rotate": [-10, 10]}}]
    return TrainChain(
        DecodeImage("BGR"),
        (ColorJitter(0.1), IaaAugment(augmenters)),
        MakePseGt(size=size),
        RandomCropImgMask([size, size]),
        NormalizeImage(),
        fast,
    )


def dataset(folder: Path, seed: int = 7, fast: bool = False) -> PseDataset:
    pool = pool_annotations([read_labels(folder / "label.txt", folder)], [1.0], drop_missing=True)
    return PseDataset(pool.annotations, chain(fast=fast), seed)


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
    assert item.image.shape == (3, 64, 64) and item.image.dtype == np.uint8
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


def bits(batches: Iterable[Batch]) -> list[tuple[bytes, ...]]:
    """Everything of the batches that training sees."""
    return [
        (
            *(np.asarray(part).tobytes() for part in (b.image, b.text, b.kernels, b.mask)),
            repr((b.sources, b.faults)).encode(),
        )
        for b in batches
    ]


def test_batches_hold_the_normalised_samples_in_the_order_of_the_sampler(bars: Path) -> None:
    (bars / "label.txt_2.png").write_bytes(b"no picture")
    data = dataset(bars)
    sampler = EpochSampler([(8, 1.0)], 3, seed=1)
    batches = list(TrainLoader(data, sampler, 0)(1))
    assert [len(batch) + len(batch.faults) for batch in batches] == [3, 3, 2]
    assert sum(len(batch.faults) for batch in batches) == 1
    expected = [item for i in sampler.order(1) if isinstance(item := data[(1, i)], TrainItem)]
    images = np.concatenate([np.asarray(batch.image) for batch in batches])
    normalized = [data.chain.normalize(item.image.transpose(1, 2, 0)).transpose(2, 0, 1) for item in expected]
    np.testing.assert_array_equal(images, np.stack(normalized))
    kernels = np.concatenate([np.asarray(batch.kernels) for batch in batches])
    np.testing.assert_array_equal(kernels, np.stack([item.targets.kernels for item in expected]))
    assert [source for batch in batches for source in batch.sources] == [item.source for item in expected]


def test_bytes_are_normalised_alike_by_table_and_on_the_device() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 20)).astype(np.uint8)
    normalize = NormalizeImage(mean=[0.1, 0.2, 0.3])
    table = np.stack([normalize.planes(image, np.empty(image.shape, np.float32)) for image in images])
    np.testing.assert_array_equal(table, normalize.on_device(paddle.to_tensor(images)).numpy())


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("workers", "shared", "cache"), [(1, True, ""), (3, True, ""), (2, False, ""), (2, True, "1MB"), (0, True, "1MB")]
)
def test_batches_do_not_depend_on_how_they_are_read(
    bars: Path, workers: int, shared: bool, cache: str, fast: bool
) -> None:
    """Bit by bit, over two epochs, of two ranks, with a picture that is broken, and entered in the middle."""
    (bars / "label.txt_2.png").write_bytes(b"no picture")
    for rank in (0, 1):
        sampler = EpochSampler([(8, 2.5)], 3, seed=1, rank=rank, world_size=2)
        plain = TrainLoader(dataset(bars, fast=fast), sampler, 0)
        data = dataset(bars, fast=fast)
        if cache:
            paths = [annotation.image for annotation in data.annotations]
            data.chain = replace(data.chain, read=PictureCache(data.chain.decode.read, paths, cache_bytes(cache)))
        loader = TrainLoader(data, sampler, workers, shared)
        try:
            for epoch in (1, 2):
                expected = bits(plain(epoch))
                assert len(expected) == 4
                assert bits(loader(epoch)) == expected
                assert bits(loader(epoch, start=2)) == expected[2:]
            assert list(loader(3, start=4)) == []
        finally:
            loader.close()


def test_what_reading_took_comes_with_the_batch(bars: Path) -> None:
    data = dataset(bars)
    data.chain = replace(data.chain, read=PictureCache(data.chain.decode.read, [data.annotations[0].image], 1 << 20))
    for workers in (0, 1):
        loader = TrainLoader(data, EpochSampler([(8, 1.0)], 4), workers)
        for epoch in (1, 2):
            batches = list(loader(epoch))
            assert all(set(b.seconds) == {"decode", "augment", "targets", "collate", "wait"} for b in batches)
            assert all(seconds > 0 for batch in batches for seconds in batch.seconds.values())
            assert sum(batch.cache[0] for batch in batches) == 8
        assert sum(batch.cache[1] for batch in batches) == 1  # the one picture that the cache knows
        loader.close()


def test_a_batch_in_which_everything_is_broken(bars: Path) -> None:
    for i in range(4):
        (bars / f"label.txt_{i}.png").write_bytes(b"")
    for workers in (0, 1):
        loader = TrainLoader(dataset(bars), EpochSampler([(8, 1.0)], 4, shuffle=False), workers)
        assert [(len(batch), len(batch.faults)) for batch in loader(1)] == [(0, 4), (4, 0)]
        loader.close()


def test_an_epoch_without_a_usable_picture_ends_the_run(bars: Path) -> None:
    for i in range(8):
        (bars / f"label.txt_{i}.png").write_bytes(b"")
    loader = TrainLoader(dataset(bars), EpochSampler([(8, 1.0)], 4), 0)
    with pytest.raises(ReaderError, match=r"none of the first 8 pictures.*is empty \(0 bytes\)"):
        list(loader(1))
    loader = TrainLoader(dataset(bars), EpochSampler([(8, 50.0)], 4), 0)
    batches = loader(1)
    with pytest.raises(ReaderError, match="none of the first 100 pictures"):
        for _ in range(100):
            next(batches)


@pytest.mark.parametrize(
    "error", [AssertionError("no"), IndexError("5"), KeyError("x"), MemoryError(), RecursionError("deep")]
)
def test_whatever_a_sample_raises_is_named_and_ends_nothing(bars: Path, error: Exception) -> None:
    def policy(sample: Sample, rng: np.random.Generator) -> Sample:
        if sample.source.endswith("_3.png"):
            raise error
        return sample

    data = dataset(bars)
    data.chain = replace(data.chain, policies=(policy,))
    for workers in (0, 1):
        loader = TrainLoader(data, EpochSampler([(8, 1.0)], 3), workers)
        batches = list(loader(1))
        loader.close()
        assert sum(map(len, batches)) == 7
        ((path, message),) = [fault for batch in batches for fault in batch.faults]
        assert path.endswith("_3.png") and "label.txt:4: " in message
        if isinstance(error, MemoryError):
            assert "_3.png: not enough memory" in message
        else:
            assert re.search(rf"_3\.png: unexpected {type(error).__name__} in .*chain\.py:\d+ \(\w+\): ", message)


def test_a_blank_batch_has_the_shape_of_any_other_and_counts_nothing(bars: Path) -> None:
    loader = TrainLoader(dataset(bars), EpochSampler([(8, 1.0)], 1), 0)
    blank, real = loader.blank(), next(loader(1))
    for part in ("image", "text", "kernels", "mask"):
        assert getattr(blank, part).shape == getattr(real, part).shape
        assert getattr(blank, part).dtype == getattr(real, part).dtype
    assert len(blank) == 0 and int(blank.mask.sum()) == 0


def test_a_repeated_picture_is_not_the_same_sample_again(bars: Path) -> None:
    data = dataset(bars)
    assert data[(1, 11)].source == data[(1, 3)].source
    assert (data[(1, 11)].image != data[(1, 3)].image).any()
    assert data.name((1, 11)).endswith("label.txt_3.png (" + str(bars) + "/label.txt:4)")


def test_missing_pictures(bars: Path) -> None:
    (bars / "label.txt_2.png").unlink()
    labels = read_labels(bars / "label.txt", bars)
    kept = pool_annotations([labels], [1.0], drop_missing=True)
    assert len(kept.annotations) == 7 and len(kept.problems) == 1
    assert "label.txt:3: no picture at" in kept.problems[0]
    assert len(pool_annotations([labels], [1.0], drop_missing=False).annotations) == 8
    with pytest.raises(LabelError, match=r"none of the 8 pictures exists.*Check data_dir"):
        pool_annotations([read_labels(bars / "label.txt", bars / "elsewhere")], [1.0], drop_missing=True)


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
