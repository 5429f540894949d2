"""Random windows of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.augment.iaa import mend_polygons
from ppocr_pse.types import Polygon, Sample

Rng = np.random.Generator


@dataclass(frozen=True)
class RandomCropImgMask:
    """Choose the crop window; with probability 1 - p, where text exists, near the text.

    Args:
        size: [height, width] in pixels.
        main_key: must be ``gt_text``: the map that says where text is.
        crop_keys: what is cropped; the PSE set [image, gt_text, gt_kernels, mask].
        p: probability of a window that does not look at the text.
    """

    size: Sequence[int] | int
    main_key: str = "gt_text"
    crop_keys: Sequence[str] = ("image", "gt_text", "gt_kernels", "mask")
    p: float = 3 / 8

    def __post_init__(self) -> None:
        if self.main_key != "gt_text":
            raise ValueError(f"RandomCropImgMask: main_key is {self.main_key!r}, expected gt_text")
        if set(self.crop_keys) != {"image", "gt_text", "gt_kernels", "mask"}:
            raise ValueError(
                f"RandomCropImgMask: crop_keys is {list(self.crop_keys)}, expected [image, gt_text, gt_kernels, mask]"
            )
        if isinstance(self.size, int) or len(self.size) != 2 or min(self.size) < 32:
            raise ValueError(f"RandomCropImgMask: size is {self.size!r}, expected [height, width], each at least 32")

    def draw(self, rng: Rng, height: int, width: int, text_maps: Sequence[npt.NDArray[np.int32]]) -> tuple[int, int]:
        """Draw the top left corner of the window.

        Args:
            rng: generator.
            height: of the picture.
            width: of the picture.
            text_maps: the polygons that the text map is drawn from, int32 (N, 2).

        Returns:
            (top, left) in pixels.
        """
        crop_h, crop_w = self.size  # type: ignore[misc]
        low, high = (0, 0), (max(0, height - crop_h), max(0, width - crop_w))
        extent = text_extent(text_maps, height, width)
        if extent is not None and rng.random() > self.p:
            first_y, first_x, last_y, last_x = extent
            low = (max(0, first_y - crop_h), max(0, first_x - crop_w))
            high = (min(high[0], max(0, last_y - crop_h)), min(high[1], max(0, last_x - crop_w)))
        top, left = (int(rng.integers(a, b + 1)) if b > a else 0 for a, b in zip(low, high, strict=False))
        return top, left


def text_extent(polygons: Sequence[npt.NDArray[np.int32]], height: int, width: int) -> tuple[int, int, int, int] | None:
    """First and last row and column with text inside a picture: (top, left, bottom, right), or None.

    The same as of a map on which the polygons, int32 (N, 2), are drawn.
    """
    boxes = [box for box in (_box_inside(polygon, height, width) for polygon in polygons) if box is not None]
    if not boxes:
        return None
    top, left, bottom, right = zip(*boxes, strict=False)
    return min(top), min(left), max(bottom), max(right)


def _box_inside(polygon: npt.NDArray[np.int32], height: int, width: int) -> tuple[int, int, int, int] | None:
    x, y, w, h = cv2.boundingRect(polygon)
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + h, height), min(x + w, width)
    if top >= bottom or left >= right:
        return None
    if (top, left, bottom, right) != (y, x, y + h, x + w):  # what is left of a slanted text need not fill its box
        patch = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(patch, [polygon], 1, offset=(-left, -top))
        x, y, w, h = cv2.boundingRect(patch)
        if w == 0:
            return None
        top, left, bottom, right = top + y, left + x, top + y + h, left + x + w
    return top, left, bottom - 1, right - 1


def crop(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """Cut the window out of a picture; what lies beyond the picture's border is black, polygons are shifted."""
    window = sample.image[top : top + height, left : left + width]
    missing_h, missing_w = height - window.shape[0], width - window.shape[1]
    if missing_h or missing_w:
        window = cv2.copyMakeBorder(window, 0, missing_h, 0, missing_w, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    shift = np.array([left, top], np.float32)
    polygons: tuple[Polygon, ...] = tuple(polygon - shift for polygon in sample.polygons)
    return replace(sample, image=window, polygons=polygons)


@dataclass(frozen=True)
class EastRandomCropData:
    """Cut out a window that cuts no text, and bring it to a size.

    The four sides run through rows and columns in which no text stands (EAST, Zhou et al., CVPR 2017; PaddleOCR's
    DB configurations). Don't-care texts may be cut; they stay don't-care.

    Args:
        size: [width, height] of the result in pixels, in PaddleOCR's order.
        max_tries: windows that are drawn before the whole picture is taken.
        min_crop_side_ratio: the window's sides are at least this share of the picture's.
        keep_ratio: scale both axes alike and fill up with black at the right and bottom; otherwise stretch.
    """

    size: Sequence[int] = (640, 640)
    max_tries: int = 10
    min_crop_side_ratio: float = 0.1
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 32:
            raise ValueError(f"EastRandomCropData: size is {self.size!r}, expected [width, height], each at least 32")
        if self.max_tries < 0:
            raise ValueError(f"EastRandomCropData: max_tries is {self.max_tries!r}, expected 0 or more")
        if not 0 <= self.min_crop_side_ratio <= 1:
            raise ValueError(
                f"EastRandomCropData: min_crop_side_ratio is {self.min_crop_side_ratio!r}, expected 0 to 1"
            )

    def draw(self, rng: Rng, sample: Sample) -> tuple[int, int, int, int]:
        """Draw the window (top, left, height, width); the whole picture when no try succeeds."""
        height, width = sample.image.shape[:2]
        boxes = np.array([_box(p) for p, i in zip(sample.polygons, sample.ignored, strict=False) if not i])
        if len(boxes):
            rows, columns = _free_runs(boxes[:, 1::2], height), _free_runs(boxes[:, 0::2], width)
            for _ in range(self.max_tries if rows and columns else 0):
                (left, right), (top, bottom) = _two_cuts(rng, columns), _two_cuts(rng, rows)
                if right - left < max(1, self.min_crop_side_ratio * width):
                    continue
                if bottom - top < max(1, self.min_crop_side_ratio * height):
                    continue
                x0, y0, x1, y1 = boxes.T
                if ((x1 > left) & (x0 < right) & (y1 > top) & (y0 < bottom)).any():
                    return top, left, bottom - top, right - left
        return 0, 0, height, width

    def apply(self, sample: Sample, window: tuple[int, int, int, int]) -> Sample:
        """Cut the window (top, left, height, width) out and resize it."""
        top, left, height, width = window
        out_w, out_h = self.size
        new_w, new_h = out_w, out_h
        if self.keep_ratio:
            factor = min(out_w / width, out_h / height)
            new_w, new_h = max(1, int(width * factor)), max(1, int(height * factor))
        part = crop(sample, top, left, height, width)
        image = np.zeros((out_h, out_w, 3), np.uint8)
        image[:new_h, :new_w] = cv2.resize(part.image, (new_w, new_h))
        ratio = np.array([new_w / width, new_h / height], np.float32)
        cut = mend_polygons(part)
        return replace(cut, image=image, polygons=tuple(polygon * ratio for polygon in cut.polygons))

    def __call__(self, sample: Sample, rng: Rng) -> Sample:
        """Draw and apply."""
        return self.apply(sample, self.draw(rng, sample))


def _box(polygon: Polygon) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1), rounded to whole pixels."""
    low, high = np.round(polygon.min(axis=0)), np.round(polygon.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _free_runs(spans: npt.NDArray[np.int64], length: int) -> list[npt.NDArray[np.int64]]:
    """Coordinates 0 ... length - 1 that no span [first, last) covers, as runs of neighbours."""
    taken = np.zeros(length, bool)
    for first, last in spans.tolist():
        taken[max(first, 0) : max(last, 0)] = True
    free = np.flatnonzero(~taken)
    return np.split(free, np.flatnonzero(np.diff(free) > 1) + 1) if len(free) else []


def _two_cuts(rng: Rng, runs: Sequence[npt.NDArray[np.int64]]) -> tuple[int, int]:
    """Two coordinates, lower first: each from a run that is drawn first, so that wide margins do not win."""
    chosen = [int(rng.choice(runs[int(rng.integers(len(runs)))])) for _ in range(2)]
    return min(chosen), max(chosen)
