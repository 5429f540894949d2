"""Things in a scene that are not text although their strokes resemble it; each is drawn in place."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from ppocr_pse.data.synthetic.texture import Image, paint_colour, wall_colour

Thing = Callable[[np.random.Generator, Image], None]
_SHIFT = 4  # cv2 reads coordinates as 1/16 pixel


def _spot(rng: np.random.Generator, picture: Image, margin: float = 0.0) -> tuple[int, int]:
    height, width = picture.shape[:2]
    return int(rng.uniform(-margin, 1 + margin) * width), int(rng.uniform(-margin, 1 + margin) * height)


def _colour(rng: np.random.Generator) -> list[float]:
    return (paint_colour(rng) * 0.85 if rng.random() < 0.3 else wall_colour(rng)).tolist()


def _turned(rng: np.random.Generator, points: np.ndarray, centre: tuple[int, int], limit: float) -> np.ndarray:
    angle = rng.uniform(-limit, limit)
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = points @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return np.round(turned * (1 << _SHIFT)).astype(np.int32)


def _polygon(picture: Image, points: np.ndarray, colour: list[float]) -> None:
    cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, _SHIFT)


def wires(rng: np.random.Generator, picture: Image) -> None:
    """Cables that hang between two ends."""
    (x1, y1), (x2, y2) = _spot(rng, picture, 0.3), _spot(rng, picture, 0.3)
    t = np.linspace(0, 1, 24)
    colour = _colour(rng)
    for _ in range(int(rng.integers(1, 5))):
        sag = rng.uniform(0, 80)
        line = np.stack([x1 + (x2 - x1) * t, y1 + (y2 - y1) * t + sag * 4 * t * (1 - t)], axis=1)
        cv2.polylines(picture, [np.round(line).astype(np.int32)], False, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        y1, y2 = y1 + int(rng.integers(-30, 30)), y2 + int(rng.integers(-30, 30))


def pole(rng: np.random.Generator, picture: Image) -> None:
    """A post or a beam across the picture, darker on one side."""
    height, width = picture.shape[:2]
    x, thick, lean = rng.uniform(0, width), rng.uniform(4, 45), rng.uniform(-40, 40)
    colour = np.array(_colour(rng))
    for share in np.linspace(0, 1, 5)[:-1]:
        left, right = x + thick * share, x + thick * (share + 0.25)
        strip = np.array([[left, 0], [right, 0], [right + lean, height], [left + lean, height]])
        cv2.fillPoly(picture, [np.round(strip).astype(np.int32)], (colour * (0.65 + 0.5 * share)).clip(0, 255).tolist())


def panel(rng: np.random.Generator, picture: Image) -> None:
    """An empty board, screen or door with a frame."""
    wide, tall = rng.uniform(30, 260), rng.uniform(20, 200)
    box = np.array([[-wide, -tall], [wide, -tall], [wide, tall], [-wide, tall]]) / 2
    points = _turned(rng, box + rng.normal(0, 4, (4, 2)), _spot(rng, picture), 0.2)
    _polygon(picture, points, _colour(rng))
    cv2.polylines(picture, [points], True, _colour(rng), int(rng.integers(1, 7)), cv2.LINE_AA, _SHIFT)


def rings(rng: np.random.Generator, picture: Image) -> None:
    """A round sign, wheel, lamp or clock face without digits."""
    centre, radius = _spot(rng, picture), rng.uniform(6, 80)
    while radius > 3:
        thickness = -1 if rng.random() < 0.5 else int(rng.integers(1, 8))
        cv2.circle(picture, centre, int(radius), _colour(rng), thickness, cv2.LINE_AA)
        radius *= rng.uniform(0.3, 0.85)


def arrow(rng: np.random.Generator, picture: Image) -> None:
    """A thick direction arrow."""
    size, neck, head = rng.uniform(12, 90), rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.6)
    shape = [[-1, -neck], [0, -neck], [0, -head], [1, 0], [0, head], [0, neck], [-1, neck]]
    points = _turned(rng, np.array(shape) * size, _spot(rng, picture), np.pi)
    _polygon(picture, points, _colour(rng))


def lattice(rng: np.random.Generator, picture: Image) -> None:
    """A window grid, fence or grille."""
    wide, tall, pitch = rng.uniform(40, 240), rng.uniform(30, 200), rng.uniform(6, 34)
    centre, colour, thick = _spot(rng, picture), _colour(rng), int(rng.integers(1, 5))
    bars = [[[x, -tall / 2], [x, tall / 2]] for x in np.arange(-wide / 2, wide / 2, pitch)]
    if rng.random() < 0.6:
        step = pitch * rng.uniform(0.7, 3)
        bars += [[[-wide / 2, y], [wide / 2, y]] for y in np.arange(-tall / 2, tall / 2, step)]
    lines = _turned(rng, np.array(bars), centre, 0.3 if rng.random() < 0.7 else 1.0)
    cv2.polylines(picture, list(lines), False, colour, thick, cv2.LINE_AA, _SHIFT)


def barcode(rng: np.random.Generator, picture: Image) -> None:
    """Bars of uneven width side by side: the hardest non-text of all."""
    tall, light, dark = rng.uniform(8, 60), _colour(rng), _colour(rng)
    edges = np.cumsum(rng.uniform(1.5, 9, int(rng.integers(6, 40))))
    centre, angle = _spot(rng, picture), rng.uniform(-0.3, 0.3)
    around = np.array([[-6, -4], [edges[-1] + 6, -4], [edges[-1] + 6, tall + 4], [-6, tall + 4]])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for box, colour in [(around, light)] + [
        (np.array([[a, 0], [b, 0], [b, tall], [a, tall]]), dark) for a, b in zip(edges[:-1:2], edges[1::2], strict=True)
    ]:
        _polygon(picture, np.round((box @ turn + centre) * (1 << _SHIFT)).astype(np.int32), colour)


def dots(rng: np.random.Generator, picture: Image) -> None:
    """Rivets, holes, studs: a row or a field of equal dots."""
    columns, rows, pitch = rng.integers(3, 20), rng.integers(1, 6), rng.uniform(6, 34)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) * pitch
    radius, colour = max(1, int(pitch * rng.uniform(0.12, 0.45))), _colour(rng)
    for centre in _turned(rng, grid, _spot(rng, picture), 0.5):
        cv2.circle(picture, centre.tolist(), radius << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)


def branches(rng: np.random.Generator, picture: Image) -> None:
    """Twigs and cracks: random walks that thin out."""
    colour = _colour(rng)
    for _ in range(int(rng.integers(1, 5))):
        heading = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, 0.35, 14))
        steps = rng.uniform(6, 30) * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        path = np.round(np.cumsum(steps, axis=0) + _spot(rng, picture)).astype(np.int64).tolist()
        for rank, (start, end) in enumerate(pairwise(path)):
            cv2.line(picture, start, end, colour, max(1, 7 - rank), cv2.LINE_AA)


def blob(rng: np.random.Generator, picture: Image) -> None:
    """A smooth lump with a lit side, as of a passer-by, a car, a fruit."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = rng.uniform(15, 110) * (1 + 0.25 * np.sin(turn * rng.integers(2, 5) + rng.uniform(0, 6)))
    outline = np.stack([np.cos(turn) * radius * rng.uniform(0.5, 1.3), np.sin(turn) * radius], axis=1)
    centre, colour = _spot(rng, picture, 0.1), np.array(_colour(rng))
    for step in range(6):
        shifted = outline * (1 - step * 0.13) + rng.uniform(-2, 2, 2) - step * 2
        lit = (colour * (0.7 + 0.1 * step)).clip(0, 255).tolist()
        _polygon(picture, np.round((shifted + centre) * (1 << _SHIFT)).astype(np.int32), lit)


THINGS: tuple[Thing, ...] = (wires, pole, panel, rings, arrow, lattice, barcode, dots, branches, blob)


def add_clutter(rng: np.random.Generator, picture: Image, count: int) -> None:
    """Draw ``count`` random things onto ``picture`` (uint8 (H, W, 3)), in place."""
    for _ in range(count):
        THINGS[int(rng.integers(len(THINGS)))](rng, picture)
