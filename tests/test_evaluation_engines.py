"""Global.engine in eval and in the evaluations of train: every engine counts what Paddle counts."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse import build_deploy
from ppocr_pse.build import build_model
from ppocr_pse.build_deploy import TrainedNetwork
from ppocr_pse.cli import main
from ppocr_pse.config import load_config
from ppocr_pse.deploy.engines.base import EngineError
from ppocr_pse.deploy.engines.choose import NEEDS_ONNX
from ppocr_pse.deploy.export import ExportError
from ppocr_pse.deploy.probe import probe_input, relative_difference
from ppocr_pse.engine.paddle_network import PaddleNetwork
from tests.conftest import ROOT, write_pictures
from tests.deploy.conftest import make_network, names_in

CONFIG = ROOT / "configs" / "det" / "det_r50_vd_pse.yml"
pytestmark = pytest.mark.usefixtures("own_log")
SMALL = [
    "Global.use_gpu=false",
    "Architecture.Backbone={name: ResNet_vd, layers: 18}",
    "Architecture.Neck.out_channels=8",
    "Architecture.Head.hidden_dim=8",
    "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
    "PostProcess.box_thresh=0.5",
]
Home = tuple[Path, list[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A checkpoint of a small network, and the options that evaluate it on three pictures."""
    home = tmp_path_factory.mktemp("engines")
    paddle.seed(3)
    model = build_model(load_config(CONFIG, SMALL).section("Architecture"))
    model.head.conv2.weight.set_value(model.head.conv2.weight * 8.0)
    paddle.save(model.state_dict(), str(home / "best.pdparams"))
    write_pictures(home, 3, name="val.txt")
    data = [f"Eval.dataset.data_dir={home}", f"Eval.dataset.label_file_list=[{home}/val.txt]"]
    return home, ["-c", str(CONFIG), "-o", *SMALL, *data, f"Global.checkpoints={home}/best"]


def counts(home: Home, engine: str, capfd: pytest.CaptureFixture) -> tuple[str, str]:
    """What eval counted, and the engine that it says it used."""
    assert main(["eval", *home[1], f"Global.engine={engine}"]) == 0
    said = "".join(capfd.readouterr())
    counted = re.search(r"texts: \d+, detections: [1-9]\d*, matched: \d+", said)
    assert counted, said
    used = re.search(r"engine: (\w+)", said)
    return counted[0], used[1] if used else "paddle"


@pytest.mark.parametrize("engine", ["paddle_inference", "onnxruntime", "openvino", "auto"])
def test_eval_counts_the_same_with_every_engine(engine: str, home: Home, capfd: pytest.CaptureFixture) -> None:
    for package in (engine, "paddle2onnx") if engine in NEEDS_ONNX else ():
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    expected, _ = counts(home, "paddle", capfd)
    counted, used = counts(home, engine, capfd)
    assert counted == expected
    assert used == engine or (engine == "auto" and used != "paddle")


def test_eval_with_an_engine_that_cannot_be_used(
    home: Home, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert main(["eval", *home[1], "Global.engine=openvino"]) == 2
    assert "Global.engine is openvino: " in capfd.readouterr().err


def trained(home: Home, folder: Path, engine: str, model: paddle.nn.Layer) -> TrainedNetwork:
    config = load_config(CONFIG, [*SMALL, f"Global.engine={engine}", f"Global.save_model_dir={folder}"])
    return TrainedNetwork(config, model, [Path("absent.png"), *sorted(home[0].glob("*.png"))])


def test_evaluations_in_training_run_the_weights_of_now(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paddle.set_device("cpu")
    monkeypatch.setattr(build_deploy, "LEAST_SECONDS", 0.0)
    model = make_network()
    model.train()
    evaluated = trained(home, tmp_path, "auto", model)
    images = probe_input(96, 97)
    for _ in range(2):
        with evaluated.opened() as network:
            assert not isinstance(network, PaddleNetwork)
            assert relative_difference(network.run(images), PaddleNetwork(model).run(images)) < 1e-4
        assert names_in(tmp_path) == []
        assert model.training and evaluated.engine not in ("auto", "paddle")
        model.head.bias.set_value(model.head.bias + 1.0)


@pytest.mark.parametrize(("engine", "least"), [("auto", 30.0), ("paddle", 0.0)])
def test_what_is_too_quick_or_asked_for_stays_with_paddle(
    engine: str, least: float, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paddle.set_device("cpu")
    monkeypatch.setattr(build_deploy, "LEAST_SECONDS", least)
    with trained(home, tmp_path, engine, make_network()).opened() as network:
        assert isinstance(network, PaddleNetwork)


def test_a_failing_export_does_not_end_training(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paddle.set_device("cpu")
    model = make_network()
    evaluated = trained(home, tmp_path, "paddle_inference", model)
    model.head.bias.set_value(np.full(7, np.nan, np.float32))
    with evaluated.opened() as network:
        assert isinstance(network, PaddleNetwork)
    assert "this evaluation is run by paddle, the slow engine: " in caplog.text
    assert names_in(tmp_path) == []

    def fail(model: object, spec: object, folder: object) -> None:
        raise ExportError("it is off")

    monkeypatch.setattr(build_deploy, "export_model", fail)
    with pytest.raises(EngineError, match=r"Global.engine is paddle_inference: it is off"):
        trained(home, tmp_path, "paddle_inference", make_network())


def test_a_fault_of_an_evaluation_is_not_taken_for_one_of_the_engine(home: Home, tmp_path: Path) -> None:
    paddle.set_device("cpu")
    evaluated = trained(home, tmp_path, "paddle_inference", make_network())
    with pytest.raises(OSError, match="disk"), evaluated.opened():
        raise OSError("disk")
    assert names_in(tmp_path) == []
