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


def draw_labels(
    image: Image, polygons: Sequence[npt.NDArray[np.float32]], ignored: Sequence[bool], faulty: Sequence[bool]
) -> Image:
    """Outline labels on a copy of the picture: green text, blue don't-care, red and ringed what is faulty.

    Args:
        image: uint8 (H, W, 3) BGR.
        polygons: float32 (N, 2) each, in pixels of ``image``; they may leave it.
        ignored: which are don't-care.
        faulty: which have a fault.
    """
    canvas = image.copy()
    width = max(1, round(max(canvas.shape[:2]) / 500))
    for polygon, skip, wrong in zip(polygons, ignored, faulty, strict=True):
        points = np.clip(np.nan_to_num(polygon), -1e4, 1e4).round().astype(np.int32).reshape(-1, 1, 2)
        colour = VERMILION if wrong else SKY if skip else GREEN
        cv2.polylines(canvas, [points], True, colour, width + wrong, cv2.LINE_AA)
        if wrong:  # a ring, so that a small one is seen
            (x, y), radius = cv2.minEnclosingCircle(points.astype(np.float32))
            cv2.circle(canvas, (round(x), round(y)), round(radius) + 10 * width, colour, 1, cv2.LINE_AA)
    return canvas


def caption(image: Image | None, lines: Sequence[str], cell: tuple[int, int]) -> Image:
    """Put lines of text under a picture, in a cell that they fill together.

    Args:
        image: uint8 (H, W, 3) BGR, resized to fit; None leaves a crossed field.
        lines: each cut at its beginning when it is too long; characters outside ASCII are shown as ``?``.
        cell: (height, width) of the result in pixels.
    """
    height, width = cell
    bar = 15 * len(lines) + 4
    canvas = np.full((height, width, 3), 30, np.uint8)
    if image is None:
        for left, right in ((0, width - 1), (width - 1, 0)):
            cv2.line(canvas, (left, 0), (right, height - bar), (90, 90, 90), 2, cv2.LINE_AA)
    else:
        scale = min((height - bar) / image.shape[0], width / image.shape[1])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left = (width - size[0]) // 2
        canvas[: size[1], left : left + size[0]] = small
    room = width // 7
    for i, line in enumerate(lines):
        shown = line if len(line) <= room else f"...{line[3 - room :]}"
        place = (4, height - bar + 15 * (i + 1) - 2)
        cv2.putText(canvas, shown, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (235, 235, 235), 1, cv2.LINE_AA)
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


def draw_sample(
    image: Image,
    text: npt.NDArray[np.uint8],
    kernels: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.uint8],
    title: str,
) -> Image:
    """Put a training sample's picture, text map, kernels and mask side by side under a title.

    Args:
        image: uint8 (H, W, 3) BGR.
        text: uint8 (H, W), 0 and 1; shown white.
        kernels: uint8 (K, H, W), 0 and 1; a pixel's colour tells in how many of them it lies, yellow in all.
        mask: uint8 (H, W), 0 and 1; shown dark over the picture where training does not look.
        title: characters outside ASCII are shown as ``?``.

    Returns:
        uint8 (H + 44, 4 * W + 12, 3) BGR.
    """
    depth = kernels.sum(axis=0, dtype=np.int32)
    shades = np.linspace(60, 255, len(kernels)).astype(np.uint8)
    colours = np.concatenate([np.zeros((1, 3), np.uint8), cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)[:, 0]])
    panels = {
        "picture": image,
        "text map": cv2.cvtColor(text * np.uint8(255), cv2.COLOR_GRAY2BGR),
        f"{len(kernels)} kernels, yellow in all": colours[depth],
        "training mask, dark: ignored": np.where(mask[:, :, None] > 0, image // 2 + 127, image // 4),
    }
    height, width = image.shape[:2]
    sheet = np.full((height + 44, 4 * width + 12, 3), 30, np.uint8)
    _write(sheet, title, 4, 15)
    for i, (name, panel) in enumerate(panels.items()):
        left = i * (width + 4)
        _write(sheet, name, left + 4, 37)
        sheet[44:, left : left + width] = panel
    return sheet


def _write(canvas: Image, text: str, x: int, y: int) -> None:
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, shown, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)


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


def encode_image(ending: str, image: Image) -> bytes:
    """A picture as the content of a file.

    Args:
        ending: of the file, such as ``.png``; it chooses the format.
        image: uint8 (H, W, 3) BGR.

    Raises:
        OSError: if OpenCV does not know the format, or the format does not take so many pixels.
    """
    encoded: npt.NDArray[np.uint8] | None = None
    why = ""
    try:
        good, encoded = cv2.imencode(ending, image)
    except cv2.error as error:
        good, why = False, f" ({error.err})"
    if not good or encoded is None:
        raise OSError(f"cannot encode a picture of {image.shape[1]} x {image.shape[0]} pixels as {ending!r}{why}")
    return encoded.tobytes()


def write_image(file: Path, image: Image) -> None:
    """Write a picture; names and folders may hold any characters.

    Args:
        file: its ending chooses the format.
        image: uint8 (H, W, 3) BGR.

    Raises:
        OSError: if it cannot be written or OpenCV does not know the format.
    """
    try:
        content = encode_image(file.suffix, image)
    except OSError as error:
        raise OSError(f"{file}: {error}") from None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
