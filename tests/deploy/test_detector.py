from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest

import ppocr_pse
from ppocr_pse import Detector
from ppocr_pse.data.preprocess import DecodeImage, ImageError
from ppocr_pse.deploy.detector import PictureErrors
from ppocr_pse.deploy.engines.base import EngineError
from ppocr_pse.deploy.spec import Overrides, read_spec, write_spec
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.engine.predictor import Predictor
from ppocr_pse.schema import ConfigError
from ppocr_pse.types import Detections
from tests.deploy.conftest import make_spec

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def detector(folder: Path) -> Detector:
    return Detector(folder, engine="paddle_inference", device="cpu")


def as_lists(found: Detections) -> list:
    return [polygon.tolist() for polygon in found.polygons]


def test_it_finds_what_the_checkpoint_finds(detector: Detector, network, photos: Path) -> None:
    spec = make_spec()
    predictor = Predictor(PaddleNetwork(network), spec.preprocess, spec.decoder)
    picture = cv2.imread(str(photos / "a.png"))
    expected = predictor.detect(picture)
    found = detector.detect(picture)
    assert len(expected) > 0
    assert isinstance(found, Detections)
    assert as_lists(found) == as_lists(expected)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_arrays_paths_lists_and_folders(detector: Detector, photos: Path) -> None:
    a, b = photos / "a.png", photos / "b.png"
    one, other = detector.detect(a), detector.detect(str(b))
    assert isinstance(one, Detections)
    assert as_lists(one) != as_lists(other)
    assert as_lists(detector.detect(cv2.imread(str(a)))) == as_lists(one)
    for many in (photos, str(photos), [a, cv2.imread(str(b))], (str(a), b)):
        found = detector.detect(many)
        assert isinstance(found, list)
        assert [as_lists(each) for each in found] == [as_lists(one), as_lists(other)]
    assert detector.detect([]) == []


def test_one_bad_picture(detector: Detector, photos: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        detector.detect(photos / "none.png")
    with pytest.raises(ImageError, match="not a picture that can be decoded"):
        detector.detect(photos / "notes.txt")
    with pytest.raises(FileNotFoundError, match="holds no picture"):
        detector.detect(photos.parent)


def test_a_bad_picture_among_good_ones_loses_nothing(detector: Detector, photos: Path) -> None:
    (photos / "aa.jpg").write_bytes(b"")
    with pytest.raises(PictureErrors, match=r"1 of 3 pictures cannot be read .*aa.jpg: the picture file is empty") as e:
        detector.detect(photos)
    good = detector.detect(photos / "b.png")
    assert [result.error == "" for result in e.value.results] == [True, False, True]
    assert as_lists(e.value.results[2].detections) == as_lists(good)
    stream = list(detector.stream([photos / "missing.png", photos / "b.png"]))
    assert "No such file" in stream[0].error
    assert (stream[0].image, stream[0].detections) == (None, None)
    assert (stream[1].image == cv2.imread(str(photos / "b.png"))).all()


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)], ids=str
)
def test_other_arrays_are_refused(detector: Detector, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) in BGR"):
        detector.detect(wrong)


def test_the_description_is_all_that_it_needs(folder: Path, photos: Path, tmp_path: Path) -> None:
    """Everything but the network comes from inference.yml: a changed one changes the result, nothing else is read."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spec = read_spec(tmp_path)
    plain = Detector(tmp_path, "paddle_inference", "cpu").detect(photos / "a.png")
    strict = replace(spec, decoder=Overrides(box_thresh=0.999).apply(spec).decoder)
    write_spec(tmp_path, strict)
    assert len(Detector(tmp_path, "paddle_inference", "cpu").detect(photos / "a.png")) < len(plain)
    swapped = replace(spec, preprocess=replace(spec.preprocess, decode=DecodeImage("RGB")))
    write_spec(tmp_path, swapped)
    rgb = Detector(tmp_path, "paddle_inference", "cpu")
    picture = cv2.imread(str(photos / "a.png"))
    mirrored = Detector(folder, "paddle_inference", "cpu").detect(np.ascontiguousarray(picture[:, :, ::-1]))
    assert as_lists(rgb.detect(picture)) == as_lists(rgb.detect(photos / "a.png")) == as_lists(mirrored)
    (result,) = rgb.stream([photos / "a.png"])
    assert (result.image == picture).all()


def test_overrides(folder: Path, photos: Path, detector: Detector) -> None:
    plain = detector.detect(photos / "a.png")
    poly = Detector(folder, "paddle_inference", "cpu", overrides=Overrides(box_type="poly")).detect(photos / "a.png")
    assert len(poly) == len(plain)
    assert as_lists(poly) != as_lists(plain)
    with pytest.raises(ConfigError, match="box_thresh"):
        Detector(folder, overrides=Overrides(box_thresh=7.0))


def test_what_cannot_be_opened(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no exported model"):
        Detector(tmp_path)
    with pytest.raises(EngineError, match="expected auto, paddle"):
        Detector(folder, engine="tensorflow")
    with pytest.raises(ValueError, match="threads is -1"):
        Detector(folder, threads=-1)


def test_the_package_has_two_names() -> None:
    assert ppocr_pse.Detections is Detections
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        ppocr_pse.Trainer  # noqa: B018


BLOCKED = """
import sys
blocked = ("paddle", "imgaug", "skimage", "scipy", "shapely", "matplotlib", "paddle2onnx", "onnx", "tqdm")
blocked += ("ppocr_pse.losses", "ppocr_pse.modeling", "ppocr_pse.metrics")
blocked += tuple("ppocr_pse.engine." + name for name in ("trainer", "evaluator", "optim", "checkpoint", "runtime"))
class Wall:
    def find_spec(self, name, path=None, target=None):
        if any(name == b or name.startswith(b + ".") for b in blocked):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Wall())
from ppocr_pse import Detector
found = Detector(sys.argv[1], engine=sys.argv[2]).detect(sys.argv[3])
print([p.tolist() for p in found.polygons])
"""


def run_python(program: str, *arguments: object, environment: dict[str, str] | None = None) -> str:
    process = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_it_needs_nothing_of_training(engine: str, folder: Path, photos: Path, detector: Detector) -> None:
    for package in (engine, "paddle2onnx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    shown = run_python(BLOCKED, folder, engine, photos / "a.png")
    assert shown.strip() == str(as_lists(detector.detect(photos / "a.png")))


ON_A_PLUGIN = """
import sys
from ppocr_pse import Detector
detector = Detector(sys.argv[1])
found = detector.detect(sys.argv[2])
print([detector.engine.describe(), [p.tolist() for p in found.polygons]])
"""


def test_a_custom_device(plugin: dict[str, str], folder: Path, photos: Path, detector: Detector) -> None:
    shown = run_python(ON_A_PLUGIN, folder, photos / "a.png", environment=plugin)
    expected = as_lists(detector.detect(photos / "a.png"))
    assert shown.splitlines()[-1] == str([f"Paddle Inference {paddle.__version__}, iluvatar_gpu:0", expected])
