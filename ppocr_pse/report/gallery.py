"""One picture of the gallery: outlines by what became of them, a small copy of the picture, and its score map."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics import PictureCounts
from ppocr_pse.metrics.breakdown import PictureRow
from ppocr_pse.types import Annotation, ImageScale

Image = npt.NDArray[np.uint8]

PAGE_BYTES = 14_000_000
"""What all pictures of a page may take together, encoded; with outlines and tables the page stays under 20 MB."""
LARGEST, SMALLEST = 1280, 240
"""Long sides of the pictures of a page, in pixels."""
STRIDE = 4  # pixels of the network's input to one of its maps


@dataclass(frozen=True)
class Outline:
    """One text or detection as it is drawn.

    Attributes:
        kind: a key of :data:`ppocr_pse.report.style.KINDS`.
        points: float64 (N, 2), source pixels.
        note: what is said about it: transcription or score.
    """

    kind: str
    points: npt.NDArray[np.float64]
    note: str


@dataclass(frozen=True)
class Exhibit:
    """One picture of the gallery.

    Attributes:
        row: its figures.
        size: width and height that outlines refer to, source pixels.
        outlines: in drawing order.
        picture: data URI of a small copy, "" when there was no picture.
        score_map: data URI of the text probabilities in colours, "" when there were none.
        map_size: width and height of the score map in source pixels.
    """

    row: PictureRow
    size: tuple[float, float]
    outlines: tuple[Outline, ...]
    picture: str
    score_map: str
    map_size: tuple[float, float]


def make_exhibit(
    row: PictureRow,
    annotation: Annotation,
    counts: PictureCounts,
    polygons: Sequence[npt.NDArray[Any]],
    scores: npt.ArrayLike,
    shared_by: int,
    image: Image | None,
    logits: npt.NDArray[np.float32] | None,
    scale: ImageScale | None,
) -> Exhibit:
    """Make the exhibit of one picture; arguments as in ``Collector.add``.

    Args:
        row: figures of the picture.
        annotation: its labels.
        counts: how it was scored.
        polygons: its detections.
        scores: of the detections; NaN where there is none.
        shared_by: number of pictures that share the page.
        image: uint8 (H, W, 3) BGR, or None.
        logits: float32 (K, h, w), or None.
        scale: needed with ``logits``.
    """
    outlines = classify(annotation, counts, polygons, scores)
    size, score_map, map_size = _extent(outlines), "", (0.0, 0.0)
    picture = ""
    budget = PAGE_BYTES // max(1, shared_by)
    if image is not None:
        size = (float(image.shape[1]), float(image.shape[0]))
        picture = encode_within(image, budget * 3 // 4)
    if logits is not None and scale is not None:
        height, width = logits.shape[1:]
        map_size = (width * STRIDE / scale.ratio_w, height * STRIDE / scale.ratio_h)
        score_map = encode_within(colour_map(logits[0]), budget // 4)
    return Exhibit(row, size, outlines, picture, score_map, map_size)


def classify(
    annotation: Annotation, counts: PictureCounts, polygons: Sequence[npt.NDArray[Any]], scores: npt.ArrayLike
) -> tuple[Outline, ...]:
    """Tell what became of every text and every detection; what matters most comes last, so that it is drawn on top."""
    found = np.zeros(len(counts.truth_care), np.bool_)
    found[counts.matches[:, 0]] = True
    hit = counts.detection_credit > 0
    hit[counts.matches[:, 1]] = True
    outlines: dict[str, list[Outline]] = {kind: [] for kind in ("dontcare", "dropped", "truth", "hit", "false", "miss")}
    for index, polygon in enumerate(annotation.polygons):
        kind = "dontcare" if not counts.truth_care[index] else "truth" if found[index] else "miss"
        outlines[kind].append(Outline(kind, np.asarray(polygon, np.float64), annotation.texts[index]))
    for index, (polygon, score) in enumerate(zip(polygons, np.asarray(scores, np.float64).tolist())):
        kind = "dropped" if not counts.detection_care[index] else "hit" if hit[index] else "false"
        note = "" if np.isnan(score) else f"{score:.3f}"
        outlines[kind].append(Outline(kind, np.asarray(polygon, np.float64), note))
    return tuple(outline for group in outlines.values() for outline in group)


def colour_map(logits: npt.NDArray[np.float32]) -> Image:
    """Text logits (h, w) as probabilities in colours that rise evenly in lightness: uint8 (h, w, 3) BGR."""
    probability = 1.0 / (1.0 + np.exp(-np.clip(np.nan_to_num(logits, nan=-30.0), -30.0, 30.0)))
    grey = np.rint(255.0 * probability).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_CIVIDIS), np.uint8)


def encode_within(image: Image, budget: int) -> str:
    """A JPEG of at most ``budget`` bytes as a data URI, as large as that allows.

    Args:
        image: uint8 (H, W, 3) BGR.
        budget: bytes, the URI's own coding included; 3,000 hold any picture, at the least size and quality.
    """
    side, quality, text = min(LARGEST, max(image.shape[:2])), 80, ""
    while True:
        factor = side / max(image.shape[:2])
        shape = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA) if factor < 1.0 else image
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        text = base64.b64encode(encoded).decode("ascii")
        excess = len(text) / budget
        if excess <= 1.0 or (side <= SMALLEST and quality <= 10):
            return f"data:image/jpeg;base64,{text}"
        if side > SMALLEST:  # bytes grow a little slower than the area
            side = max(SMALLEST, int(0.92 * side / math.sqrt(excess)))
        else:
            quality -= 14


def _extent(outlines: Sequence[Outline]) -> tuple[float, float]:
    """Width and height that hold all outlines, for pictures that could not be read."""
    if not outlines:
        return 1.0, 1.0
    far = np.max([outline.points.max(axis=0) for outline in outlines], axis=0)
    return max(1.0, float(far[0])), max(1.0, float(far[1]))
