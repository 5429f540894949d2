"""Time the detection metrics on made-up scenes: ``python benchmarks/metrics.py``.

Two scenes for every protocol, on one core: a test set of 500 pictures with 5,000 texts and 6,000
detections, and one dense page with 2,000 texts and 2,000 detections. Then the whole precision-recall curve,
scoring from files, and the report of `tools/eval.py --report` with photographs of 1280 x 720 and score maps.
Times are processor seconds, the best of several runs, so that other work on the machine does not count; the
targets are 2 s and 3 s.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ppocr_pse.cli import score
from ppocr_pse.data.labels import format_label_line
from ppocr_pse.metrics import PROTOCOLS, DetMetric
from ppocr_pse.metrics.breakdown import MEASURES, Breakdown
from ppocr_pse.metrics.curves import ThresholdSweep
from ppocr_pse.report import Collector, Facts, write_report
from ppocr_pse.types import Annotation, ImageScale

Picture = tuple[list, np.ndarray, list, np.ndarray]


def make_picture(rng: np.random.Generator, texts: int, detections: int, curved: bool) -> Picture:
    """Texts on a loose grid, each turned a little; detections are texts moved and bent a little.

    A tenth of the texts is don't-care, a tenth of the detections lies anywhere, and one in a hundred
    crosses itself.
    """
    columns = int(np.ceil(np.sqrt(texts)))
    cells = np.arange(texts)
    centres = np.stack([cells % columns * 90 + 60, cells // columns * 40 + 40], 1) + rng.uniform(-8, 8, (texts, 2))
    points = 14 if curved else 4
    x = np.linspace(-1, 1, points // 2)
    outline = np.concatenate([np.stack([x, x * 0 - 1], 1), np.stack([x[::-1], x * 0 + 1], 1)])
    shapes = outline * np.stack([rng.uniform(15, 45, texts), rng.uniform(5, 14, texts)], 1)[:, None]
    if curved:
        shapes[..., 1] += (shapes[..., 0] / 45) ** 2 * rng.uniform(-15, 15, (texts, 1))
    angles = rng.uniform(-0.2, 0.2, texts)
    turn = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    truths = shapes @ turn + centres[:, None]
    found = truths[rng.integers(0, texts, detections)] + rng.normal(0, 2, (detections, points, 2))
    far = rng.random(detections) < 0.1
    found[far] += rng.uniform(-200, 200, (int(far.sum()), 1, 2))
    crossed = rng.random(detections) < 0.01
    found[crossed, 0], found[crossed, 1] = found[crossed, 1].copy(), found[crossed, 0].copy()
    scores = rng.random(detections).astype(np.float32)
    return (
        list(np.rint(found).astype(np.int32)),
        scores,
        list(truths.astype(np.float32)),
        rng.random(texts) < 0.1,
    )


def best_time(work: Callable[[], object], repeats: int) -> float:
    """Shortest of several runs, in processor seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def evaluate(protocol: str, pictures: list[Picture]) -> DetMetric:
    metric = DetMetric(protocol=protocol)
    for polygons, scores, truths, ignored in pictures:
        metric.update(polygons, scores, truths, ignored)
    return metric


def sweep(pictures: list[Picture], thresholds: np.ndarray | None) -> None:
    stored = ThresholdSweep()
    for polygons, scores, truths, ignored in pictures:
        stored.add(polygons, scores, truths, ignored)
    stored.curve(thresholds)
    stored.average_precision()


def break_down(pictures: list[Picture]) -> None:
    metric = DetMetric()
    breakdowns = [Breakdown(name) for name in MEASURES]
    for polygons, scores, truths, ignored in pictures:
        picture = metric.update(polygons, scores, truths, ignored)
        for breakdown in breakdowns:
            breakdown.add(picture, polygons, truths)


def score_files(pictures: list[Picture], folder: Path) -> Callable[[], object]:
    """Write ground truth and results as text files; returns what scores them."""
    truths, results = [], []
    for number, (polygons, scores, texts, ignored) in enumerate(pictures):
        words = ["###" if flag else "word" for flag in ignored]
        truths.append(format_label_line(f"img_{number}.jpg", words, texts))
        results.append(format_label_line(f"img_{number}.jpg", [""] * len(polygons), polygons, scores.tolist()))
    (folder / "gt.txt").write_text("\n".join(truths))
    (folder / "results.txt").write_text("\n".join(results))
    arguments = ["--protocol", "icdar2015", "--gt", f"{folder}/gt.txt", "--results", f"{folder}/results.txt"]

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            score.main(arguments)

    return work


def report(pictures: list[Picture], gallery: int, folder: Path) -> Path:
    """The report of a test set whose pictures are all alike and as large as photographs."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (90, 160, 3), np.uint8), (1280, 720))
    logits = cv2.resize(rng.normal(0, 3, (23, 40)).astype(np.float32), (320, 184))[None].repeat(7, 0)
    metric = DetMetric()
    collector = Collector(metric.rules, gallery)
    for number, (polygons, scores, truths, ignored) in enumerate(pictures):
        texts = ("word",) * len(truths)
        annotation = Annotation(Path(f"/data/img_{number}.jpg"), tuple(truths), ignored, texts, "gt.txt")
        counts = metric.update(polygons, scores, truths, ignored, str(annotation.image))
        scale = ImageScale(720, 1280, 736 / 720, 1.0)
        collector.add(annotation, counts, polygons, scores, image=image, logits=logits, scale=scale)
    return write_report(collector.report(Facts("benchmark", "icdar2015")), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each measurement, the best one counts")
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    quads = [make_picture(rng, 10, 12, curved=False) for _ in range(500)]
    curved = [make_picture(rng, 10, 12, curved=True) for _ in range(500)]
    page, curved_page = [make_picture(rng, 2000, 2000, False)], [make_picture(rng, 2000, 2000, True)]

    print(f"{'protocol':<20}{'points':>7}{'500 pictures':>15}{'dense page':>13}{'hmean':>9}")
    for protocol in PROTOCOLS:
        for points, test_set, dense in ((4, quads, page), (14, curved, curved_page)):
            many = best_time(lambda p=protocol, s=test_set: evaluate(p, s), repeats)
            one = best_time(lambda p=protocol, s=dense: evaluate(p, s), repeats)
            hmean = evaluate(protocol, test_set).summary()["hmean"]
            print(f"{protocol:<20}{points:>7}{many:>13.3f} s{one:>11.3f} s{hmean:>9.4f}")
    grid = np.linspace(0, 1, 101)
    print(f"\n{'icdar2015 and':<27}{'500 pictures':>15}{'dense page':>13}")
    for name, work in (
        ("curve, 101 thresholds", lambda pictures: sweep(pictures, grid)),
        ("curve, every score", lambda pictures: sweep(pictures, None)),
        ("three breakdowns", break_down),
    ):
        many = best_time(lambda w=work: w(quads), repeats)
        one = best_time(lambda w=work: w(page), repeats)
        print(f"{name:<27}{many:>13.3f} s{one:>11.3f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = best_time(score_files(quads, folder), repeats)
        one = best_time(score_files(page, folder), repeats)
        print(f"{'scoring files':<27}{many:>13.3f} s{one:>11.3f} s")
        for gallery in (24, 500):
            start = time.process_time()
            size = report(quads, gallery, folder).stat().st_size
            seconds = time.process_time() - start
            print(f"{f'report, {gallery} in the gallery':<27}{seconds:>13.3f} s   page of {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
