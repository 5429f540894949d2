"""`ppocr-pse doctor`: each judgement on made-up machines, then the whole on this one, alone, launched and broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppocr_pse.cli import doctor as command
from ppocr_pse.engine import doctor, doctor_device
from ppocr_pse.engine.doctor import Finding
from ppocr_pse.engine.doctor_ranks import describe_ranks

ROOT = Path(__file__).parent.parent
QUICKSTART = "configs/det/quickstart.yml"


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("version", "expected"), [("1.26.4", []), ("2.3.9", []), ("2.4.0", ["fault"]), ("3.0.0rc1", ["fault"])]
)
def test_numpy(version: str, expected: list[str]) -> None:
    found = doctor.judge_numpy(version)
    assert levels(found) == expected and all("pip install 'numpy<2.4'" in finding.cure for finding in found)


def test_two_builds_of_opencv() -> None:
    assert doctor.judge_opencv({"opencv-python": "4.11.0.86"}) == []
    (found,) = doctor.judge_opencv({"opencv-python": "4.10.0.84", "opencv-python-headless": "4.11.0.86"})
    assert found.level == "warning"
    assert found.cure == (
        "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python==4.10.0.84"
    )


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    faults = [finding for finding in doctor.check_packages() if finding.level == "fault"]
    assert [fault.cure for fault in faults] == ["apt-get install -y libgl1"]
    assert "opencv-python cannot be imported: libGL.so.1" in faults[0].text


@pytest.mark.parametrize(
    ("cores", "usable", "threads", "processes", "level", "cure"),
    [
        (8, 8, 8, 1, "ok", ""),
        (8, 8, 4, 2, "ok", ""),
        (8, 8, 8, 2, "warning", "export OMP_NUM_THREADS=4"),
        (8, 8, 1, 1, "warning", "export OMP_NUM_THREADS=8"),
        (64, 2.0, 64, 1, "warning", "export OMP_NUM_THREADS=2"),
        (1, 0.5, 1, 1, "ok", ""),
    ],
)
def test_cores(cores: int, usable: float, threads: int, processes: int, level: str, cure: str) -> None:
    (found,) = doctor.judge_cores(cores, usable, threads, processes)
    assert (found.level, found.cure) == (level, cure)


@pytest.mark.parametrize(("size", "level"), [(64 * 2**20, "warning"), (2**30, "ok")])
def test_shared_memory(size: int, level: str) -> None:
    (found,) = doctor.judge_shared_memory(size)
    assert found.level == level and ("--shm-size" in found.cure) == (level != "ok")


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert levels(doctor.check_disk(file / "run")) == ["fault"]
    usage = type("Usage", (), {"free": 0.5 * doctor.GIB})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)
    assert levels(doctor.check_disk(tmp_path / "not" / "yet")) == ["fault"]
    usage.free = 2 * doctor.GIB
    assert levels(doctor.check_disk(tmp_path)) == ["warning"]
    usage.free = 99 * doctor.GIB
    assert levels(doctor.check_disk(tmp_path)) == ["ok"]


def test_an_extension_that_reads_the_wrong_plane_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(doctor.check_extension()) == ["ok"]
    wrong = np.array([[1, 1, 1, 1, 1, 2, 2, 2, 2]], np.int32)
    monkeypatch.setattr("ppocr_pse.postprocess.progressive_expand", lambda kernels, min_area: wrong)
    (found,) = doctor.check_extension()
    assert found.level == "fault" and "gives 111112222, expected 111111122" in found.text


def test_a_check_that_breaks_down_is_a_finding() -> None:
    def check() -> list[Finding]:
        raise OSError(5, "Input/output error")

    (found,) = doctor.examine("disk", check)
    assert found.level == "fault" and "OSError" in found.text and found.cure


def test_a_device_that_computes_wrongly_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([(np.ones(3), 0.1, 0.1), (np.array([1.0, 1.0, np.nan]), 0.1, 0.1)])
    monkeypatch.setattr(doctor_device, "_forward_backward", lambda device: next(results))
    (found,) = doctor_device.check_device(use_gpu=False)
    assert found.level == "fault" and "computes something else than the cpu" in found.text


def test_ranks_on_one_card_and_faults_of_other_ranks() -> None:
    found = describe_ranks(
        [
            {"host": "a", "device": "gpu:0", "faults": []},
            {"host": "b", "device": "gpu:0", "faults": ["disk: full"]},
            {"host": "b", "device": "gpu:0", "faults": []},
        ]
    )
    assert levels(found) == ["ok", "fault", "ok", "fault"]
    assert found[1].text == "1 of 3: gpu:0 on b; disk: full" and found[1].cure == "see workerlog.1"
    assert found[3].text == "several ranks work on gpu:0 of b"
    assert levels(describe_ranks([{"host": "a", "device": "cpu", "faults": []}] * 2)) == ["ok", "ok"]


def test_the_report() -> None:
    findings = [Finding("a", "ok", "fine"), Finding("b", "warning", "slow", "do x"), Finding("c", "fault", "no", "y")]
    assert command.as_text(findings).splitlines() == [
        "[ok]      a                fine",
        "[warning] b                slow",
        "                           cure: do x",
        "[fault]   c                no",
        "                           cure: y",
        "",
        "verdict: 1 fault(s) to mend before a run, 1 warning(s)",
    ]
    assert command.as_text(findings[:2]).endswith("verdict: ready; 1 warning(s) that are worth a look")
    assert json.loads(command.as_json(findings[:1])) == {
        "verdict": "ok",
        "findings": [{"topic": "a", "level": "ok", "text": "fine", "cure": ""}],
    }


def test_this_machine(capsys: pytest.CaptureFixture[str], bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_device, "check_import", list)  # Paddle is imported already
    changes = ["Global.pretrained_model=", "Global.use_gpu=False"]
    for part, name in (("Train", "label.txt"), ("Eval", "val.txt")):
        changes += [f"{part}.dataset.data_dir={bars}", f"{part}.dataset.label_file_list=[{bars / name}]"]
    assert command.main(["-c", QUICKSTART, "--json", "-o", *changes]) == 0
    report = json.loads(capsys.readouterr().out)
    texts = {finding["topic"]: finding["text"] for finding in report["findings"] if finding["level"] != "fault"}
    assert report["verdict"] in ("ok", "warnings")
    assert "progressive expansion is right" in texts["extension"]
    assert texts["device"].startswith("cpu (Global.use_gpu is false); first pass ")
    assert "every key is known" in texts["configuration"]
    assert set(texts) >= {"python", "libraries", "engines", "cores", "open files", "shared memory", "disk", "paddle"}


def test_what_a_configuration_lacks_is_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_device, "check_import", list)
    changes = ["Train.dataset.label_file_list=[/absent.txt]", "Global.pretrained_model=/absent/weights"]
    assert command.main(["-c", QUICKSTART, "-o", *changes]) == 1
    text = capsys.readouterr().out
    assert "Train.dataset.label_file_list: /absent.txt" in text and "/absent/weights.pdparams" in text
    assert command.main(["-c", QUICKSTART, "-o", "Global.epoch_nums=3"]) == 1
    assert "did you mean 'epoch_num'?" in capsys.readouterr().out


def run_doctor(*arguments: str, environment: dict[str, str], launcher: tuple[str, ...] = ()) -> tuple[int, str]:
    process = subprocess.run(
        [sys.executable, *launcher, "tools/doctor.py", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    return process.returncode, process.stdout + process.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "raise ImportError('libcuda.so.1: cannot open')",
            "cannot be imported: ImportError: libcuda.so.1: cannot open",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "`import paddle` ends with SIGILL"),
    ],
)
def test_a_broken_paddle(source: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "paddle.py").write_text(source)
    code, text = run_doctor(environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert code == 1 and words in text and "Traceback" not in text
    assert "progressive expansion is right" in text and "docs/devices.md" in text and "verdict: 1 fault" in text


def test_two_ranks(tmp_path: Path) -> None:
    launcher = ("-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", str(tmp_path))
    code, text = run_doctor(environment={}, launcher=launcher)
    assert code == 0, text
    assert "0 of 2: cpu on " in text and "1 of 2: cpu on " in text
    assert "all_reduce, broadcast, all_gather and barrier are right over 2 ranks" in text


def test_ranks_that_chose_the_cpu_stay_there(plugin: dict[str, str], tmp_path: Path, bars: Path) -> None:
    """The launcher prepares the accelerators that it sees, whatever Global.use_gpu says."""
    launcher = ("-m", "paddle.distributed.launch", "--devices", "0,1", "--log_dir", str(tmp_path))
    changes = ["Global.pretrained_model=", "Global.use_gpu=False"]
    for part, name in (("Train", "label.txt"), ("Eval", "val.txt")):
        changes += [f"{part}.dataset.data_dir={bars}", f"{part}.dataset.label_file_list=[{bars / name}]"]
    code, text = run_doctor("-c", QUICKSTART, "-o", *changes, environment=plugin, launcher=launcher)
    assert code == 0, text
    assert "0 of 2: cpu on " in text and "1 of 2: cpu on " in text and "are right over 2 ranks" in text


def test_a_rank_that_does_not_answer() -> None:
    """Rank 1 was never started."""
    endpoints = "127.0.0.1:29801,127.0.0.1:29802"
    environment = {
        "PADDLE_TRAINER_ID": "0",
        "PADDLE_TRAINERS_NUM": "2",
        "PADDLE_DISTRI_BACKEND": "gloo",
        "PADDLE_MASTER": "127.0.0.1:29800",
        "PADDLE_CURRENT_ENDPOINT": endpoints.split(",")[0],
        "PADDLE_TRAINER_ENDPOINTS": endpoints,
    }
    code, text = run_doctor("--timeout", "8", environment=environment)
    assert code == 1
    assert "rank 0 of 2 waited 8 s in: connecting (init_parallel_env); another rank does not answer" in text


def test_two_ranks_on_a_custom_device(plugin: dict[str, str], tmp_path: Path) -> None:
    launcher = ("-m", "paddle.distributed.launch", "--devices", "0,1", "--log_dir", str(tmp_path))
    code, text = run_doctor(environment=plugin, launcher=launcher)
    assert code == 0, text
    assert "iluvatar_gpu:0 of 2 (Global.use_gpu is true; custom device plugin; index from FLAGS_selected" in text
    assert "0 of 2: iluvatar_gpu:0 on " in text and "1 of 2: iluvatar_gpu:1 on " in text
    assert "all_reduce, broadcast, all_gather and barrier are right over 2 ranks" in text
    assert "iluvatar_gpu:0 has no convolution in float16" in text  # true of this one: it has no kernels
