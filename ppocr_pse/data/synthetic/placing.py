"""Finds room for blocks of text: poses them in space, keeps them apart and inside the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.synthetic.blocks import Block, Box, frame
from ppocr_pse.data.synthetic.lettering import Points, Warp, refine, tilt
from ppocr_pse.data.synthetic.style import SceneStyle
from ppocr_pse.data.synthetic.texture import Image, luma

_CELL = 4
_BORDER = 2.0
_TRIES = 10


@dataclass(frozen=True)
class Site:
    """Where a block stands.

    Attributes:
        warp: from the block's local frame into the picture.
        plate: outline of the signboard behind it in picture pixels (N, 2), None for none.
        scale: factor from local to picture pixels at the block's centre.
    """

    warp: Warp
    plate: Points | None
    scale: float


class Room:
    """What is taken in one picture, on a grid of 4 pixels; the only state while a scene is written."""

    def __init__(self, picture: Image) -> None:
        """Begin with all of ``picture`` (uint8 (H, W, 3)) free."""
        self.height, self.width = picture.shape[:2]
        size = (self.width // _CELL + 1, self.height // _CELL + 1)
        self._grey = luma(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
        self._taken = np.zeros(size[::-1], np.uint8)

    def _mask(self, hull: Points) -> npt.NDArray[np.uint8]:
        mask = np.zeros_like(self._taken)
        cv2.fillPoly(mask, [np.round(hull / _CELL).astype(np.int32)], (1,))
        return mask

    def is_free(self, hull: Points) -> bool:
        """Whether nothing stands within a few pixels of a convex outline (N, 2)."""
        grown = cv2.dilate(self._mask(hull), np.ones((5, 5), np.uint8))
        return not bool(self._taken[grown > 0].any())

    def take(self, hull: Points) -> None:
        """Mark the inside of a convex outline as used."""
        self._taken |= self._mask(hull)

    def unrest(self, hull: Points) -> float:
        """Standard deviation of the bare picture's brightness inside an outline, grey levels."""
        inside = self._grey[self._mask(hull) > 0]
        return float(inside.std()) if inside.size else 0.0


def _superellipse(box: Box, margin: float, power: float) -> Points:
    """Rounded outline through the corners of a widened box: an ellipse at power 2, nearly a box at 40."""
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    unit = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rounded = np.sign(unit) * np.abs(unit) ** (2 / power) * 2 ** (1 / power)
    half = np.array([(box[2] - box[0]) / 2 + margin, (box[3] - box[1]) / 2 + margin])
    return rounded * half + np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _pose(rng: np.random.Generator, block: Block, style: SceneStyle) -> Warp:
    """Draw how a block is turned in the picture plane and away from the camera."""
    if block.bend is not None:
        roll = rng.uniform(-30, 30)
    elif rng.random() < style.slanted:
        roll = rng.choice([-90.0, 90.0]) if rng.random() < 0.15 else rng.uniform(-60, 60)
    else:
        roll = float(np.clip(rng.normal(0, 4), -12, 12))
    yaw = style.perspective * rng.triangular(-1, 0, 1)
    pitch = 0.6 * style.perspective * rng.triangular(-1, 0, 1)
    reach = float(np.hypot(block.box[2] - block.box[0], block.box[3] - block.box[1]))
    focal = reach * rng.uniform(1.5, 4.0)
    turns = [float(np.radians(angle)) for angle in (roll, yaw, pitch)]
    return Warp(tilt(turns[0], turns[1], turns[2], focal), block.bend)


def _plate_outline(rng: np.random.Generator, block: Block, warp: Warp) -> Points:
    """Draw a board large enough for the block, bent with its lines or flat."""
    margin = block.height * rng.uniform(0.25, 0.9)
    power = float(rng.choice([40.0, 40.0, 12.0, 6.0]))
    box = block.box
    flat = warp
    if block.bend is not None and (rng.random() < 0.5 or not block.bend.holds(box[1] - margin, box[3] + margin)):
        bent = block.bend(frame(box, 0.0, 24))
        box = (*bent.min(axis=0).tolist(), *bent.max(axis=0).tolist())
        flat = Warp(warp.matrix)
    if (box[2] - box[0]) < 3.5 * (box[3] - box[1]) and rng.random() < 0.35:
        power = 2.0
    return flat(refine(_superellipse(box, margin, power), block.height / 4))


def find_site(
    rng: np.random.Generator, room: Room, block: Block, style: SceneStyle, plate: bool, smallest: float
) -> Site | None:
    """Look for a free place, shrinking the block when there is none, and take it.

    Args:
        rng: where the random numbers come from.
        room: what is taken so far; the place found is marked in it.
        block: what to place.
        style: limits of rotation and perspective.
        plate: whether a signboard goes behind the block.
        smallest: height of capitals in pixels below which the search is given up.

    Returns:
        The calmest of up to three places found, or None.
    """
    factor = 1.0
    found: list[tuple[float, int, Site, Points]] = []
    for attempt in range(_TRIES):
        warp = _pose(rng, block, style)
        outline = warp(frame(block.box, 0.3 * block.height, 24))
        board = _plate_outline(rng, block, warp) if plate else None
        hull = outline if board is None else np.concatenate([outline, board])
        extent = hull.max(axis=0) - hull.min(axis=0)
        free = np.array([room.width, room.height]) - 2 * _BORDER - 1
        factor = min(factor, float((0.96 * free / extent).min()))
        if factor * block.height < smallest:
            break
        corner = rng.uniform(_BORDER, _BORDER + free - factor * extent) - factor * hull.min(axis=0)
        placed = cv2.convexHull((hull * factor + corner).astype(np.float32))[:, 0]
        if room.is_free(placed):
            scaled = Warp(np.diag([factor, factor, 1.0]) @ warp.matrix, warp.bend).moved(*corner)
            site = Site(scaled, None if board is None else board * factor + corner, factor)
            found.append((room.unrest(placed), len(found), site, placed))
            if len(found) == (1 if plate else 3):
                break
        elif attempt % 2:
            factor *= 0.85
    if not found:
        return None
    _, _, site, placed = min(found[:3], key=lambda item: item[:2])
    room.take(placed)
    return site
