"""Benchmark of the reader: a picture file and its polygons to what the network is trained with.

Run ``python benchmarks/reader.py --data DIR --labels FILE`` on a data set of one's own (a label file as PaddleOCR has
it), or without arguments on 40 synthetic pictures of 1280 x 720. ``--quick`` takes a fifth of the samples.

Three ways are measured on the same pictures with the same random numbers, with the transforms of PaddleOCR's PSE
configurations at 640 x 640:

- *reference*: the transforms as PaddleOCR describes them, one after the other, written here with the same libraries:
  the whole picture is enlarged, imgaug moves picture and texts, seven float32 maps of it are drawn, and the
  crop comes last;
- *plain*: this package with ``Train.dataset.fast: false``;
- *fast*: this package as it is by default.

Time is CPU time of this one process with OpenCV on one thread; the three take turns at every sample, so that other load
hits them alike. Wall time stands beside it. Memory is measured in a fresh process for each way: after the imports and
one sample of 64 x 64 pixels, freed memory is given back (malloc_trim) and the resident memory noted; the kernel's peak
(VmHWM) is reset and read again after some batches of 8 samples, each stacked as a worker does and then dropped; the
difference is what counts. It needs Linux with glibc.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import ctypes
import json
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyclipper

from ppocr_pse.build_data import build_train_chain
from ppocr_pse.cli.make_synthetic import main as make_synthetic
from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.imgaug_compat import load_augmenters
from ppocr_pse.data.chain import TrainChain
from ppocr_pse.data.labels import read_labels
from ppocr_pse.types import Annotation

SIZE, BATCH, WAYS = 640, 8, ("reference", "plain", "fast")
TRANSFORMS: list[dict[str, Any]] = [
    {"DecodeImage": {"img_mode": "BGR"}},
    {"ColorJitter": {"brightness": 32.0 / 255, "saturation": 0.5}},
    {
        "IaaAugment": {
            "augmenter_args": [
                {"type": "Resize", "args": {"size": [0.5, 3]}},
                {"type": "Fliplr", "args": {"p": 0.5}},
                {"type": "Affine", "args": {"rotate": [-10, 10]}},
            ]
        }
    },
    {"MakePseGt": {"kernel_num": 7, "min_shrink_ratio": 0.4, "size": SIZE}},
    {"RandomCropImgMask": {"size": [SIZE, SIZE]}},
    {"NormalizeImage": {}},
]
Arrays = tuple[np.ndarray, ...]
Way = Callable[[Annotation, np.random.Generator], Arrays]


def reference(annotation: Annotation, rng: np.random.Generator) -> Arrays:
    """PaddleOCR's transforms in the obvious way: image, text, kernels, mask, all float32."""
    import imgaug
    from shapely.geometry import Polygon

    iaa = load_augmenters()
    image = cv2.imdecode(np.fromfile(annotation.image, np.uint8), cv2.IMREAD_COLOR)
    image = ColorJitter.apply(image, ColorJitter(32.0 / 255, saturation=0.5).draw(rng))
    factor, flip, turn = rng.uniform(0.5, 3), rng.random() < 0.5, rng.uniform(-10, 10)
    sides = {"height": int(image.shape[0] * factor), "width": int(image.shape[1] * factor)}
    augmenter = iaa.Sequential(
        [iaa.Resize(sides, interpolation="linear"), iaa.Fliplr(float(flip)), iaa.Affine(rotate=float(turn))]
    ).to_deterministic()
    shape, image, polygons = image.shape, augmenter.augment_image(image), []
    for polygon in annotation.polygons:
        points = imgaug.KeypointsOnImage([imgaug.Keypoint(x, y) for x, y in polygon], shape=shape)
        polygons.append(augmenter.augment_keypoints(points).to_xy_array())

    short = min(image.shape[:2])
    if short < SIZE:
        image = cv2.resize(image, None, fx=SIZE / short, fy=SIZE / short)
        polygons = [polygon * (SIZE / short) for polygon in polygons]
    ignored, maps = annotation.ignored.copy(), []
    for rate in np.linspace(0.9, 0.3, 7):
        kernel = np.zeros(image.shape[:2], np.float32)
        for i, polygon in enumerate(polygons):
            outline = Polygon(polygon)
            clipper = pyclipper.PyclipperOffset()
            clipper.AddPath(polygon.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
            pieces = clipper.Execute(-outline.area * (1 - rate * rate) / (outline.length + 1e-6))
            if pieces:
                cv2.fillPoly(kernel, [np.array(pieces[0], np.int32)], i + 1)
            else:
                ignored[i] = True
        maps.append(kernel)
    mask = np.ones(image.shape[:2], np.uint8)
    for i in np.flatnonzero(ignored):
        cv2.fillPoly(mask, [polygons[i].astype(np.int32)], 0)
    kernels = np.array(maps)
    kernels[kernels > 0] = 1

    (height, width), (top, left) = image.shape[:2], (0, 0)
    high = np.array([height - SIZE, width - SIZE])
    low = np.zeros(2, int)
    if kernels[0].max() > 0 and rng.random() > 3 / 8:
        where = np.array(np.where(kernels[0] > 0))
        low, high = np.maximum(where.min(axis=1) - SIZE, 0), np.minimum(np.maximum(where.max(axis=1) - SIZE, 0), high)
    top, left = (int(rng.integers(a, b + 1)) if b > a else 0 for a, b in zip(low, high))
    rows, columns = slice(top, top + SIZE), slice(left, left + SIZE)
    pixels = image[rows, columns].astype(np.float32) / 255
    pixels = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    kernels = kernels[:, rows, columns]
    return pixels.transpose(2, 0, 1), kernels[0], kernels, mask.astype(np.float32)[rows, columns]


def ways() -> dict[str, Way]:
    """Name -> function that makes the arrays of one sample."""
    fast = build_train_chain(TRANSFORMS)
    assert fast.warps

    def through(chain: TrainChain) -> Way:
        def make(annotation: Annotation, rng: np.random.Generator) -> Arrays:
            item = chain(annotation, rng)
            return item.image, item.targets.text, item.targets.kernels, item.targets.mask

        return make

    return {"reference": reference, "plain": through(replace(fast, fast=False)), "fast": through(fast)}


def chosen(annotations: Sequence[Annotation], count: int) -> list[tuple[int, Annotation]]:
    """A seeded choice of (seed, annotation), pictures spread over the whole data set."""
    order = random.Random(0).sample(range(len(annotations)), len(annotations))
    return [(i, annotations[order[i % len(order)]]) for i in range(count)]


def measure_time(annotations: Sequence[Annotation], count: int) -> tuple[dict[str, tuple[float, float]], int]:
    """CPU and wall seconds a sample of each way, taken in turn; and how many samples had the same maps in all ways."""
    makers = ways()
    for seed, annotation in chosen(annotations, 2):
        for name in WAYS:
            makers[name](annotation, np.random.default_rng(seed))
    spent, same = {name: np.zeros(2) for name in WAYS}, 0
    for seed, annotation in chosen(annotations, count):
        made: dict[str, Arrays] = {}
        for name in WAYS:
            before = np.array([time.process_time(), time.perf_counter()])
            made[name] = makers[name](annotation, np.random.default_rng(seed))
            spent[name] += np.array([time.process_time(), time.perf_counter()]) - before
        same += all(np.array_equal(made["reference"][i], made[name][i]) for name in WAYS[1:] for i in (1, 2, 3))
    return {name: (float(both[0]) / count, float(both[1]) / count) for name, both in spent.items()}, same


def measure_memory(annotations: Sequence[Annotation], name: str, batches: int) -> tuple[float, float]:
    """Growth of this process's peak resident memory over some batches, and size of a sample's arrays; both in MB."""
    make = ways()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.png"
        cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
        tiny = replace(annotations[0], image=path, polygons=(), ignored=np.zeros(0, bool), texts=())
        make(tiny, np.random.default_rng(0))
    ctypes.CDLL(None).malloc_trim(0)
    base = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew, see proc(5)
    samples = chosen(annotations, batches * BATCH)
    size = 0.0
    for k in range(batches):
        made = [make(a, np.random.default_rng(seed)) for seed, a in samples[k * BATCH : (k + 1) * BATCH]]
        batch = [np.stack(arrays) for arrays in zip(*made)]
        size = sum(array.nbytes for array in batch) / BATCH / 1e6
        del made, batch
    return memory_mb("VmHWM") - base, size


def memory_mb(field: str) -> float:
    """A field of /proc/self/status in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def in_fresh_process(args: argparse.Namespace, name: str, batches: int) -> tuple[float, float]:
    command = [sys.executable, __file__, "--data", args.data, "--labels", args.labels, "--memory-of", name]
    command += ["--samples", str(batches * BATCH)]
    peak, size = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return peak, size


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def report(args: argparse.Namespace, annotations: Sequence[Annotation]) -> None:
    batches = 2 if args.quick else 10
    seconds, same = measure_time(annotations, args.samples)
    memory = {name: in_fresh_process(args, name, batches) for name in WAYS}
    texts = np.mean([len(annotation.polygons) for annotation in annotations])
    print(f"{processor()}, one core of {os.cpu_count()}; Python {platform.python_version()}, OpenCV {cv2.__version__}.")
    print(f"{args.samples} samples of {len(annotations)} pictures with {texts:.1f} texts on average, {SIZE} x {SIZE};")
    print(f"the maps of all three ways are equal, pixel by pixel, in {same} of {args.samples}.\n")
    print("| | reference | plain | fast | reference : fast |\n|---|--:|--:|--:|--:|")
    rows: list[tuple[str, list[float], str]] = [
        ("samples/s and core (CPU time)", [1 / seconds[name][0] for name in WAYS], "{:.1f}"),
        ("samples/s (wall time)", [1 / seconds[name][1] for name in WAYS], "{:.1f}"),
        (f"peak memory of a worker, batch of {BATCH}, MB", [memory[name][0] for name in WAYS], "{:.0f}"),
        ("handed to the device, MB a sample", [memory[name][1] for name in WAYS], "{:.2f}"),
    ]
    for title, values, form in rows:
        ratio = max(values[0] / values[2], values[2] / values[0])
        print(f"| {title} | {' | '.join(form.format(value) for value in values)} | {ratio:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="folder that the label file's pictures are relative to")
    parser.add_argument("--labels", metavar="FILE", help="label file")
    parser.add_argument("--samples", type=int, default=0, metavar="N", help="samples to time (default 200)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the samples")
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if bool(args.data) != bool(args.labels):
        parser.error("--data and --labels go together")
    args.samples = args.samples or (40 if args.quick else 200)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        if not args.data:
            print("synthetic pictures, since no --data is given", file=sys.stderr)
            make_synthetic(["--out", folder, "--count", "40", "--size", "720x1280"])
            args.data, args.labels = folder, str(next(Path(folder).glob("*.txt")))
        annotations = read_labels(Path(args.labels), Path(args.data)).annotations
        if args.memory_of:
            print(json.dumps(measure_memory(annotations, args.memory_of, args.samples // BATCH)))
        else:
            report(args, annotations)


if __name__ == "__main__":
    main()
