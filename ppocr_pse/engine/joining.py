"""What was found in the tiles of a picture, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from ppocr_pse.engine.tiling import Tile
from ppocr_pse.types import Detections, ImageScale

SAME = 0.5
"""Two outlines that share this part of their union (of two tiles) are one text; a piece of which this part lies in a
whole text belongs to it."""
JOINED = 0.2
"""Two pieces are of one text when they share this part of the smaller one."""


def join(parts: Sequence[tuple[Tile, Detections]]) -> Detections:
    """Put together what was found in the tiles of one picture.

    A text that is whole in a tile is taken from there. Pieces of texts that are whole in no tile are joined where they
    overlap: to the rectangle of least area round them, or, when there are outlines of other than four points, to the
    outline of their union. The score of a joined text is the mean of its pieces, weighted by area.

    Args:
        parts: tiles, with what was decoded by their `Tile.scale`.

    Returns:
        Polygons in whole pixels of the source picture, from top to bottom.
    """
    parts = sorted(parts, key=lambda part: (part[0].top, part[0].left))
    whole: list[_Text] = []
    pieces: list[_Text] = []
    for tile, found in parts:
        for polygon, score in zip(found.polygons, found.scores.tolist()):
            (pieces if tile.cuts(polygon) else whole).append(_Text(_shape(tile.to_source(polygon)), score))
    rectangles = all(len(polygon) == 4 for _, found in parts for polygon in found.polygons)
    texts = _without_repeats(whole)
    texts += _joined(_outside(pieces, texts), rectangles)
    if not texts:
        return Detections((), np.zeros(0, np.float32))
    scale = parts[0][0].whole
    polygons = [_corners(text.shape, rectangles, scale) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: polygons[i].min(axis=0)[::-1].tolist())
    return Detections(tuple(polygons[i] for i in order), np.array([texts[i].score for i in order], np.float32))


@dataclass(frozen=True)
class _Text:
    shape: shapely.Polygon
    score: float


def _shape(points: npt.NDArray[np.float64]) -> shapely.Polygon:
    """A valid polygon: the largest part of an outline that crosses itself; a hair of a region without area."""
    shape = shapely.Polygon(points)
    if not shape.is_valid or shape.area == 0:
        shape = _largest(shape.buffer(0))
    return shape if shape.area > 0 else shapely.LineString(points).buffer(0.5)


def _largest(shape: shapely.Geometry) -> shapely.Geometry:
    return max(shapely.get_parts(shape), key=lambda part: part.area, default=shape)


def _without_repeats(texts: Sequence[_Text]) -> list[_Text]:
    """Each text once, as the tile has it that shows the most of it."""
    kept = set(range(len(texts)))
    for i, j in _pairs(texts, texts):
        if i < j and i in kept and j in kept:
            a, b = texts[i].shape, texts[j].shape
            shared = a.intersection(b).area
            if shared > SAME * (a.area + b.area - shared):
                kept.discard(j if a.area >= b.area else i)
    return [texts[i] for i in sorted(kept)]


def _outside(pieces: Sequence[_Text], whole: Sequence[_Text]) -> list[_Text]:
    """The pieces that belong to no whole text."""
    inside = {i for i, j in _pairs(pieces, whole) if _shared(pieces[i], whole[j]) > SAME * pieces[i].shape.area}
    return [piece for i, piece in enumerate(pieces) if i not in inside]


def _joined(pieces: Sequence[_Text], rectangles: bool) -> list[_Text]:
    """Pieces that overlap made one."""
    leader = list(range(len(pieces)))

    def first(i: int) -> int:
        while leader[i] != i:
            leader[i] = i = leader[leader[i]]
        return i

    for i, j in _pairs(pieces, pieces):
        smaller = min(pieces[i].shape.area, pieces[j].shape.area)
        if i < j and _shared(pieces[i], pieces[j]) > JOINED * smaller:
            leader[max(first(i), first(j))] = min(first(i), first(j))
    groups: dict[int, list[_Text]] = {}
    for i, piece in enumerate(pieces):
        groups.setdefault(first(i), []).append(piece)
    joined = []
    for group in groups.values():
        shape = group[0].shape if len(group) == 1 else shapely.union_all([text.shape for text in group])
        score = np.average([text.score for text in group], weights=[text.shape.area for text in group])
        joined.append(_Text(shape.minimum_rotated_rectangle if rectangles else _largest(shape), float(score)))
    return joined


def _pairs(some: Sequence[_Text], others: Sequence[_Text]) -> Iterator[tuple[int, int]]:
    """Indices of texts that touch."""
    if some and others:
        tree = shapely.STRtree([text.shape for text in others])
        found = tree.query([text.shape for text in some], predicate="intersects")
        yield from sorted(zip(*found.tolist()))


def _shared(a: _Text, b: _Text) -> float:
    return float(a.shape.intersection(b.shape).area)


def _corners(shape: shapely.Polygon, rectangles: bool, scale: ImageScale) -> npt.NDArray[np.int32]:
    """Whole pixels inside the picture: int32 (N, 2)."""
    points = shapely.get_coordinates(shape.exterior if shape.geom_type == "Polygon" else shape.convex_hull.exterior)
    if rectangles and len(points) != 5:
        points = shapely.get_coordinates(shape.minimum_rotated_rectangle)
    return np.clip(np.rint(points[:-1]), 0, (scale.src_w, scale.src_h)).astype(np.int32)
