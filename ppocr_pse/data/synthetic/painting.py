"""Paints boards, shadows, outlines and ink onto a picture, all smooth-edged; tells what can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.synthetic.inks import Ink
from ppocr_pse.data.synthetic.lettering import Contours, Points
from ppocr_pse.data.synthetic.texture import (
    Colour,
    Image,
    Window,
    clouds,
    contrast,
    luma,
    paint_colour,
    window_round,
)

Coverage = npt.NDArray[np.float32]
"""float32 (h, w), the share of each pixel that is covered, 0 to 1."""


@dataclass(frozen=True)
class PaintedWord:
    """Where the ink of a word went.

    Attributes:
        window: the part of the picture.
        ink: coverage inside it.
    """

    window: Window
    ink: Coverage


def coverage(glyphs: Sequence[Contours], window: Window, stroke: float = 0.0, fill: bool = True) -> Coverage:
    """Rasterise outlines with smooth edges.

    Args:
        glyphs: contours in picture pixels; holes by the even-odd rule within a glyph.
        window: where to.
        stroke: width of a line along the outlines in pixels, 0 for none.
        fill: whether the inside is painted.

    Returns:
        float32 (h, w) of the window.
    """
    tall, wide = window.bottom - window.top, window.right - window.left
    # cv2 paints the border too, half a fine pixel beyond the outline: small letters need many fine pixels.
    factor = 8 if tall * wide < 12_000 else 4 if tall * wide < 120_000 else 2
    canvas = np.zeros((tall * factor, wide * factor), np.uint8)
    # A pixel's centre has whole coordinates: move to corners, enlarge, move back; 1/16 pixel for cv2.
    origin = np.array([window.left - 0.5, window.top - 0.5])
    for glyph in glyphs:
        outlines = [np.round(((contour - origin) * factor - 0.5) * 16).astype(np.int32) for contour in glyph]
        if fill:
            cv2.fillPoly(canvas, outlines, (255,), cv2.LINE_8, 4)
        if stroke > 0:
            cv2.polylines(canvas, outlines, True, (255,), max(1, round(stroke * factor)), cv2.LINE_8, 4)
    small = cv2.resize(canvas, (wide, tall), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255.0)


def blend(picture: Image, window: Window, share: Coverage, colour: npt.NDArray[np.floating]) -> None:
    """Paint ``colour``, (3,) or (h, w, 3), over a window with the given coverage, in place."""
    part = window.of(picture)
    mixed = part + (np.asarray(colour, np.float32) - part) * share[:, :, None]
    part[:] = np.rint(mixed, out=mixed)  # both lie in 0..255, so does the mixture


def paint_word(rng: np.random.Generator, picture: Image, glyphs: Sequence[Contours], ink: Ink) -> PaintedWord:
    """Paint one word, given as contours in picture pixels, in place."""
    points = np.concatenate([contour for glyph in glyphs for contour in glyph])
    margin = ink.reach + 3.0 + (3 * ink.halo_blur + max(map(abs, ink.halo_shift)) if ink.halo is not None else 0.0)
    window = window_round(points, margin, *picture.shape[:2])
    part = window.of(picture)
    letters = coverage(glyphs, window, ink.weight, not ink.hollow)
    behind = letters if ink.edge is None else coverage(glyphs, window, 2 * ink.edge_width)
    if ink.halo is not None:
        shift = np.array([[1, 0, ink.halo_shift[0]], [0, 1, ink.halo_shift[1]]], np.float32)
        shadow = cv2.warpAffine(behind, shift, (behind.shape[1], behind.shape[0]))
        if ink.halo_blur > 0.2:
            shadow = cv2.GaussianBlur(shadow, (0, 0), ink.halo_blur)
        blend(picture, window, np.clip(1.4 * shadow, 0, 1) * np.float32(0.75), ink.halo)
    if ink.edge is not None:
        blend(picture, window, behind, ink.edge)
    if ink.wear > 0:
        letters = letters * np.clip(1.7 + clouds(rng, len(letters), letters.shape[1], 8, 2) - 2 * ink.wear, 0.15, 1)
    ramp = np.linspace(0, 1, letters.shape[0], dtype=np.float32)[:, None, None]
    shade = ink.colour * (1 - ramp) + ink.colour_below * ramp
    if ink.relief > 0:
        ground = luma(part)
        shade = shade * (1 + ink.relief * (ground - ground.mean()) / 128)[:, :, None]
    blend(picture, window, letters, np.clip(shade, 0, 255))
    return PaintedWord(window, letters)


def paint_plate(rng: np.random.Generator, picture: Image, outline: Points, colour: Colour, rim: float) -> None:
    """Paint a signboard: an even or shaded face, sometimes a rim and a shadow, in place.

    Args:
        rng: where the random numbers come from.
        picture: uint8 (H, W, 3).
        outline: its border in picture pixels (N, 2).
        colour: of the face.
        rim: width of the frame in pixels, 0 for none.
    """
    window = window_round(outline, 8 + rim, *picture.shape[:2])
    face = coverage([(outline,)], window)
    size = (face.shape[1], face.shape[0])
    if rng.random() < 0.4:
        shift = np.array([[1, 0, rng.uniform(-4, 4)], [0, 1, rng.uniform(1, 5)]], np.float32)
        shadow = cv2.GaussianBlur(cv2.warpAffine(face, shift, size), (0, 0), 2.5)
        blend(picture, window, shadow * np.float32(0.5), np.zeros(3, np.float32))
    stains = rng.uniform(0, 0.09) * clouds(rng, *size[::-1], rng.uniform(60, 250))
    ramp = rng.uniform(-0.12, 0.12) * np.linspace(-1, 1, face.shape[0], dtype=np.float32)[:, None]
    see_through = 1.0 if rng.random() < 0.85 else rng.uniform(0.5, 0.9)
    shade = np.clip((1 + stains + ramp)[:, :, None] * colour, 0, 255)
    blend(picture, window, face * np.float32(see_through), shade)
    if rim > 0:
        blend(picture, window, coverage([(outline,)], window, rim, False), paint_colour(rng))


def is_readable(picture: Image, word: PaintedWord, height: float, least: float) -> bool:
    """Measure in the finished picture whether a word's ink stands out from what is next to it.

    Args:
        picture: uint8 (H, W, 3) after all light, blur, noise and compression.
        word: where the ink went.
        height: height of capitals in the picture, pixels.
        least: smallest contrast of mean ink and mean surroundings, grey levels.

    Returns:
        True when the contrast reaches ``least`` and is not drowned by the texture of the surroundings.
    """
    part = word.window.of(picture).astype(np.float32)
    body = word.ink * word.ink
    if body.sum() < 4:
        return False
    near = max(3, 2 * round(0.12 * height) + 1)
    ring = cv2.dilate(word.ink, np.ones((near, near), np.uint8)) - cv2.dilate(word.ink, np.ones((3, 3), np.uint8))
    ring = ring if ring.sum() >= 4 else 1 - word.ink
    inside = (part * body[:, :, None]).sum(axis=(0, 1)) / body.sum()
    outside = (part * ring[:, :, None]).sum(axis=(0, 1)) / ring.sum()
    spread = float(np.sqrt((ring * (luma(part) - luma(outside)) ** 2).sum() / ring.sum()))
    return contrast(inside, outside) >= max(least, 0.9 * spread)
