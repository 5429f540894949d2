"""Seeded text-like scenes for the benchmark of the post-processing: logits as a trained PSENet gives them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

KERNELS = 7
STYLES = ("straight", "rotated", "curved", "touching")


def _centre_line(style: str, length: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Points along a word's centre line, about the origin: float64 (N, 2) in cells."""
    t = np.linspace(-0.5, 0.5, max(3, int(length) + 1))
    if style == "curved":
        bend = rng.uniform(0.6, 1.4) * rng.choice([-1, 1])
        radius = length / abs(bend)
        angle = t * abs(bend)
        line = np.stack([radius * np.sin(angle), np.sign(bend) * radius * (np.cos(angle) - 0.97)], 1)
    else:
        line = np.stack([t * length, np.zeros_like(t)], 1)
    turn = rng.uniform(-0.45, 0.45) if style in ("rotated", "curved") else 0.0
    c, s = np.cos(turn), np.sin(turn)
    return line @ np.array([[c, s], [-s, c]])


def scene(
    height: int, width: int, words: int, style: str, seed: int, word: tuple[float, float] | None = None
) -> npt.NDArray[np.float32]:
    """Draw logits of ``words`` words.

    Args:
        height: of the network's input, a multiple of 4.
        width: of the network's input, a multiple of 4.
        words: how many; each has its own place in a grid, so they cannot hide one another.
        style: ``straight``, ``rotated``, ``curved`` or ``touching`` (neighbours share their ends).
        seed: same seed, same scene.
        word: (length, height) of a word in input pixels; None: as large as its place allows, at most 140 x 32.

    Returns:
        float32 (7, height / 4, width / 4): logits from -8 to 8, steep at the borders, with a little noise.
    """
    rng = np.random.default_rng((seed, words, STYLES.index(style)))
    h, w = height // 4, width // 4
    columns = max(1, round(np.sqrt(words * w / h / 3)))
    rows = -(-words // columns)
    cell_w, cell_h = w / columns, h / rows
    place = (min(0.75 * cell_w, 35.0), min(0.6 * cell_h, 8.0)) if word is None else (word[0] / 4, word[1] / 4)
    # Depth below the outline in units of half a word's height: 0 at the outline, 1 at the centre line.
    depth = np.full((h, w), -8.0, np.float32)
    slope = np.full((h, w), 1.0, np.float32)
    for i in rng.permutation(rows * columns)[:words]:
        cy, cx = (i // columns + 0.5) * cell_h, (i % columns + 0.5) * cell_w
        length, half = place[0] * rng.uniform(0.8, 1.0), max(1.75, place[1] * rng.uniform(0.4, 0.5))
        if style == "touching":
            length = cell_w - 2 * half + 0.8
        line = _centre_line(style, max(length - 2 * half, 1.0), rng) + np.array([cx, cy])
        (x0, y0), (x1, y1) = np.floor(line.min(0) - half - 3), np.ceil(line.max(0) + half + 4)
        x0, y0, x1, y1 = max(int(x0), 0), max(int(y0), 0), min(int(x1), w), min(int(y1), h)
        if x0 >= x1 or y0 >= y1:
            continue
        yy, xx = np.mgrid[y0:y1, x0:x1]
        distance = np.sqrt(((xx[..., None] - line[:, 0]) ** 2 + (yy[..., None] - line[:, 1]) ** 2).min(-1))
        inside = (1.0 - distance / half).astype(np.float32)
        window = (slice(y0, y1), slice(x0, x1))
        nearer = inside > depth[window]
        slope[window][nearer] = half
        depth[window][nearer] = inside[nearer]
    shrink = 0.1 * np.arange(KERNELS, dtype=np.float32)[:, None, None]
    logits = np.clip(4.0 * slope * (depth - shrink), -8.0, 8.0)
    return (logits + rng.normal(0.0, 0.2, logits.shape)).astype(np.float32)
