"""Letters as polygons: outlines from matplotlib's fonts, set in a line, bent and put into perspective.

Everything here is geometry in float64 pixels, x right and y down; nothing is drawn. A *local* frame has
its x axis along the first baseline of a block; a ``Warp`` takes local points into the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.ft2font import FT2Font
from matplotlib.path import Path as Outline

Points = npt.NDArray[np.float64]
"""float64 (N, 2), pixels."""
Contours = tuple[Points, ...]
"""The closed outlines of one glyph; holes by the even-odd rule."""

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
"""The fonts in matplotlib that hold the Latin alphabet, digits and punctuation."""

_EM = 64.0


@dataclass(frozen=True)
class Glyph:
    """One letter in units of its font's capital height, baseline at y = 0.

    Attributes:
        contours: closed outlines, y down (capitals reach from -1 to 0).
        advance: distance to the next letter.
    """

    contours: Contours
    advance: float


@dataclass(frozen=True)
class Hand:
    """How words are written.

    Attributes:
        font: one of ``FONTS``.
        height: height of capitals in pixels.
        tracking: extra distance between letters, in capital heights.
        stretch: horizontal factor; below 1 is condensed.
        slant: shear of uprights to the right, 0 for none.
    """

    font: str
    height: float
    tracking: float = 0.0
    stretch: float = 1.0
    slant: float = 0.0


@dataclass(frozen=True)
class Arc:
    """Bends the x axis into a circle through the origin; curvature in 1/px, positive like a rainbow."""

    curvature: float

    def __call__(self, points: Points) -> Points:
        """Map local points (N, 2)."""
        turn = points[:, 0] * self.curvature
        sine, cosine = np.sin(turn), np.cos(turn)
        x = sine / self.curvature - points[:, 1] * sine
        y = (1.0 - cosine) / self.curvature + points[:, 1] * cosine
        return np.stack([x, y], axis=1)

    def holds(self, top: float, bottom: float) -> bool:
        """Whether a band between two heights bends without folding, lengths shrinking to 0.3 at the most."""
        return 1.0 - self.curvature * (bottom if self.curvature > 0 else top) >= 0.3


@dataclass(frozen=True)
class Wave:
    """Lets the x axis swing as amplitude * sin(2 pi x / period + phase), all in pixels and radians."""

    amplitude: float
    period: float
    phase: float

    def __call__(self, points: Points) -> Points:
        """Map local points (N, 2); letters stay upright to the swinging line."""
        rate = 2.0 * np.pi / self.period
        angle = rate * points[:, 0] + self.phase
        slope = self.amplitude * rate * np.cos(angle)
        length = np.sqrt(1.0 + slope * slope)
        x = points[:, 0] - points[:, 1] * slope / length
        y = self.amplitude * np.sin(angle) + points[:, 1] / length
        return np.stack([x, y], axis=1)

    def holds(self, top: float, bottom: float) -> bool:
        """Whether a band between two heights bends without folding, lengths shrinking to 0.3 at the most."""
        sharpest = self.amplitude * (2.0 * np.pi / self.period) ** 2
        return bool(1.0 - sharpest * max(-top, bottom) >= 0.3)


Bend = Arc | Wave


@dataclass(frozen=True)
class Warp:
    """From the local frame into the picture: an optional bend, then a homography.

    Attributes:
        matrix: float64 (3, 3).
        bend: None for straight lines.
    """

    matrix: npt.NDArray[np.float64]
    bend: Bend | None = None

    def __call__(self, points: npt.NDArray[np.floating]) -> Points:
        """Map local points (N, 2) to picture pixels (N, 2)."""
        bent = np.asarray(points, np.float64) if self.bend is None else self.bend(np.asarray(points, np.float64))
        mapped = bent @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)

    def moved(self, dx: float, dy: float) -> Warp:
        """The same warp with its result moved by (dx, dy) pixels."""
        shift = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])
        return Warp(shift @ self.matrix, self.bend)


def tilt(roll: float, yaw: float, pitch: float, focal: float) -> npt.NDArray[np.float64]:
    """Homography of a plane turned about its origin and seen by a pinhole camera in front of it.

    Args:
        roll: turn in the picture plane, radians, positive clockwise on the screen.
        yaw: turn about the vertical axis, radians.
        pitch: turn about the horizontal axis, radians.
        focal: distance of the camera in pixels; must exceed the plane's extent for all of it to be in front.

    Returns:
        float64 (3, 3); the origin stays at the origin and keeps scale 1.
    """
    (cr, sr), (cy, sy), (cp, sp) = ((np.cos(a), np.sin(a)) for a in (roll, yaw, pitch))
    turn = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    turn = turn @ np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    turn = turn @ np.array([[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]])
    matrix = turn[:, [0, 1, 1]].copy()
    matrix[:, 2] = 0.0
    matrix[2] = [turn[2, 0] / focal, turn[2, 1] / focal, 1.0]
    return matrix


@cache
def _face(font: str) -> FT2Font:
    face = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"))
    face.set_size(_EM, 72)
    return face


@cache
def _capital_height(font: str) -> float:
    face = _face(font)
    face.load_char(ord("H"))
    vertices, _ = face.get_path()
    return float(vertices[:, 1].max())


@cache
def glyph(font: str, character: str) -> Glyph:
    """Outline of one character; kept after the first call."""
    unit = _capital_height(font)
    loaded = _face(font).load_char(ord(character))
    vertices, codes = _face(font).get_path()
    outline = Outline(vertices, codes).to_polygons(closed_only=True) if len(codes) else []
    upright = np.array([1.0, -1.0]) / unit
    contours = tuple(np.asarray(piece, np.float64)[:-1] * upright for piece in outline)
    return Glyph(contours, loaded.linearHoriAdvance / 65536.0 / unit)


def set_word(text: str, hand: Hand) -> tuple[tuple[Contours, ...], float]:
    """Write a word from the origin along the x axis.

    Returns:
        The glyphs' contours in pixels (blank glyphs left out) and the distance to the end of the word.
    """
    scale = np.array([hand.height * hand.stretch, hand.height])
    glyphs, pen = [], 0.0
    for character in text:
        drawn = glyph(hand.font, character)
        if drawn.contours:
            moved = [(contour + np.array([pen, 0.0])) * scale for contour in drawn.contours]
            for contour in moved:
                contour[:, 0] -= hand.slant * contour[:, 1]
            glyphs.append(tuple(moved))
        pen += drawn.advance + hand.tracking
    return tuple(glyphs), (pen - hand.tracking) * float(scale[0])


def refine(contour: Points, step: float) -> Points:
    """Split the edges of a closed outline so that none is longer than ``step``: bending needs points."""
    ends = np.roll(contour, -1, axis=0)
    pieces = np.maximum(1, np.ceil(np.hypot(*(ends - contour).T) / step)).astype(np.int64)
    starts = np.repeat(np.arange(len(contour)), pieces)
    ranks = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = (ranks / pieces[starts])[:, None]
    return np.asarray(contour[starts] * (1.0 - share) + ends[starts] * share, np.float64)
