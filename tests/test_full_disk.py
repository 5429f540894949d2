"""A disk that is full while a checkpoint is written: the run says so, the last good checkpoint stays."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from ppocr_pse.engine.checkpoint import load_checkpoint
from tests.test_cli import CONFIG, ROOT, options, tool


def no_file_above_100_kb() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_the_last_good_checkpoint_survives(bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["-c", CONFIG, *options(bars, out), "Global.eval_batch_epoch=0", "Train.loader.num_workers=0"]
    tool("train.py", *arguments, "Global.epoch_num=1")
    before = (out / "latest.pdparams").read_bytes()
    command = [sys.executable, ROOT / "tools" / "train.py", *arguments, f"Global.checkpoints={out}/latest"]
    process = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=240, cwd=ROOT, preexec_fn=no_file_above_100_kb
    )
    assert process.returncode == 2, process.stdout + process.stderr
    assert "latest: cannot write the checkpoint (File too large); the one before it is unharmed" in process.stderr
    assert "Traceback" not in process.stderr
    assert (out / "latest.pdparams").read_bytes() == before
    assert load_checkpoint(str(out / "latest")).states["epoch"] == 1
    assert not list(out.glob("*.writing-*"))
    tool("train.py", *arguments, f"Global.checkpoints={out}/latest")
    assert load_checkpoint(str(out / "latest")).states["epoch"] == 2
