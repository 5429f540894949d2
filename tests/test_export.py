"""export-model, verify-export and predict-det as a user runs them, on a real network made small."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_model
from ppocr_pse.build_deploy import build_network
from ppocr_pse.cli import main
from ppocr_pse.cli.predict_det import make_parser, open_detector
from ppocr_pse.config import load_config
from ppocr_pse.deploy.engines.base import EngineError
from ppocr_pse.deploy.probe import probe_input, relative_difference
from ppocr_pse.deploy.spec import describe_decoder, describe_preprocess, read_spec
from ppocr_pse.engine.paddle_network import PaddleNetwork
from tests.conftest import write_pictures
from tests.deploy.conftest import PROGRAM, make_network, names_in

pytestmark = pytest.mark.usefixtures("own_log")
SMALL = [
    "Global.use_gpu=false",
    "Architecture.Backbone={name: ResNet_vd, layers: 18}",
    "Architecture.Neck.out_channels=8",
    "Architecture.Head.hidden_dim=8",
    "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
    "PostProcess.box_thresh=0.5",
]
CONFIG = Path(__file__).parent.parent / "configs" / "det" / "det_r50_vd_pse.yml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """A checkpoint, its export, and the options that go with them."""
    home = tmp_path_factory.mktemp("export")
    paddle.seed(3)
    model = build_model(load_config(CONFIG, SMALL).section("Architecture"))
    model.eval()
    rng = np.random.default_rng(0)
    for name, tensor in model.state_dict().items():
        if name.endswith("_variance"):
            tensor.set_value(rng.uniform(0.5, 2.0, tensor.shape).astype(np.float32))
    model.head.conv2.weight.set_value(model.head.conv2.weight * 8.0)
    paddle.save(model.state_dict(), str(home / "best.pdparams"))
    write_pictures(home, 3, name="val.txt")
    options = [
        "-o",
        *SMALL,
        f"Global.pretrained_model={home}/best",
        f"Global.save_inference_dir={home}/inference",
        f"Eval.dataset.data_dir={home}",
        f"Eval.dataset.label_file_list=[{home}/val.txt]",
    ]
    assert main(["export-model", "-c", str(CONFIG), *options]) == 0
    return home, home / "inference", options


def test_the_export_is_complete(made: tuple[Path, Path, list[str]]) -> None:
    files = set(names_in(made[1])) - {"inference.onnx"}
    assert files == {PROGRAM, "inference.pdiparams", "inference.yml"}


def test_verifying_a_good_export(made: tuple[Path, Path, list[str]], capfd: pytest.CaptureFixture) -> None:
    arguments = ["--engines", "paddle_inference", "-c", str(CONFIG), *made[2]]
    assert main(["verify-export", *arguments]) == 0
    shown = capfd.readouterr().out
    assert "paddle_inference" in shown
    assert "on 3 pictures" in shown


def test_verifying_against_other_weights_and_settings(
    made: tuple[Path, Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    home, _, options = made
    params = paddle.load(str(home / "best.pdparams"))
    params["head.conv2.weight"] = params["head.conv2.weight"] * 1.01
    paddle.save(params, str(tmp_path / "other.pdparams"))
    arguments = ["--engines", "paddle_inference", "--count", "2", "-c", str(CONFIG), *options]
    assert main(["verify-export", *arguments, f"Global.pretrained_model={tmp_path}/other"]) == 1
    shown = capfd.readouterr().out
    assert "OFF" in shown
    assert "was exported from other weights than these" in shown
    assert main(["verify-export", *arguments, "PostProcess.box_thresh=0.6"]) == 1
    shown = capfd.readouterr().out
    assert "PostProcess: inference.yml has" in shown
    assert "OFF" not in shown


def test_verifying_a_tampered_export(
    made: tuple[Path, Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made[1], copy)
    weights = bytearray((copy / "inference.pdiparams").read_bytes())
    weights[-17] ^= 0x40
    (copy / "inference.pdiparams").write_bytes(weights)
    options = [*made[2], f"Global.save_inference_dir={copy}"]
    assert main(["verify-export", "--engines", "paddle_inference", "-c", str(CONFIG), *options]) == 1
    assert "inference.pdiparams is missing or was changed after the export" in capfd.readouterr().out


def test_an_unreadable_picture_is_named(
    made: tuple[Path, Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "broken.png").write_bytes(b"broken")
    arguments = ["--images", str(tmp_path), "--engines", "paddle_inference", "-c", str(CONFIG), *made[2]]
    assert main(["verify-export", *arguments]) == 1
    shown = capfd.readouterr().out
    assert "broken.png: not a picture" in shown
    assert "nothing was compared" in shown


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("export-model", ["Global.save_inference_dir="], "add -o Global.save_inference_dir=DIR"),
        ("verify-export", ["Global.save_inference_dir=/nowhere"], "is no exported model"),
        ("export-model", ["Global.engine=onnx"], "engine is 'onnx', expected auto or paddle"),
    ],
)
def test_wrong_calls(
    command: str, options: list[str], message: str, made: tuple[Path, Path, list[str]], capfd: pytest.CaptureFixture
) -> None:
    assert main([command, "-c", str(CONFIG), *made[2], *options]) == 2
    assert message in capfd.readouterr().err


def predict(made: tuple[Path, Path, list[str]], target: Path, *flags: str) -> int:
    source = ["--image_dir", str(made[0]), "--det_model_dir", str(made[1])]
    where = ["--use_gpu", "False", "--engine", "paddle_inference", "--draw_img_save_dir", str(target)]
    return main(["predict-det", *source, *where, *flags])


def read_results(target: Path) -> dict[str, list[dict]]:
    lines = (target / "det_results.txt").read_text(encoding="utf-8").splitlines()
    return {Path(name).name: json.loads(texts) for name, texts in (line.split("\t") for line in lines)}


def test_predicting(made: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    assert predict(made, tmp_path / "plain", "--det_algorithm", "PSE") == 0
    plain = read_results(tmp_path / "plain")
    assert list(plain) == ["val.txt_0.png", "val.txt_1.png", "val.txt_2.png"]
    assert any(plain.values())
    for text in (text for texts in plain.values() for text in texts):
        assert text.keys() == {"transcription", "points", "score"}
        assert len(text["points"]) == 4
        assert 0.5 <= text["score"] <= 1.0
    whole_run = {"det_results.txt", "det_results.run.json"}
    assert {f"det_res_{name}" for name in plain} | whole_run == set(names_in(tmp_path / "plain"))
    flags = ["--det_pse_box_thresh", "0.5", "--det_limit_side_len", "96", "--det_limit_type", "min"]
    assert predict(made, tmp_path / "same", *flags) == 0
    assert read_results(tmp_path / "same") == plain
    assert predict(made, tmp_path / "none", "--det_pse_box_thresh", "1.0") == 0
    assert not any(read_results(tmp_path / "none").values())


OVERRIDES = {
    "--det_limit_side_len": "64",
    "--det_limit_type": "max",
    "--det_pse_thresh": "0.25",
    "--det_pse_box_thresh": "0",
    "--det_pse_min_area": "0",
    "--det_pse_scale": "2",
    "--det_box_type": "poly",
}


def test_a_flag_that_is_not_given_changes_nothing(made: tuple[Path, Path, list[str]]) -> None:
    fixed = ["--image_dir", "x", "--det_model_dir", str(made[1]), "--use_gpu", "False", "--engine", "paddle_inference"]
    exported = read_spec(made[1])
    spec = open_detector(make_parser().parse_args(fixed), 1).predictor
    assert describe_decoder(spec.decoder) == describe_decoder(exported.decoder)
    assert describe_preprocess(spec.preprocess) == describe_preprocess(exported.preprocess)
    given = [part for flag in OVERRIDES.items() for part in flag]
    spec = open_detector(make_parser().parse_args([*fixed, *given]), 1).predictor
    assert describe_decoder(spec.decoder) == {
        "name": "PSEPostProcess", "thresh": 0.25, "box_thresh": 0.0, "min_area": 0, "box_type": "poly", "scale": 2,
    }  # fmt: skip
    assert (spec.preprocess.resize.limit_side_len, spec.preprocess.resize.limit_type) == (64, "max")


def test_predicting_with_a_bad_picture(made: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(made[0], photos, ignore=shutil.ignore_patterns("inference", "*.pd*"))
    (photos / "val.txt_1.png").write_bytes(b"broken")
    target = tmp_path / "out"
    assert predict(made, target, "--image_dir", str(photos)) == 1
    assert list(read_results(target)) == ["val.txt_0.png", "val.txt_2.png"]
    (line,) = (target / "det_results_errors.txt").read_text().splitlines()
    assert line.startswith(f"{photos}/val.txt_1.png\t{photos}/val.txt_1.png: not a picture")
    assert predict(made, target) == 0
    assert not (target / "det_results_errors.txt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_dir", "/nowhere"], "there is no file or folder /nowhere"),
        (["--det_model_dir", "/nowhere"], "/nowhere is no exported model"),
        (["--use_onnx", "True"], "the flags ask for several engines, onnxruntime and paddle_inference"),
        (["--det_pse_box_thresh", "3"], "box_thresh: a probability from 0 to 1 expected"),
        (["--cpu_threads", "0"], "threads is 0, expected 1 or more"),
    ],
)
def test_predicting_what_cannot_be(
    flags: list[str], message: str, made: tuple[Path, Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    assert predict(made, tmp_path / "out", *flags) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine", ["auto", "paddle_inference"])
def test_an_engine_for_a_checkpoint(engine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = load_config(CONFIG, [*SMALL, f"Global.engine={engine}"])
    model = make_network()
    with caplog.at_level(logging.INFO, "ppocr"):
        network = build_network(config, model, f"{tmp_path}/best.pdparams")
        again = build_network(config, model, f"{tmp_path}/best")
    (cache,) = names_in(tmp_path)
    assert cache.startswith("best.engine-")
    assert caplog.text.count("first use of these weights") == 1
    assert caplog.text.count("engine: ") == 2
    images = probe_input(96, 97)
    expected = PaddleNetwork(model).run(images)
    assert relative_difference(network.run(images), expected) < 1e-4
    assert (again.run(images) == network.run(images)).all()
    model.head.bias.set_value(model.head.bias + 1.0)  # other weights under the same name
    other = build_network(config, model, f"{tmp_path}/best")
    assert relative_difference(other.run(images), PaddleNetwork(model).run(images)) < 1e-4
    assert len(names_in(tmp_path)) == 2
    assert (tmp_path / cache).is_dir()


def test_a_checkpoint_whose_export_fails(
    made: tuple[Path, Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from ppocr_pse import build_deploy
    from ppocr_pse.deploy.export import ExportError

    def fail(model, spec, folder):
        raise ExportError("it is off")

    monkeypatch.setattr(build_deploy, "export_model", fail)
    for engine in ("auto", "onnxruntime"):
        config = load_config(CONFIG, [*SMALL, f"Global.engine={engine}"])
        model = make_network()
        if engine == "auto":
            assert isinstance(build_network(config, model, f"{tmp_path}/best"), PaddleNetwork)
            assert "for lack of a faster one: it is off" in caplog.text
        else:
            with pytest.raises(EngineError, match=r"Global.engine is onnxruntime: it is off"):
                build_network(config, model, f"{tmp_path}/best")
    config = load_config(CONFIG, [*SMALL, "Global.engine=paddle"])
    assert isinstance(build_network(config, model, f"{tmp_path}/best"), PaddleNetwork)
    assert not list(tmp_path.iterdir())
