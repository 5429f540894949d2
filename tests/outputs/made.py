"""Pictures and results made up for the tests of outputs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppocr_pse.engine.predictor import NOTHING, PictureResult, Timing
from ppocr_pse.outputs.output_set import OutputSet
from ppocr_pse.types import Detections

QUAD = np.array([[4, 6], [34, 4], [35, 16], [5, 18]], np.int32)
OUTLINE = np.array([[10, 20], [30, 18], [50, 22], [50, 32], [30, 28], [10, 30]], np.int32)
ALL = ("drawn", "crops", "icdar", "labelme", "sheet", "coco", "jsonl", "lines")
SETTINGS = {"weights": "aa", "preprocess": {"side": 736, "mean": [0.1, 0.2]}}


def image(number: int = 0) -> np.ndarray:
    """uint8 (40, 60, 3), another one for each number."""
    return np.random.default_rng(number).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def result(path: Path, texts: int = 1, page: int = 0, error: str = "", number: int = 0) -> PictureResult:
    """A picture that could be read, with so many texts, the second one an outline."""
    polygons = tuple((QUAD, OUTLINE)[i % 2] + i // 2 for i in range(texts))
    scores = np.array([0.5 + 0.1 * i for i in range(texts)], np.float32)
    return PictureResult(path, image(number), Detections(polygons, scores), error, Timing(), page=page)


def broken(path: Path, page: int = 0) -> PictureResult:
    return PictureResult(path, None, NOTHING, f"{path}: not a picture", Timing(), page=page)


NAMES = ["b/two.jpg", "a.png", "pages.tif", "a.jpg", "bad.jpg", "cut.jpg", "caf\udce9\t\n.jpg", "-c.gif", "b/none.bmp"]


def listing(folder: Path) -> list[Path]:
    return [folder / name for name in NAMES]


def results_of(path: Path) -> Iterator[PictureResult]:
    """What a detector finds, the same each time; a seed tells pictures apart."""
    number = [Path(name).name for name in NAMES].index(path.name)
    if path.name == "bad.jpg":
        yield broken(path)
    elif path.name == "pages.tif":
        yield result(path, 1, 1, number=20)
        yield result(path, 0, 2, number=21)
        yield result(path, 3, 3, number=22)
    elif path.name == "cut.jpg":
        yield result(path, 2, 0, f"{path}: the end is missing", number)
    else:
        yield result(path, {"none.bmp": 0, "two.jpg": 2}.get(path.name, 1), number=number)


def go(outputs: OutputSet, pictures: list[Path]) -> None:
    """What a command does, in one thread."""
    for path in pictures:
        if not outputs.is_done(path):
            for found in results_of(path):
                outputs.add(outputs.finish(found))


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but for what was being written when a run was killed."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {os.fspath(file.relative_to(folder)): file.read_bytes() for file in files if file.suffix != ".part"}
