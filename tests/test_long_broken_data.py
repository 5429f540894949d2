"""Training on a spoilt data set: it finishes, names every fault once, and the numbers add up."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.data.dataset import PseDataset, pool_annotations
from ppocr_pse.data.labels import read_labels
from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.data.reader.sampler import EpochSampler
from tests.conftest import write_pictures
from tests.data.test_dataset_loader import chain
from tests.spoil import Spoilt, spoil
from tests.test_cli import CONFIG, options, tool

PICTURES = 240


@pytest.fixture
def spoilt(tmp_path: Path) -> tuple[Path, Spoilt]:
    """240 pictures, of which 6 are broken, 6 have broken labels and 4 a text with one."""
    folder = tmp_path / "spoilt"
    folder.mkdir()
    label = write_pictures(folder, PICTURES, size=(64, 64))
    what = spoil(label, every=20)
    assert (len(what.pictures) + len(what.missing), len(what.lines), len(what.texts)) == (6, 6, 3)
    return folder, what


@pytest.mark.parametrize("workers", [0, 2])
def test_the_reader_names_every_fault_once_and_reads_all_the_rest(spoilt: tuple[Path, Spoilt], workers: int) -> None:
    folder, what = spoilt
    pool = pool_annotations([read_labels(folder / "label.txt", folder)], [1.0], drop_missing=True)
    problems = "\n".join(pool.problems)
    for line in (*what.lines, *what.texts):
        assert problems.count(f"label.txt:{line}: ") == 1
    for name in what.missing:
        assert problems.count(f"no picture at {folder / name}") == 1
    assert len(pool.problems) == len(what.lines) + len(what.texts) + len(what.missing)
    assert len(pool.annotations) == PICTURES - len(what.lines) - len(what.missing)

    loader = TrainLoader(
        PseDataset(pool.annotations, chain(fast=True), 7), EpochSampler(pool.shares, 8, seed=1), workers
    )
    for epoch in (1, 2):
        batches = list(loader(epoch))
        faults = [fault for batch in batches for fault in batch.faults]
        assert sorted(Path(path).name for path, _ in faults) == sorted(what.pictures)
        assert all(re.search(r"label\.txt:\d+: .*label\.txt_\d+\.png", message) for _, message in faults)
        assert not any("unexpected" in message for _, message in faults)
        read = [source for batch in batches for source in batch.sources]
        assert len(read) == len(set(read)) == len(pool.annotations) - len(what.pictures)
        assert sum(len(batch) + len(batch.faults) for batch in batches) == len(pool.annotations)
        assert all(np.isfinite(batch.image.numpy()).all() for batch in batches)
    loader.close()


@pytest.mark.long
def test_a_training_run_on_spoilt_data(spoilt: tuple[Path, Spoilt], tmp_path: Path) -> None:
    folder, what = spoilt
    write_pictures(folder, 4, name="val.txt")
    out = tmp_path / "run"
    more = ["Global.epoch_num=3", "Train.loader.num_workers=2", "Train.loader.batch_size_per_card=8"]
    text = tool("train.py", "-c", CONFIG, *options(folder, out), *more)
    for line in (*what.lines, *what.texts):
        assert text.count(f"{folder}/label.txt:{line}: ") == 1, line
    for name in (*what.pictures, *what.missing):
        assert len(re.findall(rf"label\.txt:\d+: .*{re.escape(name)}\b", text)) == 1, name
    left = PICTURES - len(what.lines) - len(what.missing)
    assert f"train on {left} pictures, {-(-left // 8)} batches an epoch" in text
    for epoch in (1, 2, 3):
        assert f"epoch {epoch}: {len(what.pictures)} of {left} pictures could not be used" in text
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert float(rows[-1]["global_step"]) == 3 * -(-left // 8)
    assert all(np.isfinite(float(row["loss"])) for row in rows if row["loss"])
    assert cv2.imread(str(out / "curves.png")) is not None
