"""The job files for sharded detection: their options, signals and exit codes, with a stand-in for ppocr-pse."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from ppocr_pse.cli import main
from tests.test_cli import ROOT
from tests.test_examples import write_commands

EXAMPLES = ROOT / "examples"


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, str]:
    """An environment whose ppocr-pse and scontrol only write down their calls; the first may sleep until SIGTERM."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fakes = {
        "ppocr-pse": 'trap "exit 143" TERM\necho "$OMP_NUM_THREADS $*" >> calls\n'
        "for _ in $(seq $SLEEPS); do sleep 0.05; done\nexit $CODE",
        "scontrol": 'echo "scontrol $*" >> calls',
    }
    write_commands(folder, fakes)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "41",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_CPUS_PER_TASK": "6",
        "PART": "3",
        "PARTS": "8",
        "OMP_NUM_THREADS": "8",
        "SLEEPS": "0",
        "CODE": "0",
    }


SBATCH = ["bash", str(EXAMPLES / "infer_shards.sbatch"), "8", "my photos", "found", "--model", "det"]


@pytest.mark.parametrize("code", [0, 1, 2, 143])
def test_an_array_job_does_its_part(commands: dict[str, str], tmp_path: Path, code: int) -> None:
    done = subprocess.run(SBATCH, env=commands | {"CODE": str(code)}, cwd=tmp_path, timeout=20)
    assert done.returncode == code
    assert (tmp_path / "calls").read_text() == (
        "6 infer my photos --recursive --output found --shard 3/8 --resume --model det\n"
    )


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGUSR1, 0), (signal.SIGTERM, 143)])
def test_only_the_time_limit_requeues(
    commands: dict[str, str], tmp_path: Path, number: signal.Signals, expected: int
) -> None:
    with subprocess.Popen(SBATCH, env=commands | {"SLEEPS": "400"}, cwd=tmp_path) as job:
        deadline = time.monotonic() + 20
        while not (tmp_path / "calls").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)  # the traps are set after the start
        job.send_signal(number)
        assert job.wait(20) == expected
    calls = (tmp_path / "calls").read_text().splitlines()[1:]
    assert calls == (["scontrol requeue 41_3"] if number == signal.SIGUSR1 else [])


def test_an_indexed_job_does_each_part(commands: dict[str, str], tmp_path: Path) -> None:
    spec = yaml.safe_load((EXAMPLES / "infer_shards.yml").read_text())["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    assert spec["completionMode"] == "Indexed" and str(spec["completions"]) == environment["PARTS"]["value"]
    assert "job-completion-index" in environment["PART"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert environment["OMP_NUM_THREADS"]["value"] == container["resources"]["limits"]["cpu"]
    rules = [rule for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert {code: rule["action"] for rule in rules for code in rule["onExitCodes"]["values"]} == {
        143: "Ignore",
        2: "FailJob",
    }
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {container["name"]}
    done = subprocess.run([*container["command"], *container["args"]], env=commands, cwd=tmp_path, timeout=20)
    assert done.returncode == 0
    assert (tmp_path / "calls").read_text() == (
        "8 infer photos --recursive --model det_mv3_pse --output found --max_memory 12G --shard 3/8 --resume\n"
    )


def test_the_options_are_those_of_infer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["infer", "--help"])
    shown = capsys.readouterr().out
    for option in ("--recursive", "--output", "--shard", "--resume", "--model", "--max_memory"):
        assert option in shown
