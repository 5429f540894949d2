"""Drawings of training samples: the right maps in the right places, the same for the same epoch and number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.cli import show_batch
from ppocr_pse.visualize import draw_sample
from tests.test_cli import CONFIG, ROOT, SMALL


def run(bars: Path, out: Path, *more: str) -> int:
    options = [f"Train.dataset.data_dir={bars}", f"Train.dataset.label_file_list=[{bars}/label.txt]"]
    return show_batch.main(["-c", str(ROOT / CONFIG), "--output", str(out), *more, "-o", *SMALL, *options])


def test_panels_show_what_they_should() -> None:
    """A picture of 4 x 6 whose left half is text, kernels 6, 4 and 2 columns wide, the last row ignored."""
    image = np.full((4, 6, 3), (10, 100, 200), np.uint8)
    text, mask = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.uint8)
    text[:, :3] = 1
    mask[3] = 0
    kernels = np.zeros((3, 4, 6), np.uint8)
    for i, width in enumerate((6, 4, 2)):
        kernels[i, :, :width] = 1
    kernels[:, 0] = 0
    sheet = draw_sample(image, text, kernels, mask, "naïve title")
    assert sheet.shape == (48, 36, 3)
    picture, maps, colours, counted = (sheet[44:, i * 10 : i * 10 + 6] for i in range(4))
    np.testing.assert_array_equal(picture, image)
    np.testing.assert_array_equal(maps, np.repeat(text[:, :, None] * 255, 3, axis=2))
    assert (colours[0] == 0).all()
    inner, middle, outer = colours[1, 0], colours[1, 2], colours[1, 5]
    assert len({tuple(colour) for colour in (inner, middle, outer)}) == 3
    assert inner[1] > 200 and inner[2] > 200 and inner[0] < 80  # yellow
    assert counted[0, 0].min() > 120 and counted[3, 0].max() < 60


def test_files_are_named_and_repeat_themselves(bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bars, tmp_path / "a", "--count", "3", "--epoch", "2") == 0
    files = sorted((tmp_path / "a").iterdir())
    assert [file.name[:13] for file in files] == ["epoch2_00000_", "epoch2_00001_", "epoch2_00002_"]
    assert cv2.imread(str(files[0])).shape == (64 + 44, 4 * 64 + 12, 3)
    printed = capsys.readouterr().out
    assert all(str(file) in printed for file in files) and "label.txt:" in printed
    assert run(bars, tmp_path / "b", "--count", "2", "--epoch", "2", "--first", "1") == 0
    assert [(file.name, file.read_bytes()) for file in sorted((tmp_path / "b").iterdir())] == [
        (file.name, file.read_bytes()) for file in files[1:]
    ]
    assert run(bars, tmp_path / "c", "--count", "1") == 0
    assert next((tmp_path / "c").iterdir()).read_bytes() != files[0].read_bytes()


def test_it_draws_what_training_reads(bars: Path, tmp_path: Path) -> None:
    """The picture of sample 0, normalised, is the first picture of the first batch."""
    from ppocr_pse.build import build_annotations, build_train_loader
    from ppocr_pse.config import load_config

    assert run(bars, tmp_path, "--count", "1") == 0
    drawn = cv2.imread(str(next(tmp_path.glob("epoch1_00000_*.png"))))[44:, :64]
    options = [*SMALL, f"Train.dataset.data_dir={bars}", f"Train.dataset.label_file_list=[{bars}/label.txt]"]
    config = load_config(ROOT / CONFIG, options)
    loader = build_train_loader(config, build_annotations(config, "Train"))
    batches = loader(1)
    image = next(batches).image.numpy()[0]
    batches.close()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(loader.dataset.chain.normalize(drawn).transpose(2, 0, 1), image)


def test_faults_are_told_and_give_exit_code_1(bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bars / "label.txt_2.png").write_bytes(b"")
    assert run(bars, tmp_path, "--count", "8") == 1
    assert len(list(tmp_path.glob("epoch1_*.png"))) == 7
    assert "label.txt_2.png: the picture file is empty" in capsys.readouterr().err


def test_nothing_to_draw_or_nowhere_to_write(bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bars, tmp_path, "--first", "8") == 2
    assert "epoch 1 has 8 samples" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run(bars, tmp_path / "file" / "x") == 2
    assert "error: " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run(bars, tmp_path, "--count", "0")
