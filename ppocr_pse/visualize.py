"""Draw what a person wants to look at: detections on pictures, training curves, contact sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.types import Detections

Image = npt.NDArray[np.uint8]
# Okabe and Ito's colours (BGR), which colour-blind people can tell apart
ORANGE, SKY, GREEN, BLUE, VERMILION = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (178, 114, 0),
    (0, 94, 213),
)


def draw_detections(
    image: Image, detections: Detections, with_scores: bool = False, colour: tuple[int, int, int] = VERMILION
) -> Image:
    """Outline every text on a copy of the picture.

    Args:
        image: uint8 (H, W, 3) BGR.
        detections: polygons in pixels of ``image``.
        with_scores: write each score beside its text.
        colour: BGR.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    canvas = image.copy()
    width = max(1, round(max(canvas.shape[:2]) / 500))
    for polygon, score in zip(detections.polygons, detections.scores, strict=False):
        points = np.asarray(polygon, np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], True, (255, 255, 255), width * 3, cv2.LINE_AA)
        cv2.polylines(canvas, [points], True, colour, width + 1, cv2.LINE_AA)
        if with_scores:
            x, y = points[:, 0].min(axis=0).tolist()
            place = (x, max(12, y - 3))
            cv2.putText(canvas, f"{score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 3, cv2.LINE_AA)
            cv2.putText(canvas, f"{score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return canvas


def contact_sheet(images: Sequence[Image], columns: int = 4, cell: tuple[int, int] = (240, 320)) -> Image:
    """Put pictures side by side, each shrunk into a cell of (height, width) pixels, on grey.

    Raises:
        ValueError: when there are no pictures.
    """
    if not images:
        raise ValueError("contact_sheet: no pictures, expected at least one")
    height, width = cell
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + 4), min(columns, len(images)) * (width + 4), 3), 60, np.uint8)
    for i, image in enumerate(images):
        scale = min(height / image.shape[0], width / image.shape[1])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        top, left = (i // columns) * (height + 4) + 2, (i % columns) * (width + 4) + 2
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


PANELS = (
    ("loss", ("loss", "loss_text", "loss_kernels")),
    ("IoU with the targets", ("iou_text", "iou_kernel")),
    ("learning rate", ("lr",)),
    ("evaluation", ("hmean", "precision", "recall")),
)


def draw_curves(rows: Sequence[Mapping[str, Any]], file: Path, title: str = "") -> None:
    """Draw a training run as four panels over steps: losses, IoUs, learning rate, evaluation.

    Args:
        rows: each with ``global_step`` and any of the columns of ``metrics.csv``; empty ones are left out.
        file: PNG to write (through a temporary file, so that a viewer never meets half a picture).
        title: of the whole figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, columns) in zip(figure.subplots(2, 2).flat, PANELS, strict=False):
        for column in columns:
            points = [
                (int(row["global_step"]), float(row[column])) for row in rows if row.get(column) not in ("", None)
            ]
            if points:
                steps, values = zip(*points, strict=False)
                marker = "o" if name == "evaluation" else None
                axes.plot(steps, values, label=column, linewidth=1.3, marker=marker, markersize=3)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
        if name not in ("learning rate",):
            axes.set_ylim(bottom=0)
    figure.suptitle(title, fontsize=11)
    temporary = file.with_name(file.name + ".tmp")
    figure.savefig(temporary, format="png", dpi=110)
    temporary.replace(file)


def write_image(file: Path, image: Image) -> None:
    """Write a picture; names and folders may hold any characters.

    Args:
        file: its ending chooses the format.
        image: uint8 (H, W, 3) BGR.

    Raises:
        OSError: if it cannot be written or OpenCV does not know the format.
    """
    encoded: npt.NDArray[np.uint8] | None = None
    try:
        good, encoded = cv2.imencode(file.suffix, image)
    except cv2.error as error:
        raise OSError(f"{file}: cannot encode a picture as {file.suffix!r} ({error.err})") from None
    if not good or encoded is None:
        raise OSError(f"{file}: cannot encode a picture as {file.suffix!r}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded.tobytes())
