"""Evaluation and detection with a network that finds bright areas: figures by hand, faults named, stages timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.data.dataset import pool_annotations
from ppocr_pse.data.labels import read_labels
from ppocr_pse.data.picture_files import find_pictures
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.engine.evaluator import EvaluationStopped, evaluate
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.engine.predictor import NOTHING, PictureResult, Predictor, Timing
from ppocr_pse.engine.ranks import RankWatch
from ppocr_pse.metrics import DetMetric
from ppocr_pse.postprocess import PSEDecoder


class BrightIsText:
    """Logits: +8 where the picture is bright, -8 elsewhere, the same for all seven maps."""

    def run(self, images: np.ndarray) -> np.ndarray:
        bright = np.where(images.mean(axis=1)[:, ::4, ::4] > 0.3, 8.0, -8.0)
        return np.repeat(bright[:, None], 7, 1).astype(np.float32)


def predictor() -> Predictor:
    preprocess = Preprocess(DecodeImage("BGR"), DetResizeForTest(limit_side_len=192), NormalizeImage())
    return Predictor(BrightIsText(), preprocess, PSEDecoder(thresh=0, scale=1))


def annotations(bars: Path) -> tuple:
    return pool_annotations([read_labels(bars / "label.txt", bars)], [1.0], drop_missing=False).annotations


@pytest.mark.parametrize("workers", [0, 2])
def test_everything_is_found(bars: Path, workers: int) -> None:
    metric = DetMetric()
    result = evaluate(predictor(), annotations(bars), metric, workers)
    assert (result.precision, result.recall, result.hmean) == (1.0, 1.0, 1.0)
    assert result.counts.truths == 12 and result.pictures == 8 and result.faults == ()
    assert min(result.timing.read, result.timing.preprocess, result.timing.network, result.timing.postprocess) > 0
    assert "read" in result.describe_time() and "post-process" in result.describe_time()


def test_an_unreadable_picture_counts_as_missed_and_is_named(bars: Path) -> None:
    """Two of the twelve texts lie in the broken picture: recall 10/12, precision 1."""
    (bars / "label.txt_1.png").write_bytes(b"")
    result = evaluate(predictor(), annotations(bars), DetMetric())
    assert result.recall == pytest.approx(10 / 12) and result.precision == 1.0
    assert len(result.faults) == 1 and "label.txt:2" in result.faults[0] and "label.txt_1.png" in result.faults[0]


def test_shards_add_up_to_the_whole(bars: Path) -> None:
    class OnlyMine(RankWatch):
        """A rank that hears nothing from the others."""

    whole = evaluate(predictor(), annotations(bars), DetMetric()).counts
    parts = [evaluate(predictor(), annotations(bars), DetMetric(), ranks=OnlyMine(r, 3)).counts for r in range(3)]
    assert parts[0] + parts[1] + parts[2] == whole


def test_an_evaluation_can_be_cut_short(bars: Path) -> None:
    asked: list[int] = []
    with pytest.raises(EvaluationStopped):
        evaluate(predictor(), annotations(bars), DetMetric(), stop=lambda: bool(asked.append(1)) or len(asked) == 2)
    assert len(asked) == 2


def test_a_stream_keeps_order_and_survives_broken_files(bars: Path) -> None:
    (bars / "label.txt_3.png").write_bytes(b"nothing")
    results = list(predictor().stream(find_pictures(bars), workers=2))
    assert [result.path.name for result in results] == sorted(path.name for path in bars.glob("*.png"))
    broken = [result for result in results if result.error]
    assert [result.path.name for result in broken] == ["label.txt_3.png"]
    assert broken[0].image is None and len(broken[0].detections) == 0
    assert len(predictor().detect(results[1].image)) == 2


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", "sub/c.jpg", "sub/d.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.PNG", "b.jpg", "folder.jpg"]
    every = ["a.PNG", "b.jpg", "folder.jpg", "c.jpg", "d.jpg"]
    assert [path.name for path in find_pictures(tmp_path, recursive=True)] == every
    (tmp_path / "folder.jpg" / "inside.png").symlink_to("absent.png")
    every[2] = "inside.png"  # a folder that is looked into is no fault, whatever it is called
    assert [path.name for path in find_pictures(tmp_path, recursive=True)] == every
    (tmp_path / "sub" / "empty").mkdir()
    assert find_pictures(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        find_pictures(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"holds no picture.*--recursive"):
        find_pictures(tmp_path / "sub" / "empty")


def test_the_network_goes_back_to_training(bars: Path) -> None:
    import paddle

    class Maps(paddle.nn.Layer):
        def forward(self, x: paddle.Tensor) -> dict:
            assert not self.training
            return {"maps": x}

    model = Maps()
    model.train()
    assert PaddleNetwork(model).run(np.zeros((1, 3, 8, 8), np.float32)).shape == (1, 3, 8, 8)
    assert model.training


def test_drawing_is_always_in_bgr() -> None:
    image = np.array([[[1, 2, 3]]], np.uint8)
    for mode, pixel in (("BGR", [1, 2, 3]), ("RGB", [3, 2, 1])):
        result = PictureResult(Path("a.png"), image, NOTHING, "", Timing(), img_mode=mode)
        assert result.bgr is not None and result.bgr[0, 0].tolist() == pixel
