"""The detector in the box: it is found, its files belong together, and every engine finds text with it."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import paddle
import pytest
import yaml

from ppocr_pse.build import build_model
from ppocr_pse.build_deploy import build_network, build_spec
from ppocr_pse.config import load_config
from ppocr_pse.deploy import box
from ppocr_pse.deploy.box import NAME, box_folder
from ppocr_pse.deploy.cache import is_whole
from ppocr_pse.deploy.detector import Detector
from ppocr_pse.deploy.digests import weights_digest
from ppocr_pse.deploy.engines.base import DeployError, EngineError, Exported, Place
from ppocr_pse.deploy.engines.choose import ENGINES
from ppocr_pse.deploy.spec import Overrides, describe_decoder, describe_preprocess, read_spec
from ppocr_pse.engine.checkpoint import load_params
from ppocr_pse.engine.weights import load_into
from tests.test_cli import ROOT

PHOTOS = ROOT / "examples" / "photos"
FILES = {
    f"{NAME}.pdparams", f"{NAME}.yml", "inference.json", "inference.onnx", "inference.pdiparams", "inference.pdmodel",
    "inference.yml", "README.md",
}  # fmt: skip
SMALLER = Overrides(limit_side_len=640, limit_type="max")
ON_CPU = [name for name in ENGINES if name != "paddle_tensorrt"]


@pytest.fixture(scope="module")
def model() -> paddle.nn.Layer:
    config = load_config(ROOT / "configs" / "det" / "det_mv3_pse.yml")
    model = build_model(config.section("Architecture"))
    load_into(model, load_params(str(box_folder() / NAME)), NAME)
    model.eval()
    return model


def test_it_is_found_in_a_clone_and_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert box_folder() == ROOT / "pretrain_models" / NAME
    package = tmp_path / "ppocr_pse"
    monkeypatch.setattr(box, "__file__", str(package / "deploy" / "box.py"))
    with pytest.raises(
        DeployError, match=r"is not there: neither .*ppocr_pse/pretrain_models.* install ppocr-pse again"
    ):
        box_folder()
    installed = package / "pretrain_models" / NAME
    installed.mkdir(parents=True)
    (installed / "inference.yml").touch()
    assert box_folder() == installed


def test_its_files_belong_together(model: paddle.nn.Layer) -> None:
    folder = box_folder()
    assert {file.name for file in folder.iterdir() if file.is_file()} == FILES
    assert is_whole(folder)
    facts = read_spec(folder).facts
    assert facts.weights == weights_digest(model.state_dict())
    assert set(facts.files) == {name for name in FILES if name.startswith("inference.")} - {"inference.yml"}
    assert max(facts.differences.values()) < 1e-4
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((folder / f"{NAME}.pdparams").read_bytes()).hexdigest() in card


def test_its_configuration_is_that_of_its_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it names no file outside its folder
    config = load_config(box_folder() / f"{NAME}.yml")
    assert Path(str(config.settings.pretrained_model)) == box_folder() / NAME
    described, exported = build_spec(config), read_spec(box_folder())
    assert describe_decoder(described.decoder) == describe_decoder(exported.decoder)
    assert describe_decoder(exported.decoder)["box_thresh"] == 0.88
    assert describe_preprocess(described.preprocess) == describe_preprocess(exported.preprocess)


def test_its_checkpoint_runs_by_its_own_export(model: paddle.nn.Layer, tmp_path: Path) -> None:
    paddle.set_device("cpu")
    before = sorted(box_folder().iterdir())
    config = load_config(box_folder() / f"{NAME}.yml", ["Global.engine=paddle_inference"])
    network = build_network(config, model, str(box_folder() / NAME))
    assert getattr(network, "name", "") == "paddle_inference"
    assert sorted(box_folder().iterdir()) == before


@pytest.mark.parametrize("engine", ON_CPU)
def test_it_finds_text_with_every_engine(engine: str) -> None:
    package = {"onnxruntime": "onnxruntime", "openvino": "openvino", "openvino_bf16": "openvino"}.get(engine, "paddle")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    try:
        opened = ENGINES[engine](Exported(box_folder()), Place("cpu", 1))
    except EngineError as error:
        if "no bfloat16" not in str(error):
            raise
        pytest.skip(str(error))
    probe = read_spec(box_folder()).probe
    assert probe is not None
    probe.check(opened)
    found = Detector(box_folder(), engine, "cpu", overrides=SMALLER).detect(cv2.imread(str(PHOTOS / "car_park.jpg")))
    middles = [tuple(polygon.mean(axis=0)) for polygon in found.polygons]
    for word in ((140, 100), (140, 195), (755, 100)):  # PAY, HERE, Max
        assert any(abs(x - word[0]) < 20 and abs(y - word[1]) < 20 for x, y in middles), (word, middles)


def test_no_photograph_is_named_without_its_source() -> None:
    told = (PHOTOS / "README.md").read_text(encoding="utf-8")
    pictures = sorted(PHOTOS.glob("*.jpg"))
    assert len(pictures) >= 6
    assert all(f"`{picture.name}`" in told for picture in pictures)
    assert sum(picture.stat().st_size for picture in pictures) < 1_500_000


def test_the_build_copies_the_box() -> None:
    """What `setup.py` would put into the package, without building it."""
    pytest.importorskip("setuptools", reason="only what builds the package needs it")
    program = (
        "import runpy, setuptools\n"
        "kept = {}\n"
        "setuptools.setup = lambda **given: kept.update(given)\n"
        "runpy.run_path('setup.py')\n"
        "command = kept['cmdclass']['build_py'](setuptools.Distribution())\n"
        "command.build_lib, command.editable_mode = 'B', False\n"
        "print(*command.box_files().values(), sep='\\n')\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert set(shown.stdout.split()) == {f"B/ppocr_pse/pretrain_models/{NAME}/{name}" for name in FILES}


@pytest.mark.long
def test_wheel_and_sdist_hold_it(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path / "out")]
    subprocess.run([*pip, str(tmp_path)], check=True, capture_output=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    inside = f"ppocr_pse/pretrain_models/{NAME}/"
    with zipfile.ZipFile(wheel) as archive:
        assert {name.removeprefix(inside) for name in archive.namelist() if name.startswith(inside)} == FILES
    build = "from setuptools import build_meta; build_meta.build_sdist('out')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (sdist,) = (tmp_path / "out").glob("*.tar.gz")
    with tarfile.open(sdist) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {f"pretrain_models/{NAME}/{name}" for name in FILES} <= names


def test_the_file_is_yaml_for_anyone() -> None:
    content = yaml.safe_load((box_folder() / f"{NAME}.yml").read_text(encoding="utf-8"))
    assert "_BASE_" not in content
