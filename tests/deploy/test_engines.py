"""Every engine gives what the network gives; an engine is left out only where its package is not installed."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from ppocr_pse.deploy import to_onnx
from ppocr_pse.deploy.devices import find_device, may_have_accelerator
from ppocr_pse.deploy.engines import choose
from ppocr_pse.deploy.engines.base import EngineError, Exported, Place, thread_count
from ppocr_pse.deploy.export import ExportError, Forms, compare_forms, export_model
from ppocr_pse.deploy.probe import SIZE, Probe, probe_input, relative_difference
from ppocr_pse.deploy.spec import read_spec
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.settings import CHOICES
from tests.deploy.conftest import PROGRAM, make_network, make_spec, names_in
from tests.test_cli import ROOT

CPU = Place("cpu", 2)
PACKAGES = {"onnxruntime": ["onnxruntime"], "openvino": ["openvino"], "openvino_bf16": ["openvino"]}
NAMES = [name for name in choose.ENGINES if name != "paddle_tensorrt"]


def need(engine: str) -> None:
    wanted = [*PACKAGES.get(engine, []), *(["paddle2onnx"] if engine in choose.NEEDS_ONNX else [])]
    for package in wanted:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def open_or_skip(engine: str, folder: Path):
    need(engine)
    try:
        return choose.ENGINES[engine](Exported(folder), CPU)
    except EngineError as error:
        if "no bfloat16" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_the_networks_logits(name: str, folder: Path, network) -> None:
    engine = open_or_skip(name, folder)
    for height, width, batch in ((80, 96, 1), (97, 131, 2), (64, 64, 1), (97, 131, 1)):
        images = probe_input(height, width, batch)
        expected = PaddleNetwork(network).run(images)
        maps = engine.run(images)
        assert maps.dtype == np.float32
        assert maps.shape == (batch, 7, -(-height // 4), -(-width // 4))
        assert relative_difference(maps, expected) < (0.1 if name == "openvino_bf16" else 2e-5)
    assert engine.name == name
    assert "cpu" in engine.describe()


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_not_overwritten_by_the_next_run(name: str, folder: Path) -> None:
    engine = open_or_skip(name, folder)
    first = engine.run(probe_input(64, 96))
    kept = first.copy()
    engine.run(-probe_input(64, 96))
    assert (first == kept).all()


def test_bfloat16_is_what_runs(folder: Path, network) -> None:
    engine = open_or_skip("openvino_bf16", folder)
    images = probe_input(80, 96)
    difference = relative_difference(engine.run(images), PaddleNetwork(network).run(images))
    assert 1e-4 < difference < engine.tolerance


def test_the_older_program_form(network, tmp_path: Path) -> None:
    facts = export_model(network, make_spec(), tmp_path, Forms(pdmodel=True, onnx=False))
    assert sorted(facts.files) == sorted({PROGRAM, "inference.pdiparams", "inference.pdmodel"})
    assert names_in(tmp_path) == sorted({PROGRAM, "inference.pdiparams", "inference.pdmodel", "inference.yml"})
    exported = Exported(tmp_path)
    assert exported.program_for("2.6.2").name == "inference.pdmodel"
    assert exported.program_for("3.3.1").name == PROGRAM
    (tmp_path / "inference.json").unlink(missing_ok=True)
    assert exported.program_for("3.3.1").name == "inference.pdmodel"
    images = probe_input(97, 131)
    engine = choose.ENGINES["paddle_inference"](Exported(tmp_path), CPU)
    assert relative_difference(engine.run(images), PaddleNetwork(network).run(images)) < 2e-5
    with pytest.raises(EngineError, match="export it again with paddle2onnx"):
        _ = Exported(tmp_path).onnx


def test_an_export_replaces_the_earlier_one_whole(network, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "inference.onnx").write_bytes(b"of another network")
    (tmp_path / "inference.pdmodel").write_bytes(b"of another network")
    export_model(network, make_spec(), tmp_path, Forms(onnx=False))
    assert names_in(tmp_path) == sorted([PROGRAM, "inference.pdiparams", "inference.yml", "notes.txt"])


def test_an_export_that_is_off_writes_nothing(network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ppocr_pse.deploy import export

    right = make_network(0)
    export_model(right, make_spec(), tmp_path, Forms(onnx=False))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(export, "_folded", lambda model, expected: make_network(1))
    with pytest.raises(ExportError, match=r"inference.pdiparams, run by .*, differs from the network by"):
        export_model(right, make_spec(), tmp_path, Forms(onnx=False))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_comparing_forms_sees_another_shape(folder: Path, network) -> None:
    maps = PaddleNetwork(network).run(probe_input(64, 64))
    with pytest.raises(ExportError, match="inf of the largest logit"):
        compare_forms(Exported(folder), {(64, 64): maps[:, :6]})


def test_a_training_network_stays_one(tmp_path: Path) -> None:
    model = make_network()
    model.train()
    export_model(model, make_spec(), tmp_path, Forms(onnx=False))
    assert model.training
    assert model.fine_bn.training


def test_auto_takes_the_first_that_works_and_says_why(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(exported: Exported, place: Place):
        raise EngineError("onnxruntime is not installed; pip install onnxruntime")

    class Wrong(choose.ENGINES["paddle"]):  # type: ignore[misc, name-defined]
        def run(self, images):
            return super().run(images) * 1.5

    table = {**choose.ENGINES, "onnxruntime": broken, "openvino": Wrong}
    monkeypatch.setattr(choose, "ENGINES", MappingProxyType(table))
    with caplog.at_level(logging.INFO, "ppocr"):
        engine = choose.open_engine(Exported(folder), "auto", CPU, read_spec(folder).probe)
    assert engine.name == "paddle_inference"
    (line,) = caplog.messages
    assert line.startswith("engine: paddle_inference, Paddle Inference ")
    assert "not onnxruntime: onnxruntime is not installed; pip install onnxruntime" in line
    assert "not openvino: " in line
    assert "is off: its logits differ from the checkpoint's by 0.5 of" in line


def test_an_engine_that_is_named_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="engine is 'onnx', expected auto, paddle, "):
        choose.open_engine(Exported(folder), "onnx", CPU, None)
    with pytest.raises(EngineError, match="engine paddle_tensorrt: TensorRT needs a gpu"):
        choose.open_engine(Exported(folder), "paddle_tensorrt", CPU, None)
    with pytest.raises(EngineError, match="engine openvino: openvino is used on a cpu only"):
        choose.open_engine(Exported(folder), "openvino", Place("gpu:0", 1), None)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_an_engine_error(name: str, folder: Path, tmp_path: Path) -> None:
    need(name)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for file in ("inference.onnx", "inference.pdiparams"):
        if (copy / file).is_file():
            (copy / file).write_bytes((copy / file).read_bytes()[:64])
    with pytest.raises(EngineError):
        choose.open_engine(Exported(copy), name, CPU, read_spec(copy).probe)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "openvino_bf16"])
def test_weights_of_another_network_are_noticed(name: str, folder: Path, tmp_path: Path) -> None:
    need(name)
    other = tmp_path / "other"
    export_model(make_network(5), make_spec(), other)
    shutil.copy(folder / "inference.yml", other)
    with pytest.raises(EngineError, match=r"is off: .*Were files of the export changed"):
        choose.open_engine(Exported(other), name, CPU, read_spec(other).probe)


def test_the_probe_tells_nan_and_small_changes(network) -> None:
    maps = PaddleNetwork(network).run(probe_input(*SIZE))
    probe = Probe.of(maps)
    back = Probe.from_mapping(probe.as_mapping(), "test")
    assert relative_difference(back.logits, probe.logits) < 1e-5

    class Fake:
        name, tolerance = "fake", 1e-3

        def __init__(self, maps) -> None:
            self.maps = maps

        def run(self, images):
            return self.maps

        def describe(self) -> str:
            return "fake"

    assert back.check(Fake(maps)) < 1e-5
    for wrong in (maps * 1.002, maps[:, :, 1:], np.where(maps == maps.max(), np.nan, maps)):
        shown = replace(back, logits=Probe.of(maps).logits)
        if np.isnan(wrong).any():
            wrong = np.full_like(maps, np.nan)
        with pytest.raises(EngineError, match="fake is off"):
            shown.check(Fake(wrong))


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count(None) == 3
    assert thread_count(5) == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert thread_count(None) == len(os.sched_getaffinity(0))
    with pytest.raises(ValueError, match="threads is 0"):
        thread_count(0)


def test_the_configuration_knows_the_engines() -> None:
    assert set(CHOICES["engine"]) == {"auto", *choose.ENGINES}
    for groups in (*choose.FASTEST_FIRST.values(), choose.ON_OTHER_DEVICES):
        assert {name for group in groups for name in group} <= set(choose.ENGINES)


@pytest.mark.parametrize(("slow", "fast"), [("openvino", "onnxruntime"), ("onnxruntime", "openvino")])
def test_auto_takes_the_faster_of_two_that_work(
    slow: str, fast: str, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, seconds: float):
        class Timed(choose.ENGINES["paddle"]):  # type: ignore[misc, name-defined]
            def run(self, images):
                time.sleep(seconds)
                return super().run(images)

        Timed.name = name
        return Timed

    table = {**choose.ENGINES, slow: made(slow, 0.1), fast: made(fast, 0.0)}
    monkeypatch.setattr(choose, "ENGINES", MappingProxyType(table))
    with caplog.at_level(logging.INFO, "ppocr"):
        engine = choose.open_engine(Exported(folder), "auto", CPU, read_spec(folder).probe)
    assert engine.name == fast
    assert re.search(rf"\(auto; 0\.0\d+ s at 320x320; not {slow}: 0\.1\d* s\)$", caplog.messages[-1])


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_device("iluvatar_gpu:1", 1) == "iluvatar_gpu:1"
    assert Place("iluvatar_gpu:1", 4).kind == "iluvatar_gpu"
    assert Place("iluvatar_gpu:1", 4).index == 1
    monkeypatch.delenv("CUSTOM_DEVICE_ROOT", raising=False)
    if not may_have_accelerator():
        assert find_device("auto", 1) == "cpu"
    monkeypatch.setenv("CUSTOM_DEVICE_ROOT", "/somewhere")
    assert may_have_accelerator()


def test_onnx_without_its_converter(network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ppocr_pse.deploy import export

    def absent(name: str):
        raise EngineError(f"{name} is not installed; pip install {name}")

    monkeypatch.setattr(to_onnx, "load_module", absent)
    assert "inference.onnx" not in export_model(network, make_spec(), tmp_path).files
    assert export.versions_here()["paddle2onnx"] == "absent"
    with pytest.raises(EngineError, match="paddle2onnx is not installed; pip install paddle2onnx"):
        export_model(network, make_spec(), tmp_path, Forms(onnx=True))


def test_a_failed_conversion_says_what_was_printed(network, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    need("onnxruntime")
    (tmp_path / "inference.json").write_text("{}")
    (tmp_path / "inference.pdiparams").write_bytes(b"")
    with pytest.raises(to_onnx.ConversionError, match=r"cannot convert .*inference.json: .*(?i:parse|fail|error)"):
        to_onnx.convert(tmp_path / "inference.json", tmp_path / "inference.pdiparams", tmp_path / "x.onnx")
    assert capfd.readouterr() == ("", "")


TWO_AT_ONCE = """
import sys, threading
from pathlib import Path
import numpy as np
from ppocr_pse.deploy.engines.base import Exported, Place
from ppocr_pse.deploy.engines.choose import ENGINES
engine = ENGINES[sys.argv[1]](Exported(Path(sys.argv[2])), Place("cpu", 2, lanes=2))
barrier, shapes = threading.Barrier(2), []
def work():
    barrier.wait()
    shapes.append(engine.run(np.zeros((1, 3, 32, 64), np.float32)).shape)
threads = [threading.Thread(target=work) for _ in range(engine.lanes)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(shapes)
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_lanes_may_begin_at_once(name: str, folder: Path) -> None:
    """In a process of its own: two first results at once are where OpenVINO's binding used to hang, lock in hand."""
    need(name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TWO_AT_ONCE, name, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert ran.stdout.count("(1, 7, 8, 16)") == 2, ran.stderr
