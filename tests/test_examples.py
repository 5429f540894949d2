"""The job files in examples/: their syntax, and what they do with exit codes, with stand-ins for Slurm's commands."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.test_cli import ROOT

EXAMPLES = ROOT / "examples"


def test_syntax() -> None:
    scripts = [*EXAMPLES.glob("*.sh"), *EXAMPLES.glob("*.sbatch")]
    assert len(scripts) >= 2
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)


def test_kubernetes_job() -> None:
    service, job = yaml.safe_load_all((EXAMPLES / "kubernetes.yml").read_text())
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    assert service["metadata"]["name"] == job["spec"]["template"]["spec"]["subdomain"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    script = container["args"][0]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "--nnodes 2" in script and "Global.checkpoints=auto" in script
    actions = {}
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        for code in rule.get("onExitCodes", {}).get("values", []):
            assert rule["onExitCodes"]["containerName"] == container["name"]
            actions[code] = rule["action"]
    assert actions == {75: "Ignore", 15: "Ignore", 2: "FailJob"}
    volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["shm"]["emptyDir"]["medium"] == "Memory"
    assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]


def write_commands(folder: Path, bodies: dict[str, str]) -> None:
    """Stand-ins for commands that are not here: Bash by name."""
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment in which srun runs one task here, and every other command of Slurm only writes down its call."""
    commands = tmp_path / "bin"
    commands.mkdir()
    fakes = {
        "srun": 'while [[ $1 == -* ]]; do shift; done; echo $$ > srun.pid; exec "$@"',
        "scontrol": 'if [ "$1" = show ]; then echo node6; echo node7; else echo "scontrol $*" >> calls; fi',
        "scancel": 'echo "scancel $*" >> calls; kill -TERM "$(cat srun.pid)"',
        "getent": 'echo "10.0.0.6 STREAM $2"',
        "python3": 'trap "exit 15" TERM\necho "python3 $*" >> calls\n'
        "for _ in $(seq $SLEEPS); do sleep 0.05; done\nexit $CODE",
    }
    write_commands(commands, fakes)
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "41234",
        "SLURM_JOB_NAME": "pse",
        "SLURM_JOB_NODELIST": "node[6-7]",
        "SLURM_NNODES": "2",
        "SLURM_NODEID": "1",
        "SLURM_GPUS_ON_NODE": "4",
        "SLEEPS": "0",
        "CODE": "0",
    }


@pytest.mark.parametrize(("code", "expected", "again"), [(0, 0, False), (75, 0, True), (2, 2, False), (76, 76, False)])
def test_slurm_requeues_a_run_that_stopped_in_order(
    slurm: dict[str, str], tmp_path: Path, code: int, expected: int, again: bool
) -> None:
    script = [str(EXAMPLES / "slurm.sbatch"), "configs/det/det_r50_vd_pse.yml", "Global.use_amp=True"]
    done = subprocess.run(["bash", *script], env=slurm | {"CODE": str(code)}, cwd=tmp_path, timeout=20)
    assert done.returncode == expected
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == (
        "python3 -u -m paddle.distributed.launch --master 10.0.0.6:21234 --nnodes 2 --rank 1 --gpus 0,1,2,3 "
        "--log_dir output/pse-41234/log.1 tools/train.py -c configs/det/det_r50_vd_pse.yml "
        "-o Global.save_model_dir=output/pse-41234 Global.checkpoints=auto Global.use_amp=True"
    )
    assert calls[1:] == (["scontrol requeue 41234"] if again else [])


def test_slurm_stops_in_order_before_the_time_limit(slurm: dict[str, str], tmp_path: Path) -> None:
    script = ["bash", str(EXAMPLES / "slurm.sbatch"), "a.yml"]
    with subprocess.Popen(script, env=slurm | {"SLEEPS": "400"}, cwd=tmp_path) as job:
        wait_for(tmp_path / "calls")
        job.send_signal(signal.SIGUSR1)
        assert job.wait(20) == 0
    assert (tmp_path / "calls").read_text().splitlines()[1:] == [
        "scancel --signal=TERM 41234.0",
        "scontrol requeue 41234",
    ]


def test_until_done_starts_again_after_75_only(tmp_path: Path) -> None:
    work = tmp_path / "work.sh"
    work.write_text('echo run >> runs; if [ "$(wc -l < runs)" -lt 3 ]; then exit 75; fi; exit 7\n')
    done = subprocess.run(["bash", EXAMPLES / "until_done.sh", "bash", work], cwd=tmp_path, timeout=20)
    assert done.returncode == 7
    assert (tmp_path / "runs").read_text() == "run\n" * 3


def test_until_done_hands_sigterm_on_and_stops(tmp_path: Path) -> None:
    work = tmp_path / "work.sh"
    work.write_text('trap "exit 75" TERM; echo run >> runs; for _ in $(seq 400); do sleep 0.05; done\n')
    with subprocess.Popen(["bash", EXAMPLES / "until_done.sh", "bash", work], cwd=tmp_path) as loop:
        wait_for(tmp_path / "runs")
        loop.terminate()
        assert loop.wait(20) == 75
    assert (tmp_path / "runs").read_text() == "run\n"


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
