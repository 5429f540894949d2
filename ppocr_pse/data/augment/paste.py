"""Copy-paste: texts of another picture are put where this one has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse import polygons as geometry
from ppocr_pse.types import Polygon, Sample

MOST = 30  # texts pasted into one picture
TRIES = 50  # places tried for one text

Donor = Callable[[], Sample | None]
"""Gives another picture with its texts, or None when that one cannot be read (its own turn names the fault)."""


@dataclass(frozen=True)
class Paste:
    """One text to be pasted.

    Attributes:
        quad: float32 (4, 2), where it stands in the donor.
        place: float32 (4, 2), where it goes.
    """

    quad: Polygon
    place: Polygon


@dataclass(frozen=True)
class CopyPaste:
    """Paste texts of a donor picture, turned by any angle, at random places.

    Args:
        objects_paste_ratio: share of the donor's texts that is pasted; at least one, at most 30.
        limit_paste: paste only where the text's box meets no other text's; otherwise anywhere.
    """

    objects_paste_ratio: float = 0.2
    limit_paste: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.objects_paste_ratio <= 1:
            raise ValueError(f"CopyPaste: objects_paste_ratio is {self.objects_paste_ratio!r}, expected 0 to 1")

    def draw(self, rng: np.random.Generator, sample: Sample, donor: Sample) -> list[Paste]:
        """Choose texts of the donor and places in the sample; don't-care texts are not pasted."""
        readable = np.flatnonzero(~donor.ignored)
        count = max(1, min(int(self.objects_paste_ratio * len(donor.polygons)), MOST))
        height, width = sample.image.shape[:2]
        taken = [_box(polygon) for polygon in sample.polygons]
        pastes = []
        for i in rng.permutation(readable)[:count]:
            quad = _quad(donor.polygons[i])
            shape = _turned_box(quad, float(rng.integers(360)))
            room = np.floor(np.array([width, height]) - shape.max(axis=0))
            if shape.max() < 1 or room.min() < 0:
                continue
            for _ in range(TRIES if self.limit_paste else 1):
                place = (shape + rng.integers(0, room.astype(int) + 1)).astype(np.float32)
                box = _box(place)
                if not self.limit_paste or not any(_meet(box, other) for other in taken):
                    taken.append(box)
                    pastes.append(Paste(quad, place))
                    break
        return pastes

    @staticmethod
    def apply(sample: Sample, donor: Sample, pastes: Sequence[Paste]) -> Sample:
        """Paste what was drawn."""
        image = sample.image.copy() if pastes else sample.image
        for paste in pastes:
            x0, y0, x1, y1 = _box(paste.place)
            corner = np.array([x0, y0], np.float32)
            size = (min(x1, image.shape[1]) - x0, min(y1, image.shape[0]) - y0)
            # warpPerspective counts from pixel centres, polygons from pixel corners
            matrix = cv2.getPerspectiveTransform(paste.quad - np.float32(0.5), paste.place - corner - np.float32(0.5))
            text = cv2.warpPerspective(
                donor.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            inside = np.zeros(size[::-1], np.uint8)
            cv2.fillConvexPoly(inside, np.round(paste.place - corner - 0.5).astype(np.int32), 1)
            cv2.copyTo(text, inside, image[y0 : y0 + size[1], x0 : x0 + size[0]])
        return replace(
            sample,
            image=image,
            polygons=sample.polygons + tuple(paste.place for paste in pastes),
            ignored=np.concatenate([sample.ignored, np.zeros(len(pastes), bool)]),
        )

    def __call__(self, sample: Sample, rng: np.random.Generator, donor: Donor) -> Sample:
        """Draw and apply; the sample as it is when there is no donor."""
        other = donor()
        return sample if other is None else self.apply(sample, other, self.draw(rng, sample, other))


def _quad(polygon: Polygon) -> Polygon:
    """The text's four corners in reading order; the least rectangle round a text with more points."""
    return polygon if len(polygon) == 4 else geometry.order_clockwise(geometry.min_area_quad(polygon))


def _turned_box(quad: Polygon, degrees: float) -> npt.NDArray[np.float64]:
    """A rectangle with the quad's side lengths, turned, its bounding box at the origin: float64 (4, 2)."""
    a, b, c, d = quad.astype(np.float64)
    width = max(np.hypot(*(a - b)), np.hypot(*(c - d)))
    height = max(np.hypot(*(a - d)), np.hypot(*(b - c)))
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ rotation.T
    return box - box.min(axis=0)


def _box(polygon: npt.NDArray[np.floating]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of the whole pixels that a polygon meets."""
    low, high = np.floor(polygon.min(axis=0)), np.ceil(polygon.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _meet(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
