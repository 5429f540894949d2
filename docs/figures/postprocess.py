"""Draw the pictures of docs/postprocess.md: ``python docs/figures/postprocess.py`` from the project's root."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ppocr_pse.postprocess import progressive_expand

COLOURS = {0: "white", 1: "#5b9bd5", 2: "#f4a261"}
UNLABELLED, PALE = "#d9d9d9", {1: "#bcd6ee", 2: "#fbdcc2"}


def two_words() -> np.ndarray:
    """Kernels bool (3, 11, 30) of two words whose text touches and whose smallest kernels do not."""
    y, x = np.mgrid[:11, :30]
    depths = [1 - np.hypot(np.maximum(np.abs(x - cx) - half, 0), y - 5) / 4.6 for cx, half in ((7.5, 2.6), (20.9, 3.9))]
    depth = np.maximum(*depths)
    return np.stack([depth > 0, depth > 0.3, depth > 0.55])


def draw_grid(axes: Axes, colours: np.ndarray, title: str) -> None:
    """Paint squares in the named colours, object (H, W)."""
    height, width = colours.shape
    for y in range(height):
        for x in range(width):
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colours[y, x], edgecolor="#999999", linewidth=0.4))
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xticks=[], yticks=[])
    axes.set_title(title, fontsize=9, loc="left")


def draw_levels(path: Path) -> None:
    """Two words whose texts touch, level by level."""
    kernels = two_words()
    figure, rows = plt.subplots(3, 1, figsize=(7, 8.2))
    titles = (
        "Seeds: the components of the smallest kernel (colour), inside the larger kernels (grey)",
        "Level 1: each label has taken what the middle kernel holds around it (pale: new)",
        "Level 0: the text map is divided; where two labels meet, whoever came first has the pixel",
    )
    before = np.zeros(kernels.shape[1:], int)
    for i, (axes, title) in enumerate(zip(rows, titles)):
        label = progressive_expand(kernels[2 - i :], 0)
        colours = np.where(kernels[0], UNLABELLED, "white").astype(object)
        for n in (1, 2):
            colours[label == n] = PALE[n]
            colours[(before == n) | ((label == n) & (i == 0))] = COLOURS[n]
        draw_grid(axes, colours, title)
        before = label
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_carried(path: Path) -> None:
    """The three-pixel case of the carried-pixel rule, level by level."""
    figure, rows = plt.subplots(1, 3, figsize=(9, 1.7))
    full, pale, white = COLOURS[1], PALE[1], "white"
    states = (
        ("Level 2: p is the seed", (white, full, white), "queue: p"),
        (
            "Level 1: p takes a",
            (white, full, pale),
            "p passed its label on: it is done\na passed on nothing: it is carried",
        ),
        (
            "Level 0: b is set, and left out",
            (UNLABELLED, full, full),
            "queue: a\na does not touch b; p would, but p is done",
        ),
    )
    for axes, (title, colours, text) in zip(rows, states):
        draw_grid(axes, np.array([colours], object), title)
        for x, name in enumerate("bpa"):
            axes.text(x + 0.5, 0.55, name, ha="center", va="center", fontsize=12)
        axes.text(0, 1.15, text, va="top", fontsize=8)
    figure.subplots_adjust(bottom=0.32, top=0.88, wspace=0.15, left=0.02, right=0.98)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_cells(path: Path) -> None:
    """One kernel's logits on their grid, and which cells have to be interpolated."""
    y, x = np.mgrid[:9, :22]
    logit = 3.2 - np.hypot((y - 4) * 1.15, np.maximum(np.abs(x - 10.5) - 7, 0) * 1.1)
    figure, axes = plt.subplots(figsize=(7.5, 3.3))
    for j in range(8):
        for i in range(21):
            corners = logit[j : j + 2, i : i + 2] > 0
            colour = COLOURS[1] if corners.all() else COLOURS[2] if corners.any() else "white"
            axes.add_patch(Rectangle((i, j), 1, 1, facecolor=colour, edgecolor="#bbbbbb", linewidth=0.6))
    axes.contour(x, y, logit, levels=[0], colors="black", linewidths=1.2)
    axes.plot(x.ravel(), y.ravel(), "k.", markersize=2.5)
    axes.set(xlim=(-0.3, 21.3), ylim=(8.3, -0.3), aspect="equal", xticks=[], yticks=[])
    axes.set_title(
        "Dots: logits of one kernel. A square is a cell, 4 x 4 pixels at scale 1.\n"
        "Blue: all four corners exceed the threshold. White: none does. Orange: to be interpolated.",
        fontsize=9,
        loc="left",
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    folder = Path(__file__).parent
    draw_levels(folder / "postprocess_levels.png")
    draw_carried(folder / "postprocess_carried.png")
    draw_cells(folder / "postprocess_cells.png")
