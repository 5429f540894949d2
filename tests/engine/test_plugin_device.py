"""Everything that a card needs but its arithmetic, on a custom device `iluvatar_gpu` written for the tests.

The device (tests/plugin/iluvatar_gpu.cpp) is the machine's memory under another name; Paddle computes on it with its
CPU kernels, so losses must equal those of the CPU. Convolutions have no 16-bit CPU kernel and stay in float32 here
(`amp_custom_black_list`); what really runs in 16 bits is the upsampling of the neck, storage, and the casts between.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import write_pictures
from tests.plugin import facts as plugin_facts
from tests.test_cli import options

ROOT = Path(__file__).parent.parent.parent
KERNEL = re.compile(r"missing iluvatar_gpu kernel: (\w+), expected_kernel_key:\(iluvatar_gpu, [^)]*\), (\w+)\)")
HALF = ["Global.amp_custom_black_list=[conv2d]", "Global.amp_custom_white_list=[bilinear_interp_v2]"]
MISSION = ["Global.use_amp=True", "Global.scale_loss=1024.0", "Global.use_dynamic_loss_scaling=True"]


def run(command: list[str], extra: dict[str, str], log: Path) -> str:
    """Run a program from the project's root; returns what it printed on standard output."""
    with log.open("wb") as errors:
        process = subprocess.run(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=240,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **extra},
        )
    assert process.returncode == 0, process.stdout[-3000:] + log.read_text(encoding="utf-8", errors="replace")[-3000:]
    return process.stdout


@pytest.fixture(scope="module")
def facts(plugin: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    log = tmp_path_factory.mktemp("facts") / "stderr.txt"
    return dict(json.loads(run(["-m", "tests.plugin.facts"], plugin, log)))


def test_one_line_picks_the_device(facts: dict[str, Any]) -> None:
    seen = facts["registration"]
    assert (seen["types"], seen["count"]) == (["iluvatar_gpu"], 2)
    assert seen["chosen"] == seen["get_device"] == "iluvatar_gpu:0"
    assert seen["reason"] == "device: iluvatar_gpu:0 of 2 (Global.use_gpu is true; custom device plugin)"


def test_tensors_live_in_its_memory(facts: dict[str, Any]) -> None:
    seen = facts["registration"]
    assert seen["place"] == "Place(iluvatar_gpu:0)" and seen["unchanged"]
    assert (seen["to_device"], seen["to_host"]) == (1, 1) and seen["peak"] >= 1 << 20
    assert facts["counters"]["strays"] == 0


def test_training_and_detection_equal_the_cpu(facts: dict[str, Any]) -> None:
    cpu, device = facts["cpu"], facts["float32"]
    np.testing.assert_allclose(device["losses"], cpu["losses"], rtol=0, atol=1e-5)
    assert cpu["losses"][-1] < cpu["losses"][0]
    assert len(cpu["polygons"]) == 3 and device["polygons"] == cpu["polygons"]
    np.testing.assert_allclose(device["scores"], cpu["scores"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision(facts: dict[str, Any], level: str, dtype: str) -> None:
    seen = facts[f"{level} {dtype}"]
    in_float16, in_bfloat16, in_float32, _ = seen["interpolations"]
    assert (in_float16, in_bfloat16, in_float32) == ((6, 0, 0) if dtype == "float16" else (0, 6, 0))
    assert seen["dtypes"] == (["float32"] if level == "O1" else sorted([dtype, "float32"]))
    assert seen["losses"] != facts["cpu"]["losses"]
    np.testing.assert_allclose(seen["losses"], facts["cpu"]["losses"], rtol=0.03)
    assert (seen["scale"], seen["skipped"]) == ((256.0, 0) if dtype == "float16" else (1.0, 0))


def test_an_overflow_is_skipped_and_halves_the_scale(facts: dict[str, Any]) -> None:
    """The gradient is 1 and the rate 1/8, so a step taken shows as 1/8; step 2 overflows."""
    assert facts["scaler"]["story"] == [
        {"weight": 7 / 8, "scale": 1024.0, "skipped": 0},
        {"weight": 7 / 8, "scale": 512.0, "skipped": 1},
        {"weight": 6 / 8, "scale": 512.0, "skipped": 1},
        {"weight": 5 / 8, "scale": 512.0, "skipped": 1},
    ]
    assert facts["scaler"]["restored"] == {"scale": 512.0, "skipped": 1}


def test_the_knobs_of_the_scaler(facts: dict[str, Any]) -> None:
    """Times 4 after two good steps, a quarter after two overflows in a row; one overflow alone changes nothing."""
    scales = [step["scale"] for step in facts["scaler"]["knobs"]]
    assert scales == [1024.0, 4096.0, 4096.0, 4096.0, 4096.0, 1024.0]
    assert [step["skipped"] for step in facts["scaler"]["knobs"]] == [0, 0, 1, 1, 2, 3]


def test_a_collapse_of_the_scale_stops(facts: dict[str, Any]) -> None:
    assert [step["weight"] for step in facts["scaler"]["collapsing"]] == [1.0, 1.0]
    assert "overflowed 3 times in a row and the scale of the loss fell to 128" in facts["scaler"]["collapse"]


class Runs:
    """Runs of `tools/train.py` on one data set, on the CPU and on the device."""

    def __init__(self, folder: Path, plugin: dict[str, str]) -> None:
        self.folder, self.plugin = folder, plugin
        self.bars = folder / "bars"
        self.bars.mkdir()
        write_pictures(self.bars, 8, name="label.txt")
        write_pictures(self.bars, 4, name="val.txt")
        self._label_half_of_the_pictures_as_one_text()

    def _label_half_of_the_pictures_as_one_text(self) -> None:
        """With a threshold that every pixel passes, the detection is the picture: figures that are not all 0 or 1."""
        lines = (self.bars / "val.txt").read_text().splitlines()
        whole = [{"transcription": "all", "points": [[0, 0], [127, 0], [127, 95], [0, 95]]}]
        lines[:2] = [line.split("\t")[0] + "\t" + json.dumps(whole) for line in lines[:2]]
        (self.bars / "val.txt").write_text("\n".join(lines) + "\n")

    def train(self, name: str, *changes: str, on_device: bool, program: tuple[str, ...] = ("tools/train.py",)) -> str:
        """Train det_mv3_pse in small into ``folder/name``."""
        given = [
            *options(self.bars, self.folder / name),
            "Global.pretrained_model=",
            "Train.loader.num_workers=0",
            "PostProcess.thresh=-1000",
            "PostProcess.box_thresh=0",
            "Global.use_gpu=True",
            *changes,
        ]
        # Level 3 names every kernel that is looked up for the device, with its type. The value must have less than
        # 16 characters: Paddle 3.3.1 frees a longer one twice when it ends, and hangs.
        extra = {**self.plugin, "GLOG_vmodule": "kernel_fac*=3", "GLOG_minloglevel": "0"} if on_device else {}
        return run([*program, "-c", plugin_facts.CONFIG, *given], extra, self.folder / f"{name}.log")

    def rows(self, name: str) -> list[dict[str, str]]:
        """Lines of metrics.csv."""
        with (self.folder / name / "metrics.csv").open() as handle:
            return list(csv.DictReader(handle))

    def kernels(self, name: str) -> set[tuple[str, str]]:
        """(operation, type) of everything that was computed on the device, forward and backward."""
        return set(KERNEL.findall((self.folder / f"{name}.log").read_text(errors="replace")))


@pytest.fixture(scope="module")
def runs(plugin: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    made = Runs(tmp_path_factory.mktemp("runs"), plugin)
    made.train("cpu", "Global.epoch_num=1", on_device=False)
    made.train("device", "Global.epoch_num=1", "Global.ema_decay=0.9", on_device=True)
    return made


def figures(row: dict[str, str]) -> list[float]:
    return [float(row[key]) for key in row if row[key]]


def test_the_command_gives_the_losses_and_scores_of_the_cpu(runs: Runs) -> None:
    cpu, device = runs.rows("cpu"), runs.rows("device")
    assert len(cpu) == len(device) == 3  # two steps and an evaluation
    for expected, row in zip(cpu, device):
        np.testing.assert_allclose(figures(row), figures(expected), rtol=0, atol=1e-5)
    assert 0 < float(device[-1]["hmean"]) < 1


def test_no_float64_reaches_the_device(runs: Runs) -> None:
    kernels = runs.kernels("device")
    assert {("conv2d", "float32"), ("conv2d_grad", "float32"), ("adam", "float32")} <= kernels
    assert not [name for name, dtype in kernels if dtype in ("float64", "complex64", "complex128")]


def test_a_checkpoint_goes_from_device_to_cpu_and_back(runs: Runs) -> None:
    for name, other, on_device in (("to_cpu", "device", False), ("to_device", "cpu", True)):
        runs.train(
            name, f"Global.checkpoints={runs.folder / other / 'latest'}", "Global.epoch_num=2", on_device=on_device
        )
    to_cpu, to_device = runs.rows("to_cpu"), runs.rows("to_device")
    assert [row["global_step"] for row in to_cpu] == ["3", "4", "4"]
    for one, two in zip(to_cpu, to_device):
        np.testing.assert_allclose(figures(one), figures(two), rtol=0, atol=1e-5)


def test_the_launcher_with_one_rank_on_the_second_device(runs: Runs) -> None:
    """The command of the README, with the launcher's choice of a device, and the loss scaler at work."""
    logs = runs.folder / "launch"
    launcher = ("-m", "paddle.distributed.launch", "--devices", "1", "--log_dir", str(logs), "tools/train.py")
    runs.train("launched", *MISSION, *HALF, "Global.epoch_num=1", on_device=True, program=launcher)
    text = (runs.folder / "launched" / "train.log").read_text(encoding="utf-8")
    assert "device: iluvatar_gpu:1 of 2 (Global.use_gpu is true; custom device plugin; index from FLAGS_sel" in text
    assert "mixed precision is off" not in text
    last = runs.rows("launched")[-2]
    assert float(last["loss"]) == pytest.approx(float(runs.rows("device")[-2]["loss"]), rel=0.02)
    assert scaler_of(runs.folder / "launched" / "latest.states")["scale"] == 1024.0


def test_two_ranks_on_two_devices_equal_two_ranks_on_the_cpu(runs: Runs) -> None:
    """Gradients, losses, counts of the evaluation and the weights at the start go through the device's collectives."""
    changes = ["Train.loader.batch_size_per_card=2", "Global.epoch_num=1"]
    for name, ranks, on_device in (("two", ("--devices", "0,1"), True), ("two_cpu", ("--nproc_per_node", "2"), False)):
        logs = ("--log_dir", str(runs.folder / f"{name}_logs"))
        launcher = ("-m", "paddle.distributed.launch", *ranks, *logs, "tools/train.py")
        runs.train(name, *changes, on_device=on_device, program=launcher)
    assert len(runs.rows("two")) == len(runs.rows("two_cpu")) == 3
    for row, expected in zip(runs.rows("two"), runs.rows("two_cpu")):
        np.testing.assert_allclose(figures(row), figures(expected), rtol=0, atol=1e-5)
    assert figures(runs.rows("two")[0]) != figures(runs.rows("device")[0])


def scaler_of(states: Path) -> dict[str, float]:
    from ppocr_pse.engine.checkpoint import load_checkpoint

    kept = load_checkpoint(str(states)).states["precision"]
    return {key: float(np.asarray(value).item()) for key, value in kept.items()}


def test_o2_overflows_recovers_saves_float32_and_resumes(runs: Runs) -> None:
    """A scale far too large for float16 gradients: steps are skipped until it fits, over the resume."""
    import paddle

    program = ("-m", "tests.plugin.train")
    o2 = [
        *MISSION,
        *HALF,
        "Global.amp_level=O2",
        f"Global.scale_loss={2.0**40}",
        "Global.epoch_num=1",
        "Global.freeze=backbone.conv",
    ]
    runs.train("o2", *o2, on_device=True, program=program)
    first = scaler_of(runs.folder / "o2" / "latest.states")
    assert first["skipped"] == 2 and first["scale"] == 2.0**38
    params = paddle.load(str(runs.folder / "o2" / "latest.pdparams"))
    assert {tensor.dtype for tensor in params.values()} == {paddle.float32}
    resumed = [*o2, f"Global.checkpoints={runs.folder / 'o2' / 'latest'}", "Global.epoch_num=2"]
    runs.train("o2_resumed", *resumed, on_device=True, program=program)
    second = scaler_of(runs.folder / "o2_resumed" / "latest.states")
    assert second["skipped"] == 4 and second["scale"] == 2.0**36
    kept = params["backbone.conv.conv.weight"].numpy()  # frozen: no master copy, and yet not rounded to 16 bits
    again = paddle.load(str(runs.folder / "o2_resumed" / "latest.pdparams"))["backbone.conv.conv.weight"].numpy()
    np.testing.assert_array_equal(again, kept)
    assert (kept != kept.astype(np.float16)).any()
