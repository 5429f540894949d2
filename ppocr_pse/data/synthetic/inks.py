"""Chooses what words are painted with, so that they can be read on the ground they stand on (or cannot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ppocr_pse.data.synthetic.lettering import Contours
from ppocr_pse.data.synthetic.texture import Colour, Image, contrast, luma, paint_colour, window_round


@dataclass(frozen=True)
class Ink:
    """What letters are painted with; lengths in picture pixels.

    Attributes:
        colour: of the letters at their top.
        colour_below: of the letters at their bottom.
        weight: stroke drawn along the outlines to make letters bolder, its full width; 0 for none.
        hollow: paint the stroke only.
        edge: colour of a contrasting outline, None for none.
        edge_width: how far that outline reaches.
        halo: colour of a shadow or glow, None for none.
        halo_shift: where it falls, (dx, dy).
        halo_blur: its softness, a Gaussian sigma.
        relief: how far the ground's texture shows through, 0 to 1.
        wear: share of the paint that has gone, 0 to 1.
    """

    colour: Colour
    colour_below: Colour
    weight: float = 0.0
    hollow: bool = False
    edge: Colour | None = None
    edge_width: float = 0.0
    halo: Colour | None = None
    halo_shift: tuple[float, float] = (0.0, 0.0)
    halo_blur: float = 0.0
    relief: float = 0.0
    wear: float = 0.0

    @property
    def reach(self) -> float:
        """How far visible strokes extend beyond the letters' outlines, shadows not counted."""
        return max(self.weight / 2, self.edge_width if self.edge is not None else 0.0)


def choose_colour(rng: np.random.Generator, grounds: Sequence[Colour], least: float) -> Colour:
    """Draw a paint ``least`` grey levels away from every ground, or else the one that comes nearest to it."""
    extremes = [np.full(3, 250.0, np.float32), np.full(3, 8.0, np.float32)]
    paints = [paint_colour(rng) for _ in range(8)] + extremes
    worst = [min(contrast(paint, ground) for ground in grounds) for paint in paints]
    clear = [paint for paint, value in zip(paints, worst, strict=True) if value >= least]
    return clear[0] if clear else paints[int(np.argmax(worst))]


def faint_colour(rng: np.random.Generator, ground: Colour) -> Colour:
    """Draw a paint that hardly differs from the ground (2 to 9 grey levels)."""
    step = rng.uniform(2, 9) * (1 if luma(ground) < 128 else -1)
    return np.asarray(np.clip(ground + np.float32(step), 0, 255), np.float32)


def _grounds(picture: Image, words: list[list[Contours]]) -> tuple[list[Colour], float]:
    """Mean colour under every word, and the largest standard deviation of the brightness under one."""
    means, spreads = [], []
    for glyphs in words:
        points = np.concatenate([contour for glyph in glyphs for contour in glyph])
        window = window_round(points, 0, *picture.shape[:2])
        hull = cv2.convexHull(np.round(points - (window.left, window.top)).astype(np.int32))
        part = window.of(picture)
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(mask, [hull], (1,))
        mean, _ = cv2.meanStdDev(part, mask=mask)
        means.append(mean[:, 0].astype(np.float32))
        spreads.append(float(luma(part)[mask > 0].std()))
    return means, max(spreads)


def draw_ink(
    rng: np.random.Generator,
    picture: Image,
    words: list[list[Contours]],
    height: float,
    least: float,
    faint: bool,
) -> Ink:
    """Draw colours that can be read on the ground, with an outline or shadow where it is too lively."""
    grounds, spread = _grounds(picture, words)
    if faint:
        colour = faint_colour(rng, grounds[0])
        return Ink(colour, colour)
    need = max(least, 1.8 * spread)
    colour = choose_colour(rng, grounds, need)
    below = colour
    if rng.random() < 0.15:
        below = np.clip(colour * rng.uniform(0.6, 1.3) + rng.uniform(-20, 20, 3), 0, 255).astype(np.float32)
        below = below if min(contrast(below, ground) for ground in grounds) >= least else colour
    hard = min(contrast(colour, ground) for ground in grounds) < need
    edge = halo = None
    shift, blur = (0.0, 0.0), 0.0
    opposite = choose_colour(rng, [colour], 110)
    if rng.random() < (0.8 if hard else 0.08):
        edge = opposite
    if rng.random() < (0.5 if hard else 0.15):
        shift = (float(rng.uniform(-0.12, 0.12) * height), float(rng.uniform(0.0, 0.12) * height))
        blur = float(rng.uniform(0.0, 0.12) * height)
        halo = np.zeros(3, np.float32) if luma(colour) > 110 else opposite
    hollow = edge is None and height > 28 and rng.random() < 0.06
    weight = height * rng.uniform(0.05, 0.09) if hollow else height * rng.uniform(0, 0.08) * (rng.random() < 0.2)
    return Ink(
        colour=colour,
        colour_below=below,
        weight=float(weight),
        hollow=bool(hollow),
        edge=edge,
        edge_width=float(max(1.0, height * rng.uniform(0.05, 0.11))),
        halo=halo,
        halo_shift=shift,
        halo_blur=blur,
        relief=float(rng.uniform(0, 0.5)) if rng.random() < 0.4 else 0.0,
        wear=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.07 else 0.0,
    )
