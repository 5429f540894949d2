"""Colours and noise fields from which surfaces, lettering and the camera's faults are made."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), BGR."""
Colour = npt.NDArray[np.float32]
"""float32 (3,), BGR, 0 to 255."""
Field = npt.NDArray[np.float32]
"""float32 (H, W)."""

_LUMA = np.array([0.114, 0.587, 0.299], np.float32)
_BANK_SIDE = 1536
_FINE = 4  # pixels


def luma(colours: npt.NDArray[np.floating] | Image) -> npt.NDArray[np.float32]:
    """Brightness of BGR colours (..., 3) as float32 (...), 0 to 255 (Rec. 601 weights)."""
    return np.asarray(np.asarray(colours, np.float32) @ _LUMA, np.float32)


def contrast(a: Colour, b: Colour) -> float:
    """How far two colours stand apart, in grey levels; hue counts a quarter as much as brightness.

    Letters are read by their brightness first: pure red on a grey of the same luma is hard to read
    although the two are far apart in BGR.
    """
    difference = np.asarray(a, np.float32) - np.asarray(b, np.float32)
    brightness = float(luma(difference))
    return float(np.hypot(brightness, 0.25 * np.linalg.norm(difference - brightness)))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """BGR colour of a hue (turns, wraps), a saturation and a value (0 to 1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return np.array([blue, green, red], np.float32) * 255.0


def wall_colour(rng: np.random.Generator) -> Colour:
    """Draw a muted colour, as of walls, stone, fabric."""
    return hsv(rng.choice([0.07, 0.1, 0.55, 0.6, rng.random()]), rng.beta(1.3, 3.5), rng.uniform(0.15, 0.95))


def paint_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour as of paint, plastic and print: often saturated, often near black or white."""
    kind = rng.random()
    if kind < 0.2:
        return hsv(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.85, 1.0))
    if kind < 0.4:
        return hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.02, 0.22))
    return hsv(rng.random(), rng.uniform(0.35, 1.0), rng.uniform(0.25, 1.0))


@cache
def _grain_bank() -> Field:
    """White noise of its own fixed seed: cutting a window is 20 times faster than drawing anew."""
    return np.random.default_rng(20190606).standard_normal((_BANK_SIDE, _BANK_SIDE), np.float32)


def grain(rng: np.random.Generator, height: int, width: int) -> Field:
    """White Gaussian noise of unit variance, float32 (height, width)."""
    if max(height, width) > _BANK_SIDE:
        return rng.standard_normal((height, width), np.float32)
    top = int(rng.integers(_BANK_SIDE - height + 1))
    left = int(rng.integers(_BANK_SIDE - width + 1))
    window = _grain_bank()[top : top + height, left : left + width]
    return window[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]


def clouds(
    rng: np.random.Generator,
    height: int,
    width: int,
    scale: float | tuple[float, float],
    octaves: int = 3,
) -> Field:
    """Smooth multi-scale noise of about unit variance.

    Args:
        rng: where the random numbers come from.
        height: rows.
        width: columns.
        scale: size of the largest features in pixels, or (vertical, horizontal) for grain along an axis.
        octaves: layers; each has half the feature size and 0.6 of the strength of the one before.

    Returns:
        float32 (height, width).
    """
    tall, wide = scale if isinstance(scale, tuple) else (scale, scale)
    smallest = min(tall, wide) / 2 ** (octaves - 1)
    if smallest >= 4 * _FINE and min(height, width) >= 4 * _FINE:  # nothing fine in it: work at a quarter of the size
        coarse = clouds(rng, height // 4, width // 4, (tall / 4, wide / 4), octaves)
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    total = np.zeros((height, width), np.float32)
    power = 0.0
    for octave in range(octaves):
        rows = min(max(2, round(height * 2**octave / tall)), height)
        columns = min(max(2, round(width * 2**octave / wide)), width)
        layer = cv2.resize(grain(rng, rows, columns), (width, height), interpolation=cv2.INTER_CUBIC)
        total += layer * 0.6**octave
        power += 0.36**octave * 0.6  # interpolation leaves about 0.6 of the variance
    return total / np.float32(np.sqrt(power))


def tint(colour: Colour, field: Field, amount: float) -> Image:
    """Picture of one colour whose brightness follows a field: colour * (1 + amount * field)."""
    lit = np.maximum(field, np.float32(-1.0 / max(amount, 1e-6)))
    planes = [cv2.convertScaleAbs(lit, alpha=amount * part, beta=part) for part in colour.tolist()]
    return np.asarray(cv2.merge(planes), np.uint8)


def shaded(picture: Image, field: npt.NDArray[np.floating]) -> Image:
    """Multiply a picture (H, W, 3) by a field (H, W), rounding and saturating."""
    return np.asarray(cv2.multiply(picture, cv2.merge([np.asarray(field, np.float32)] * 3), dtype=cv2.CV_8U), np.uint8)


def to_image(values: npt.NDArray[np.floating]) -> Image:
    """Round and saturate float (H, W, 3) to uint8."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(values, np.float32(0))), np.uint8)


@dataclass(frozen=True)
class Window:
    """A rectangle of the picture: pixel columns [left, right) and rows [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: Image) -> Image:
        """The part of the picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]


def window_round(points: npt.NDArray[np.floating], margin: float, height: int, width: int) -> Window:
    """Smallest window in a picture (height, width) that holds the points and a margin; at least one pixel."""
    left, top = np.floor(points.min(axis=0) - margin).astype(np.int64)
    right, bottom = np.ceil(points.max(axis=0) + margin + 1).astype(np.int64)
    left, top = int(np.clip(left, 0, width - 1)), int(np.clip(top, 0, height - 1))
    return Window(left, top, int(np.clip(right, left + 1, width)), int(np.clip(bottom, top + 1, height)))
