"""Composes a whole synthetic scene from a seed: ground, clutter, texts, light and camera, and its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.labels import DONT_CARE
from ppocr_pse.data.synthetic import camera
from ppocr_pse.data.synthetic.backgrounds import make_background
from ppocr_pse.data.synthetic.blocks import (
    Block,
    draw_hand,
    draw_lines,
    frame,
    mean_scale,
    set_block,
    word_polygon,
)
from ppocr_pse.data.synthetic.clutter import add_clutter
from ppocr_pse.data.synthetic.inks import Ink, draw_ink
from ppocr_pse.data.synthetic.lettering import Contours, Warp, refine
from ppocr_pse.data.synthetic.painting import PaintedWord, is_readable, paint_plate, paint_word
from ppocr_pse.data.synthetic.placing import Room, Site, find_site
from ppocr_pse.data.synthetic.style import SceneStyle
from ppocr_pse.data.synthetic.texture import Image, paint_colour
from ppocr_pse.types import Polygon

UNREADABLE = DONT_CARE[0]
_LEAST_SIDE = 64
_MISSES = 6  # blocks without room before a picture counts as full
_READABLE_HEIGHT = 7.5  # pixels of a capital letter
_READABLE_CONTRAST = 20.0  # grey levels in the finished picture


@dataclass(frozen=True)
class Scene:
    """A picture and what is written in it.

    Attributes:
        image: uint8 (H, W, 3), BGR.
        polygons: one float32 (N, 2) array a word, pixels, inside the image, clockwise from the start of
            reading; N is 4 for straight and 8 to 14 for curved words.
        texts: the transcriptions, as many as polygons; ``###`` for words that nobody could read.
    """

    image: npt.NDArray[np.uint8]
    polygons: tuple[Polygon, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Written:
    text: str
    polygon: Polygon
    painted: PaintedWord
    height: float


@dataclass(frozen=True)
class _Wish:
    """A block that is wanted: at most how many words, of which kind, after how many failures."""

    words: int
    curved: bool
    flawed: bool
    misses: int


def make_scene(
    seed: int | tuple[int, ...], size: tuple[int, int] = (640, 640), style: SceneStyle | None = None
) -> Scene:
    """Make the scene of a seed; it does not depend on what was made before.

    The same seed gives the same scene as long as numpy, OpenCV and the fonts and sample pictures installed
    are the same.

    Args:
        seed: a whole number >= 0 or a tuple of them, such as (run, index).
        size: height and width of the picture in pixels, each at least 64.
        style: what scenes look like, ``SceneStyle()`` when None.

    Raises:
        ValueError: a side is shorter than 64 pixels or a seed is negative.
    """
    style = SceneStyle() if style is None else style
    height, width = size
    if min(height, width) < _LEAST_SIDE:
        raise ValueError(f"size (height, width) is {size}: each side must be at least {_LEAST_SIDE} pixels")
    if min(seed if isinstance(seed, tuple) else (seed,), default=-1) < 0:
        raise ValueError(f"seed is {seed}: expected a whole number >= 0 or a non-empty tuple of them")
    rng = np.random.default_rng(seed)
    picture = make_background(rng, height, width, style.photos)
    add_clutter(rng, picture, int(rng.integers(style.clutter[0], style.clutter[1] + 1)))
    written = _write_all(rng, picture, style) if rng.random() >= style.empty else []
    picture = camera.light(rng, picture)
    picture = camera.lens(rng, picture, style.blur)
    picture = camera.sensor(rng, picture, style.noise)
    picture = camera.compress(picture, int(rng.integers(style.jpeg[0], style.jpeg[1] + 1)))
    return Scene(
        picture,
        tuple(word.polygon for word in written),
        tuple(word.text if _can_be_read(picture, word) else UNREADABLE for word in written),
    )


def _can_be_read(picture: Image, word: _Written) -> bool:
    if word.height < _READABLE_HEIGHT:
        return False
    return is_readable(picture, word.painted, word.height, _READABLE_CONTRAST)


def _write_all(rng: np.random.Generator, picture: Image, style: SceneStyle) -> list[_Written]:
    """Write as many words as the style asks for and the picture has room for."""
    total = int(rng.integers(style.words[0], style.words[1] + 1))
    curved = int(rng.binomial(total, style.curved))
    flawed = int(rng.binomial(total - curved, style.illegible))
    room = Room(picture)
    written: list[_Written] = []
    for wanted, is_curved, is_flawed in (
        (curved, True, False),
        (total - curved - flawed, False, False),
        (flawed, False, True),
    ):
        misses = 0
        while wanted > 0 and misses < _MISSES:
            words = _write_block(rng, picture, room, style, _Wish(wanted, is_curved, is_flawed, misses))
            wanted -= len(words)
            misses += not words
            written += words
    return written


def _write_block(
    rng: np.random.Generator, picture: Image, room: Room, style: SceneStyle, wish: _Wish
) -> list[_Written]:
    """Set, place and paint one block of at most ``wish.words`` words; empty when there is no room for it."""
    low, high = style.height
    high = max(low, min(high, 0.25 * min(room.height, room.width)))
    low = min(high, 1.3 * low) if wish.curved else low
    tiny = wish.flawed and rng.random() < 0.5
    if tiny:
        low, high = 4.0, 6.5
    elif wish.misses > 0:  # it is getting crowded: try a small single word
        high = min(high, 1.2 * low)
    height = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    lines = draw_lines(rng, wish.words if wish.misses == 0 else 1, height, wish.curved)
    block = set_block(rng, lines, draw_hand(rng, height), wish.curved)
    has_plate = bool(rng.random() < style.plates) and wish.misses < 2
    site = find_site(rng, room, block, style, has_plate, 0.95 * min(low, style.height[0]))
    if site is None:
        return []
    if site.plate is not None:
        face = paint_colour(rng)
        rim = rng.uniform(1, 4) if rng.random() < 0.4 else 0.0
        paint_plate(rng, picture, site.plate, face, rim)
    words = [[_warped(glyph, site.warp, block.height / 6) for glyph in word.glyphs] for word in block.words]
    ink = draw_ink(rng, picture, words, block.height * site.scale, style.contrast, wish.flawed and not tiny)
    return [_finish_word(rng, picture, block, site, index, glyphs, ink) for index, glyphs in enumerate(words)]


def _warped(glyph: Contours, warp: Warp, step: float) -> Contours:
    return tuple(warp(contour if warp.bend is None else refine(contour, step)) for contour in glyph)


def _finish_word(
    rng: np.random.Generator,
    picture: Image,
    block: Block,
    site: Site,
    index: int,
    glyphs: list[Contours],
    ink: Ink,
) -> _Written:
    """Paint one word and note where it stands."""
    word = block.words[index]
    painted = paint_word(rng, picture, glyphs, ink)
    bare = word_polygon(word, site.warp, 0.0)
    scale = mean_scale(frame(word.box, 0.0, len(bare) // 2), bare)
    polygon = word_polygon(word, site.warp, (ink.reach + 0.5) / scale)
    inside = np.clip(polygon, 0, np.array([picture.shape[1] - 1, picture.shape[0] - 1], np.float32))
    return _Written(word.text, inside, painted, scale * block.height)
