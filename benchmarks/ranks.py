"""What several ranks cost: samples a second of one rank on one core, of two runs apart, of two ranks together.

Two runs that know nothing of each other are the yardstick: what they lose against twice the one is lost to memory
and caches that the cores share; what two ranks lose against them goes to exchanging gradients and waiting.

    python benchmarks/ranks.py [--rounds 3] [--steps 24]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFIG = "configs/det/quickstart.yml"
COST = re.compile(r"avg_reader_cost: ([\d.]+) s, avg_batch_cost: ([\d.]+) s, avg_samples: ([\d.]+)")


def arguments(data: Path, out: Path, steps: int) -> list[str]:
    """Options of a run: det_mv3's network at 320 x 320, the reader in the training process, no evaluation."""
    settings = {
        "Global.epoch_num": 1,
        "Global.max_steps": steps,
        "Global.print_batch_step": 4,
        "Global.log_smooth_window": 1,
        "Global.eval_batch_epoch": 0,
        "Global.save_model_dir": out,
        "Train.dataset.data_dir": data,
        "Train.dataset.label_file_list": f"[{data}/label.txt]",
        "Train.dataset.ratio_list": 50,
        "Train.dataset.transforms.4.MakePseGt.size": 320,
        "Train.dataset.transforms.5.RandomCropImgMask.size": "[320,320]",
        "Train.loader.batch_size_per_card": 2,
        "Train.loader.num_workers": 0,
    }
    return ["-c", CONFIG, "-o", *(f"{key}={value}" for key, value in settings.items())]


def start(core: str, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command on some of the cores; every process computes with one thread."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PADDLE_", "CUDA_"))}
    with log.open("wb") as output:
        return subprocess.Popen(
            ["taskset", "-c", core, sys.executable, *command],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env={**kept, "OMP_NUM_THREADS": "1"},
        )


def read_log(log: Path) -> tuple[float, float]:
    """Median seconds a step and samples a step of one process, its first four steps left out."""
    rows = [tuple(map(float, row)) for row in COST.findall(log.read_text(encoding="utf-8"))][1:]
    if not rows:
        raise SystemExit(f"no steps in {log}:\n{log.read_text(encoding='utf-8')[-2000:]}")
    return statistics.median(row[1] for row in rows), rows[0][2]


def measure(kind: str, folder: Path, steps: int) -> float:
    """Samples a second, over all processes, of one way to run."""
    data, logs = folder / "data", folder / "logs"
    logs.mkdir(exist_ok=True)
    if kind == "together":
        launcher = ["-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", str(logs / "launch")]
        process = start("0,1", [*launcher, "tools/train.py", *arguments(data, folder / "out", steps)], logs / "both")
        process.wait()
        seconds, samples = read_log(logs / "both")
        return 2 * samples / seconds
    runs = []
    for core in ("0", "1") if kind == "apart" else ("0",):
        command = ["tools/train.py", *arguments(data, folder / f"out{core}", steps)]
        runs.append((start(core, command, logs / core), logs / core))
    for process, _ in runs:
        process.wait()
    return sum(samples / seconds for seconds, samples in (read_log(log) for _, log in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    kinds = ("one", "apart", "together")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        making = ["tools/make_synthetic.py", "--out", str(folder / "data"), "--count", "8", "--seed", "1"]
        subprocess.run([sys.executable, *making], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        found = {kind: [] for kind in kinds}  # type: dict[str, list[float]]
        for _ in range(options.rounds):  # in turn, so that other load falls on all of them
            for kind in kinds:
                found[kind].append(measure(kind, folder, options.steps))
    best = {kind: statistics.median(values) for kind, values in found.items()}
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; medians of {options.rounds} rounds")
    for kind, words in zip(kinds, ("one rank on one core", "two runs apart, a core each", "two ranks together")):
        print(f"{words:28} {best[kind]:6.2f} samples/s  {best[kind] / best['one']:5.2f} x one rank")
    print(f"lost to what the cores share  {1 - best['apart'] / (2 * best['one']):6.1%}")
    print(f"lost to exchange and waiting  {1 - best['together'] / best['apart']:6.1%}")


if __name__ == "__main__":
    main()
