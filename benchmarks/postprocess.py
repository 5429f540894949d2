"""Benchmark of the post-processing: logits to boxes, on seeded scenes; prints Markdown tables.

Run ``python benchmarks/postprocess.py`` (about five minutes) or ``--quick`` (under one). The yardstick is one
``cv2.connectedComponents`` of a text map of the same size, on one thread, measured in turn with the rest, so that
the ratios mean the same on any machine, also on a busy one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from scenes import STYLES, scene

from ppocr_pse.postprocess import PSEDecoder, native
from ppocr_pse.types import ImageScale

Maps = npt.NDArray[np.float32]
STAGES = ("encode", "threshold", "grow", "regions", "outlines")
THRESH, BOX_THRESH = 0.0, 0.85
MIN_AREA = {1: 16, 4: 1}  # pixels of the label map: the same area at both scales


def interleaved_ms(functions: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median milliseconds of each function, all called in turn, so that a busy spell hits them alike."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds + 1):
        for function, record in zip(functions, times):
            start = time.perf_counter()
            function()
            record.append((time.perf_counter() - start) * 1e3)
    return [float(np.median(record[1:])) for record in times]


def decoder(box_type: str = "quad", scale: int = 1, threads: int = 1) -> PSEDecoder:
    return PSEDecoder(THRESH, BOX_THRESH, MIN_AREA[scale], box_type, scale, threads)


def scales_of(maps: Maps) -> list[ImageScale]:
    return [ImageScale(maps.shape[2] * 4, maps.shape[3] * 4, 1.0, 1.0)] * len(maps)


def text_map(maps: Maps) -> npt.NDArray[np.uint8]:
    """Binary text map of the first picture at the network input's size."""
    full = cv2.resize(maps[0, 0], None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    return (full > THRESH).astype(np.uint8)


def straightforward(maps: Maps, box_type: str, scale: int) -> list[npt.NDArray[np.float32]]:
    """The same task the obvious way, with NumPy and OpenCV: full-size maps, dilations, a scan for each label.

    Labels spread all at once instead of one by one, so a few border pixels may differ; that makes it faster.
    """
    factor = 4 // scale
    full = np.stack([cv2.resize(plane, None, fx=factor, fy=factor) for plane in maps[0]])
    score = 1 / (1 + np.exp(-full[0]))
    kernels = (full > THRESH) & (full[0] > THRESH)
    count, label, stats, _ = cv2.connectedComponentsWithStats(kernels[-1].astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < MIN_AREA[scale]
    label[small[label]] = 0
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for kernel in kernels[-2::-1]:
        while True:
            spread = cv2.dilate(label.astype(np.float32), cross).astype(np.int32)
            grown = np.where((label == 0) & kernel, spread, label)
            if np.array_equal(grown, label):
                break
            label = grown
    outlines = []
    for i in range(1, count):
        inside = label == i
        points = np.argwhere(inside)[:, ::-1].astype(np.int32)
        if len(points) < MIN_AREA[scale] or score[inside].mean() < BOX_THRESH:
            continue
        if box_type == "quad":
            outlines.append(cv2.boxPoints(cv2.minAreaRect(points)))
        else:
            found, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            outlines.append(found[0][:, 0].astype(np.float32))
    return outlines


def stage_split(maps: Maps, box_type: str, scale: int, rounds: int) -> npt.NDArray[np.float64]:
    """Median milliseconds of each stage."""
    runs = [
        native.decode(
            maps, thresh=THRESH, box_thresh=BOX_THRESH, min_area=MIN_AREA[scale], scale=scale,
            polygons=box_type == "poly", threads=1, profile=True,
        )[0][6]
        for _ in range(rounds)
    ]  # fmt: skip
    return np.median(runs, axis=0) * 1e3


def print_scenes(rounds: int, quick: bool) -> None:
    print("\n## Scenes\n\nMilliseconds, one thread; CC: one `cv2.connectedComponents`; plain: the obvious pipeline.\n")
    print("| map | scale | box | words | style | regions | ms | / CC | " + " | ".join(STAGES) + " | plain / ms |")
    print("|---" * (9 + len(STAGES)) + "|")
    for height, width in ((736, 1280),) if quick else ((736, 1280), (1472, 2624)):
        for scale, box_type in ((1, "quad"), (1, "poly"), (4, "quad"), (4, "poly")):
            for words in (5, 50, 500):
                for style in STYLES if scale == 1 and box_type == "quad" else STYLES[1:3]:
                    maps = scene(height, width, words, style, seed=0)[None]
                    text, decode, source = text_map(maps), decoder(box_type, scale).decode, scales_of(maps)
                    calls = [partial(decode, maps, source), partial(cv2.connectedComponents, text)]
                    ms, cc = interleaved_ms(calls, rounds)
                    (plain,) = interleaved_ms([partial(straightforward, maps, box_type, scale)], 1)
                    split = stage_split(maps, box_type, scale, rounds)
                    found = len(decode(maps, source)[0])
                    cells = " | ".join(f"{value:.2f}" for value in split)
                    print(
                        f"| {height}x{width} | {scale} | {box_type} | {words} | {style} | {found} | {ms:.2f} "
                        f"| {ms / cc:.2f} | {cells} | {plain / ms:.0f} |",
                        flush=True,
                    )


def print_growth(rounds: int, quick: bool) -> None:
    print("\n## Growth\n\nRotated words, scale 1, quad.\n\n| map | words | ms | ns a pixel |\n|---|---|---|---|")
    sizes = ((184, 320), (368, 656), (736, 1312), (1472, 2624), (2944, 5248))
    for height, width in sizes[:3] if quick else sizes:
        words = round(30 * height / 184 * width / 328)
        maps = scene(height, width, words, "rotated", seed=0)[None]
        (ms,) = interleaved_ms([partial(decoder().decode, maps, scales_of(maps))], rounds)
        print(f"| {height}x{width} | {words} | {ms:.2f} | {ms * 1e6 / (height * width):.1f} |", flush=True)
    height, width = (1472, 2624) if quick else (2944, 5248)
    print("\n| map | words of 64 x 18 | ms | us a word beyond the first |\n|---|---|---|---|")
    first = 0.0
    for words in (1, 10, 100, 1000) if quick else (1, 10, 100, 1000, 5000):
        maps = scene(height, width, words, "rotated", seed=0, word=(64, 18))[None]
        (ms,) = interleaved_ms([partial(decoder().decode, maps, scales_of(maps))], rounds)
        first = first or ms
        extra = f"{(ms - first) * 1e3 / (words - 1):.1f}" if words >= 100 else ""
        print(f"| {height}x{width} | {words} | {ms:.2f} | {extra} |", flush=True)


def print_paths(rounds: int) -> None:
    print("\n## Instruction sets\n\n736x1280, rotated, scale 1, quad; ratio to one `cv2.connectedComponents`.\n")
    print("| words | " + " | ".join(native.simd_paths()) + " |\n|---" + "|---" * len(native.simd_paths()) + "|")
    for words in (5, 50, 500):
        maps = scene(736, 1280, words, "rotated", seed=0)[None]
        text = text_map(maps)

        def run(path: str, maps: Maps = maps) -> object:
            return native.decode(
                maps, thresh=THRESH, box_thresh=BOX_THRESH, min_area=MIN_AREA[1], scale=1, polygons=False,
                threads=1, simd=path,
            )  # fmt: skip

        calls = [partial(run, path) for path in native.simd_paths()]
        *ms, cc = interleaved_ms([*calls, partial(cv2.connectedComponents, text)], rounds)
        print(f"| {words} | " + " | ".join(f"{value / cc:.2f}" for value in ms) + " |", flush=True)


def print_threads(rounds: int) -> None:
    maps = np.stack([scene(736, 1280, 500, STYLES[i % 4], seed=i) for i in range(8)])
    source = scales_of(maps)
    calls = [partial(decoder(threads=n).decode, maps, source) for n in (1, 2)]
    one, two = interleaved_ms(calls, rounds)
    print("\n## Threads\n\nBatch of 8, 736x1280, 500 words each.\n\n| threads | ms | times as fast |\n|---|---|---|")
    print(f"| 1 | {one:.1f} | 1.00 |\n| 2 | {two:.1f} | {one / two:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer scenes and rounds")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rounds = 7 if arguments.quick else 15
    print(f"# Post-processing\n\nInstruction set: {native.simd_paths()[-1]}; medians of {rounds} runs.")
    print_threads(rounds)
    print_paths(rounds)
    print_growth(rounds, arguments.quick)
    print_scenes(rounds, arguments.quick)


if __name__ == "__main__":
    main()
