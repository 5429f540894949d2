"""What can be wrong with the outline of one text, and what training makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyclipper

from ppocr_pse import polygons as geometry
from ppocr_pse.data.labels import DONT_CARE
from ppocr_pse.data.targets import MakePseGt
from ppocr_pse.types import Polygon

MIN_AREA = 1.0  # square pixels; an outline with less has nothing inside
BORDER = 1.0  # pixels; x = width is still on the border, and labels are rounded
FAR = 0.1  # share of the picture's side beyond which a point is far outside
LOST_SHARE = 0.01  # of a self-crossing outline's area; less is not worth an error

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Flaw:
    """What is wrong with an outline; see ``Finding`` for the fields."""

    kind: str
    message: str
    severity: str = ""


def outline_flaw(polygon: Polygon, ignored: bool) -> Flaw | None:
    """Find an outline that is no simple polygon with area.

    Args:
        polygon: float32 (N, 2), pixels.
        ignored: whether the text is don't-care: then nothing is lost for training.
    """
    points = without_repeats(polygon)
    weight = "warning" if ignored else ""
    if len(points) < 3:
        return Flaw("zero-area", f"only {len(points)} different points of {len(polygon)}: no area", weight)
    if crosses_itself(points):
        if len(polygon) == 4:
            order = simple_order(points)
            listed = " ".join(str(i + 1) for i in order)
            shown = ", ".join(f"[{x:g}, {y:g}]" for x, y in points[order].tolist())
            message = f"Z order: sides cross; the right order of its points is {listed}: [{shown}]"
            return Flaw("z-order", message, weight)
        lost = crossing_loss(points)
        lightly = "warning" if lost < LOST_SHARE else weight
        message = (
            f"the outline of {len(points)} points crosses itself; {lost:.0%} of its area lie outside its main part"
        )
        return Flaw("self-crossing", message, lightly)
    inside = geometry.area(points)
    if inside < MIN_AREA:
        low, high = points.min(axis=0), points.max(axis=0)
        shares = " (are these shares of the picture, not pixels?)" if low.min() >= 0 and high.max() <= 1.5 else ""
        return Flaw("zero-area", f"area {inside:.2g} square pixels{shares}", weight)
    return None


def without_repeats(polygon: Polygon) -> Points:
    """The points but for those equal to the one before (a closed outline repeats its first at the end)."""
    points = np.asarray(polygon, np.float64)
    if len(points) == 4:  # nearly all texts; and four corners are numbered in the message
        a, b, c, d = points.tolist()
        if a != b and b != c and c != d and d != a:
            return points
    return points[(points != np.roll(points, 1, axis=0)).any(axis=1)]


def crosses_itself(points: Points) -> bool:
    """Whether two sides cross; sides that only touch do so when the outline then has another area than its pieces."""
    count = len(points)
    if count == 3:
        return False
    if count == 4:
        a, b, c, d = points.tolist()
        meetings = {_meeting(a, b, c, d), _meeting(b, c, d, a)}
    else:
        meetings = _meetings(points)
    if 2 in meetings:
        return True
    return 1 in meetings and crossing_loss(points) > LOST_SHARE


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meeting(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> int:
    """0: the segments ab and cd are apart; 1: they touch or might, being in line; 2: they cross."""
    first, second = _turn(a, b, c) * _turn(a, b, d), _turn(c, d, a) * _turn(c, d, b)
    if first > 0 or second > 0:
        return 0
    return 2 if first < 0 and second < 0 else 1


def _meetings(points: Points) -> set[int]:
    """``_meeting`` of all pairs of sides that are not neighbours."""
    count = len(points)
    a, b = points, np.roll(points, -1, axis=0)
    i, j = np.triu_indices(count, 2)
    apart = ~((i == 0) & (j == count - 1))
    i, j = i[apart], j[apart]

    def turn(p: Points, q: Points, r: Points) -> npt.NDArray[np.float64]:
        return (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])

    first = turn(a[i], b[i], a[j]) * turn(a[i], b[i], b[j])
    second = turn(a[j], b[j], a[i]) * turn(a[j], b[j], b[i])
    met = np.where((first > 0) | (second > 0), 0, np.where((first < 0) & (second < 0), 2, 1))
    return set(met.tolist())


def crossing_loss(points: Points) -> float:
    """Share of the area enclosed by an outline that lies outside its largest simple piece."""
    pieces = [geometry.area(piece) for piece in simple_pieces(points)]
    return 1.0 - max(pieces) / sum(pieces) if sum(pieces) > 0 else 0.0


def simple_pieces(points: Points) -> list[Points]:
    """The simple polygons that an outline encloses, the largest first; none for one without area."""
    grid = geometry.UNCROSS_GRID
    scaled = np.round(points * grid).astype(np.int64).tolist()
    pieces = [np.array(piece, np.float64) / grid for piece in pyclipper.SimplifyPolygon(scaled, pyclipper.PFT_NONZERO)]
    return sorted(pieces, key=geometry.area, reverse=True)


def simple_order(quad: Points) -> list[int]:
    """Indices that put the corners of a crossing quadrilateral into the one order without a crossing."""
    return max(([0, 1, 3, 2], [0, 2, 1, 3]), key=lambda order: geometry.area(quad[order]))


def place_flaw(polygon: Polygon, size: tuple[int, int], ignored: bool) -> Flaw | None:
    """Find points outside the picture.

    Args:
        polygon: float32 (N, 2), pixels.
        size: (height, width) of the picture.
        ignored: whether the text is don't-care.
    """
    height, width = size
    (left, top), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    beyond_x, beyond_y = max(-left, right - width), max(-top, bottom - height)
    if beyond_x <= BORDER and beyond_y <= BORDER:
        return None
    box = f"x {left:g} to {right:g}, y {top:g} to {bottom:g}, in a picture of {width} x {height}"
    if geometry.intersect_rectangle(polygon, width, height) is None or (
        right <= 0 or bottom <= 0 or left >= width or top >= height
    ):
        return Flaw("outside", f"the text is wholly outside: {box}", "warning" if ignored else "")
    if beyond_x > FAR * width or beyond_y > FAR * height:
        return Flaw("far-outside", f"points lie up to {max(beyond_x, beyond_y):.0f} px outside: {box}")
    return Flaw("past-border", f"points lie up to {max(beyond_x, beyond_y):.0f} px outside: {box}")


def vanishes(polygon: Polygon, scale: float, targets: MakePseGt) -> bool:
    """Whether nothing is left of a text at the smallest kernel when the picture is scaled."""
    scaled = np.asarray(polygon) * np.float32(scale)
    return not geometry.shrink(scaled, geometry.shrink_offsets(scaled, targets.rates[-1:])[0])


def same_outline_key(polygon: Polygon) -> tuple[tuple[float, float], ...]:
    """Equal for two outlines with the same points, whichever comes first and whichever way round."""
    return tuple(sorted((round(x, 1), round(y, 1)) for x, y in polygon.tolist()))


def almost_dont_care(text: str) -> bool:
    """Whether a transcription looks like ``###`` or ``*`` but is read as a word."""
    return text not in DONT_CARE and (
        text.strip() in DONT_CARE or (len(text.strip()) > 1 and not text.strip().strip("#"))
    )
