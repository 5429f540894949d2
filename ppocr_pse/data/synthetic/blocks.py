"""Blocks of text: words set in lines, on a straight or bent baseline, and the polygons that hug them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.synthetic.lettering import FONTS, Arc, Bend, Contours, Hand, Points, Warp, Wave, set_word
from ppocr_pse.data.synthetic.words import draw_line
from ppocr_pse.types import Polygon

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in local pixels."""


@dataclass(frozen=True)
class Word:
    """One word in the local frame of its block.

    Attributes:
        text: the transcription.
        glyphs: the letters' outlines, local pixels.
        box: the ink's extent.
    """

    text: str
    glyphs: tuple[Contours, ...]
    box: Box


@dataclass(frozen=True)
class Block:
    """Words that stand together.

    Attributes:
        words: in reading order.
        box: extent of all ink in the local frame, before the bend.
        bend: what curves the lines, None for straight ones.
        height: height of capitals in local pixels.
    """

    words: tuple[Word, ...]
    box: Box
    bend: Bend | None
    height: float


def _ink_box(glyphs: tuple[Contours, ...]) -> Box:
    points = np.concatenate([contour for glyph in glyphs for contour in glyph])
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _move(glyphs: tuple[Contours, ...], dx: float, dy: float) -> tuple[Contours, ...]:
    return tuple(tuple(contour + np.array([dx, dy]) for contour in glyph) for glyph in glyphs)


def _draw_bend(rng: np.random.Generator, box: Box, height: float) -> Bend:
    """Draw an arc or a wave on which letters of a block this large neither fold nor spread apart."""
    width = box[2] - box[0]
    if rng.random() < 0.25 and width > 5 * height:
        period = width * rng.uniform(0.7, 1.6)
        steepest = min(0.5, 0.25 * period / (2 * np.pi * max(-box[1], box[3], height)))
        return Wave(rng.uniform(0.5, 1.0) * steepest * period / (2 * np.pi), period, rng.uniform(0, 2 * np.pi))
    sign = 1.0 if rng.random() < 0.65 else -1.0
    inner = max(box[3], 0.0) if sign > 0 else max(-box[1], 0.0)
    sharpest = min(np.radians(150) / width, 0.45 / max(inner, 0.45 * height))
    return Arc(sign * sharpest * rng.uniform(0.4, 1.0))


def set_block(rng: np.random.Generator, lines: list[list[str]], hand: Hand, curved: bool) -> Block:
    """Set lines of words about the origin.

    Args:
        rng: for alignment, the distance of lines and words, and the bend.
        lines: words line by line, none empty.
        hand: how the words are written.
        curved: whether the lines are bent.

    Returns:
        The block; its box is centred on the origin.
    """
    space = hand.height * (rng.uniform(0.5, 0.8) + 2.2 * max(hand.tracking, 0.0)) * max(hand.stretch, 0.8)
    pitch = hand.height * rng.uniform(1.7, 2.4)
    align = rng.choice([0.0, 0.5, 0.5, 1.0]) if not curved else 0.5
    rows = []
    for row, texts in enumerate(lines):
        pen, words = 0.0, []
        for text in texts:
            glyphs, length = set_word(text, hand)
            shown = text.replace("$", "£") if hand.font == "cmti10" else text  # TeX's italic dollar is a pound
            words.append((shown, _move(glyphs, pen, row * pitch)))
            pen += length + space
        rows.append((pen - space, words))
    widest = max(width for width, _ in rows)
    placed = [(text, _move(glyphs, (widest - width) * align, 0.0)) for width, words in rows for text, glyphs in words]
    boxes = np.array([_ink_box(glyphs) for _, glyphs in placed])
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    dx, dy = -(left + right) / 2, -(top + bottom) / 2
    words_at_origin = tuple(
        Word(text, moved, _ink_box(moved)) for text, moved in ((t, _move(glyphs, dx, dy)) for t, glyphs in placed)
    )
    box = (float(left + dx), float(top + dy), float(right + dx), float(bottom + dy))
    return Block(words_at_origin, box, _draw_bend(rng, box, hand.height) if curved else None, hand.height)


def draw_lines(rng: np.random.Generator, wanted: int, height: float, curved: bool) -> list[list[str]]:
    """Draw the words of a block: large letters come alone, small ones in lines and paragraphs."""
    if curved:
        rows, columns = (2 if rng.random() < 0.2 else 1), 3
    else:
        rows, columns = (2, 2) if height > 45 else (3, 3) if height > 22 else (5, 4)
        rows = int(rng.integers(1, rows + 1))
    lines: list[list[str]] = []
    while wanted > 0 and len(lines) < rows:
        lines.append(draw_line(rng, min(wanted, int(rng.integers(1, columns + 1)))))
        wanted -= len(lines[-1])
    return lines


def draw_hand(rng: np.random.Generator, height: float) -> Hand:
    """Draw a font, spacing, width and slant."""
    tracking = rng.uniform(0.05, 0.3) if rng.random() < 0.2 else rng.uniform(-0.02, 0.06)
    slant = rng.uniform(-0.15, 0.35) if rng.random() < 0.12 else 0.0
    return Hand(str(rng.choice(FONTS)), height, tracking, float(np.clip(rng.normal(1.0, 0.13), 0.65, 1.4)), slant)


def frame(box: Box, margin: float, per_side: int) -> Points:
    """Outline of a box as local points, clockwise on the screen from the top left corner.

    Args:
        box: the box.
        margin: distance by which it is widened on every side.
        per_side: points along the top and as many along the bottom, >= 2.

    Returns:
        float64 (2 * per_side, 2).
    """
    left, top, right, bottom = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
    along = np.linspace(left, right, per_side)
    upper = np.stack([along, np.full(per_side, top)], axis=1)
    lower = np.stack([along[::-1], np.full(per_side, bottom)], axis=1)
    return np.concatenate([upper, lower])


def word_polygon(word: Word, warp: Warp, margin: float) -> Polygon:
    """Polygon that hugs the ink of a word in the picture.

    Straight words have 4 points, bent ones 8 to 14, more the further they turn; clockwise from the start
    of reading.

    Args:
        word: the word in its local frame.
        warp: from there into the picture.
        margin: local pixels by which strokes reach beyond the letters' outlines.

    Returns:
        float32 (N, 2), pixels.
    """
    if warp.bend is None:
        return warp(frame(word.box, margin, 2)).astype(np.float32)
    middle = (word.box[1] + word.box[3]) / 2
    x = np.linspace(word.box[0], word.box[2], 9)
    steps = np.diff(warp.bend(np.stack([x, np.full_like(x, middle)], axis=1)), axis=0)
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    turn = float(np.abs(np.diff(heading)).sum())
    count = 4 + min(3, int(turn / 0.3))
    dense = warp(frame(word.box, margin, 2 * count - 1))
    upper, lower = _chords(dense[: 2 * count - 1]), _chords(dense[2 * count - 1 :])
    return np.concatenate([upper, lower]).astype(np.float32)


def _chords(curve: Points) -> Points:
    """Every second point of a curve, moved so that the chords run half outside and half inside of it."""
    ends, middles = curve[::2], curve[1::2]
    bulge = (middles - (ends[:-1] + ends[1:]) / 2) / 2
    moved = ends.copy()
    moved[1:-1] += (bulge[:-1] + bulge[1:]) / 2
    moved[[0, -1]] += bulge[[0, -1]]
    return moved


def mean_scale(local: npt.NDArray[np.floating], mapped: npt.NDArray[np.floating]) -> float:
    """Ratio of the mean height of a mapped outline to that of the local one, both made by ``frame``."""
    half = len(local) // 2
    before = np.linalg.norm(local[:half] - local[half:][::-1], axis=1).mean()
    after = np.linalg.norm(mapped[:half] - mapped[half:][::-1], axis=1).mean()
    return float(after / max(before, 1e-6))
