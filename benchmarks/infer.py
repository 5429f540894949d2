"""Pictures a second from files to result lines: the folder pipeline with every engine, against dygraph on one thread.

    python3 benchmarks/infer.py --images photos                     # the detector in the box
    python3 benchmarks/infer.py --images photos --model inference/det_r50_vd_pse \
        -c configs/det/det_r50_vd_pse.yml -o Global.pretrained_model=output/det_r50_vd_pse/best_accuracy

`dygraph` reads, resizes, runs, decodes and writes one picture after the other, with the network run by Paddle's layers
on one thread, as PaddleOCR's tools/infer_det.py does. `bare` is the network alone on the same inputs, already in
memory, called by as many threads as the pipeline calls it. Each engine has a process of its own; they take turns, and
the best round of each counts, so that what else the machine does meets them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from turns import ask, start

ENGINES = ("paddle_inference", "onnxruntime", "openvino", "openvino_bf16")


def serve(job: dict[str, Any]) -> None:
    """Do what the lines of standard input ask for, `files` or `bare`, and answer with seconds a picture."""
    from ppocr_pse.data.picture_files import find_pictures

    predictor = open_job(job)
    pictures = find_pictures(Path(job["images"]))
    pictures = [pictures[i % len(pictures)] for i in range(job["count"])]
    inputs = [piece.ready.image[None] for path in pictures for piece in predictor.reader.read(path, False)]
    lanes = getattr(predictor.network, "lanes", 0)
    predictor.network.run(inputs[0])
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        if line == "bare\n":
            if lanes:
                with ThreadPoolExecutor(lanes) as pool:
                    list(pool.map(predictor.network.run, inputs))
            else:
                for one in inputs:
                    predictor.network.run(one)
        else:
            write_lines(predictor, pictures, job["workers"])
        print((time.perf_counter() - start) / len(pictures), flush=True)


def write_lines(predictor: Any, pictures: Sequence[Path], workers: int) -> None:
    """From files to result lines."""
    from ppocr_pse.data.labels import format_label_line

    with tempfile.TemporaryFile("w") as results:
        for result in predictor.stream(pictures, workers):
            found = result.detections
            print(format_label_line(str(result.path), [""] * len(found), found.polygons, found.scores), file=results)
            results.flush()


def open_job(job: dict[str, Any]) -> Any:
    from ppocr_pse.deploy.detector import open_predictor

    if job["engine"] != "dygraph":
        return open_predictor(Path(job["model"]), job["engine"], "cpu", job["threads"], lanes=job["lanes"])
    import logging

    import paddle

    from ppocr_pse.build import build_predictor
    from ppocr_pse.cli.common import load_trained
    from ppocr_pse.config import load_config

    paddle.set_device("cpu")
    config = load_config(job["config"], job["opt"])
    return build_predictor(config, load_trained(config, logging.getLogger("ppocr")))


def main(argv: Sequence[str]) -> int:
    from ppocr_pse.deploy.box import NAME, box_folder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--images", type=Path, default=Path("examples/photos"))
    parser.add_argument("--model", type=Path, help="exported folder; the detector in the box when it is not given")
    parser.add_argument("-c", "--config", help="configuration of the same model, for dygraph")
    parser.add_argument("-o", "--opt", nargs="+", default=[], help="its weights: Global.pretrained_model=...")
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--count", type=int, default=16, help="pictures a round; dygraph does a quarter of them")
    parser.add_argument("--lanes", type=int, default=0, help="0: one a thread, at most 4")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(argv)
    if arguments.serve:
        serve(json.loads(arguments.serve))
        return 0
    model, config, options = arguments.model, arguments.config, arguments.opt
    if model is None:
        model, config = box_folder(), box_folder() / f"{NAME}.yml"
        options = [f"Global.pretrained_model={model / NAME}"]
    shared = {"images": str(arguments.images), "model": str(model), "config": str(config), "opt": options}
    threads = len(os.sched_getaffinity(0))
    jobs = [{"engine": "dygraph", "threads": 1, "workers": 0, "count": max(1, arguments.count // 4), **shared}]
    for engine in arguments.engines:
        job = {"engine": engine, "threads": threads, "lanes": arguments.lanes, "workers": arguments.workers}
        jobs.append({**job, "count": arguments.count, **shared})
    started = [(job["engine"], start(__file__, job)) for job in jobs]
    running = {name: process for name, process in started if process is not None}
    files: dict[str, list[float]] = {name: [] for name in running}
    bare: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(arguments.rounds):
        for name, process in running.items():
            files[name] += ask(process, "files")
            if name != "dygraph":
                bare[name] += ask(process, "bare")
    print(f"{threads} threads; seconds a picture, best of {arguments.rounds} rounds")
    print(f"{'engine':18} {'files':>8} {'a second':>9} {'times':>6} {'bare':>8} {'pipeline':>9}")
    reference = min(files["dygraph"]) if "dygraph" in files else float("nan")
    for name, taken in files.items():
        alone = f"{min(bare[name]):8.3f} {100 * (min(taken) / min(bare[name]) - 1):+8.1f}%" if bare[name] else ""
        print(f"{name:18} {min(taken):8.3f} {1 / min(taken):9.2f} {reference / min(taken):6.1f} {alone}")
    for process in running.values():
        process.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
