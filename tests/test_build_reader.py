"""What Train.dataset and Train.loader say arrives at the reader, and what they must not say is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppocr_pse.build import build_annotations, build_train_loader
from ppocr_pse.config import load_config
from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.data.reader import memory
from ppocr_pse.data.reader.picture_cache import PictureCache
from ppocr_pse.schema import ConfigError
from tests.conftest import write_pictures
from tests.test_cli import CONFIG, ROOT, SMALL


def reader(bars: Path, *more: str, world_size: int = 1) -> TrainLoader:
    options = [f"Train.dataset.data_dir={bars}", f"Train.dataset.label_file_list=[{bars}/label.txt,{bars}/b.txt]"]
    if not (bars / "b.txt").exists():
        write_pictures(bars, 4, name="b.txt")
    config = load_config(ROOT / CONFIG, [*SMALL, *options, *more])
    return build_train_loader(config, build_annotations(config, "Train"), 0, world_size)


def test_absent_keys(bars: Path) -> None:
    loader = reader(bars)
    assert loader.dataset.chain.read is None and loader.timeout == 300.0 and loader.sampler.takes == (8, 4)
    assert loader.buffer_bytes >= 2 * 4 * 64 * 64 * (3 + 2 + 6)


def test_keys_of_the_reader(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDLE_LOCAL_SIZE", "2")
    more = ["Train.dataset.cache=4MB", "Train.dataset.weights=[1,3]", "Train.dataset.ratio_list=[2.0,1.0]"]
    loader = reader(
        bars,
        *more,
        "Train.loader.timeout=20",
        "Train.loader.use_shared_memory=false",
        "Train.loader.num_workers=3",
        world_size=2,
    )
    cache = loader.dataset.chain.read
    assert isinstance(cache, PictureCache)
    assert 2**21 - 4096 < len(cache._pixels) < 2**21  # the processes of a machine share the limit
    assert loader.sampler.takes == (5, 15)
    assert (loader.timeout, loader.num_workers, loader.buffer_bytes) == (20.0, 3, 0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("Train.dataset.cache=much", r"-o: Train\.dataset: cache is 'much', expected a size such as 2GB"),
        ("Train.dataset.weights=[1]", r"Train\.dataset: weights has 1 entries for 2 label files"),
        ("Train.dataset.weights=[0,0]", r"weights is .* leaves no picture"),
        ("Train.loader.timeout=-1", r"Train\.loader: timeout is -1, expected seconds"),
    ],
)
def test_values_that_cannot_be_used(bars: Path, option: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reader(bars, option)


def test_memory_is_looked_up_before_the_run(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 100 * memory.MB)
    reader(bars, "Train.dataset.cache=99MB")
    with pytest.raises(ConfigError, match=r"Train: reading needs \d+ MB of memory .* but 100 MB are free; lower cache"):
        reader(bars, "Train.dataset.cache=101MB")
    with pytest.raises(ConfigError, match="lower batch_size_per_card or num_workers"):
        reader(bars, "Train.loader.num_workers=2000")
