"""Mend the outline of one text."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ppocr_pse import polygons as geometry
from ppocr_pse.data.checks.shapes import (
    Flaw,
    Points,
    crossing_loss,
    outline_flaw,
    place_flaw,
    simple_order,
    simple_pieces,
    without_repeats,
)
from ppocr_pse.types import Polygon

DOUBTFUL = 0.2  # share of an outline's area; when more is lost in mending, the text becomes don't-care


@dataclass(frozen=True)
class MendedText:
    """What becomes of a text.

    Attributes:
        polygon: float64 (N, 2), rounded to 2 digits; None when the text is left out.
        unclear: the outline is a guess: the text must become don't-care.
        changes: what was done; empty when nothing was.
    """

    polygon: Points | None
    unclear: bool = False
    changes: tuple[str, ...] = ()


def mend_text(polygon: Polygon, size: tuple[int, int]) -> MendedText:
    """Make an outline simple and bring it inside its picture.

    Args:
        polygon: float32 (N, 2), pixels.
        size: (height, width) of the picture.
    """
    points = np.asarray(polygon, np.float64)
    flaw, place = outline_flaw(polygon, False), place_flaw(polygon, size, False)
    if flaw is None and place is None:
        return MendedText(points)
    changes = []
    unclear = False
    if flaw is not None and flaw.kind == "z-order":
        points = points[simple_order(points)]
        changes.append("put the corners in order")
    elif flaw is not None and flaw.kind == "self-crossing":
        clean = without_repeats(polygon)
        pieces = simple_pieces(clean)  # none when its windings cancel out
        unclear = not pieces or crossing_loss(clean) > DOUBTFUL
        points = _hull(clean) if unclear else pieces[0]
        changes.append("crossing outline made don't-care" if unclear else "kept the main part of a crossing outline")
    elif flaw is not None:
        return MendedText(None, changes=(f"left out: {flaw.message}",))
    if place is not None:
        height, width = size
        before = geometry.area(points)
        inside = geometry.intersect_rectangle(points, width, height)
        if place.kind == "past-border":
            points = geometry.clip(points, width, height)
        elif inside is None or place.kind == "outside":
            return MendedText(None, changes=(f"left out: {place.message}",))
        else:
            points = inside.astype(np.float64)
        changes.append("clipped to the picture")
        if geometry.area(points) < DOUBTFUL * before:
            unclear = True
            changes.append("made don't-care, since little of it is inside")
    points = np.round(points, 2)
    if _flaw_left(points, size) is not None:  # rounding or clipping made sides meet
        points, unclear = np.round(_hull(points), 2), True
        changes.append("made don't-care")
        left = _flaw_left(points, size)
        if left is not None:
            return MendedText(None, changes=(f"left out: {left.message}",))
    return MendedText(points, unclear, tuple(changes))


def _flaw_left(points: Points, size: tuple[int, int]) -> Flaw | None:
    polygon = points.astype(np.float32)
    return outline_flaw(polygon, False) or place_flaw(polygon, size, False)


def _hull(points: Points) -> Points:
    return cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(np.float64)


def turn_polygon(polygon: Polygon, orientation: int, size: tuple[int, int]) -> Polygon:
    """Move an outline from the picture as stored to the picture as EXIF orientation 5 to 8 turns it.

    Args:
        polygon: float32 (N, 2), pixels of the stored picture.
        orientation: 5 to 8.
        size: (height, width) after the turn.
    """
    height, width = size
    x, y = polygon[:, 0], polygon[:, 1]
    turned_x = width - y if orientation in (6, 7) else y
    turned_y = height - x if orientation in (7, 8) else x
    return np.stack([turned_x, turned_y], axis=1).astype(np.float32)
