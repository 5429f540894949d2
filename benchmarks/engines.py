"""Seconds a picture of the bare network: dygraph on one thread against every engine on one and on all threads.

    python3 benchmarks/engines.py -c configs/det/det_mv3_pse.yml \
        -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.save_inference_dir=inference/det_mv3_pse

Each runs in a process of its own; they take turns, so that what else the machine does meets them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turns import ask, start

CPU_ENGINES = ("paddle_inference", "onnxruntime", "openvino", "openvino_bf16")


def serve(job: dict[str, Any]) -> None:
    """Run one engine on a generated picture whenever a line comes in; answer with its wall and processor seconds."""
    from ppocr_pse.deploy.probe import probe_input

    network = open_network(job)
    picture = probe_input(*job["size"])
    network.run(picture)
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        network.run(picture)
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


def open_network(job: dict[str, Any]) -> Any:
    from ppocr_pse.config import load_config
    from ppocr_pse.deploy.engines.base import Exported, Place
    from ppocr_pse.deploy.engines.choose import ENGINES

    config = load_config(job["config"], job["opt"])
    if job["engine"] != "dygraph":
        return ENGINES[job["engine"]](Exported(Path(config.settings.save_inference_dir)), Place("cpu", job["threads"]))
    import logging

    import paddle

    from ppocr_pse.cli.common import load_trained
    from ppocr_pse.engine.paddle_network import PaddleNetwork

    paddle.set_device("cpu")
    return PaddleNetwork(load_trained(config, logging.getLogger("ppocr")))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("-c", "--config")
    parser.add_argument("-o", "--opt", nargs="+", default=[])
    parser.add_argument("--size", nargs=2, type=int, default=[736, 1280], metavar=("H", "W"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(argv)
    if arguments.serve:
        serve(json.loads(arguments.serve))
        return 0
    cores = len(os.sched_getaffinity(0))
    pairs = [("dygraph", 1), *((engine, threads) for threads in sorted({1, cores}) for engine in CPU_ENGINES)]
    shared = {"config": arguments.config, "opt": arguments.opt, "size": arguments.size}
    started = [(pair, start(__file__, {"engine": pair[0], "threads": pair[1], **shared})) for pair in pairs]
    running = {pair: process for pair, process in started if process is not None}
    taken: dict[tuple[str, int], list[list[float]]] = {pair: [] for pair in running}
    for _ in range(arguments.rounds):
        for pair, process in running.items():
            taken[pair].append(ask(process, "go"))
    print(f"{'engine':18} {'threads':>7} {'best':>8} {'median':>8} {'cpu':>8} {'times':>6}")
    reference = None
    for (engine, threads), figures in taken.items():
        walls = [wall for wall, _ in figures]
        reference = reference or min(walls)
        cpu = min(cpu for _, cpu in figures)
        print(
            f"{engine:18} {threads:7} {min(walls):8.3f} {statistics.median(walls):8.3f} {cpu:8.3f} "
            f"{reference / min(walls):6.1f}"
        )
    for process in running.values():
        process.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
