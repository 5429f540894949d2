"""Engines in processes of their own, which take turns: what `engines.py` and `infer.py` share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def start(script: str, job: dict[str, Any]) -> subprocess.Popen[str] | None:
    """Start a script's ``--serve`` for a job; None, with its last words shown, when it fails.

    Args:
        script: says ``ready`` on standard output when the job's engine is.
        job: its ``threads``, its ``engine``, and what else the script wants to know.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(job["threads"]), "GLOG_minloglevel": "2"}
    command = [sys.executable, script, "--serve", json.dumps(job)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True, env=environment)
    for line in process.stdout or ():
        if line == "ready\n":
            return process
    words = process.communicate()[1].strip().splitlines()
    print(f"{job['engine']:18} not run: {words[-1] if words else 'no reason given'}")
    return None


def ask(process: subprocess.Popen[str], what: str) -> list[float]:
    """Send a line and wait for the line of numbers that answers it."""
    assert process.stdin and process.stdout
    print(what, file=process.stdin, flush=True)
    return [float(word) for word in process.stdout.readline().split()]
