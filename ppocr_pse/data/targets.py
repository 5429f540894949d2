"""Polygons to text map, kernel maps and training mask, drawn only inside the crop window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse import polygons as geometry
from ppocr_pse.types import Polygon, PseTargets

IntPolygon = npt.NDArray[np.int32]
MAX_OFFSET = 20.0  # pixels; the cap of the authors' code, used by target `paper`


@dataclass(frozen=True)
class Window:
    """A rectangle of the picture in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class MakePseGt:
    """How polygons become targets (PSENet, CVPR 2019, section 3.4).

    Args:
        kernel_num: number of maps K of the network.
        min_shrink_ratio: rate of the smallest kernel.
        size: the picture is first enlarged until its short side has this many pixels.
        target: ``ppocr``: rates .9 ... .3 (for K = 7, ratio .4), the text map is the .9 one, a text that
            vanishes at any rate becomes don't-care; ``paper``: the text map is the full polygon, kernels .9 ... .4,
            the offset is at most 20 px, a rate at which a text vanishes uses the polygon itself.

    Raises:
        ValueError: at construction, for values outside those named.
    """

    kernel_num: int = 7
    min_shrink_ratio: float = 0.4
    size: int = 640
    target: str = "ppocr"

    def __post_init__(self) -> None:
        if self.target not in ("ppocr", "paper"):
            raise ValueError(f"MakePseGt: target is {self.target!r}, expected ppocr or paper")
        if self.kernel_num < 2:
            raise ValueError(f"MakePseGt: kernel_num is {self.kernel_num!r}, expected at least 2")
        if not 0.0 < self.min_shrink_ratio < 1.0:
            raise ValueError(f"MakePseGt: min_shrink_ratio is {self.min_shrink_ratio!r}, expected between 0 and 1")

    @property
    def rates(self) -> tuple[float, ...]:
        """Shrink rates of the kernel maps, from large to small."""
        step = (1.0 - self.min_shrink_ratio) / (self.kernel_num - 1)
        count = self.kernel_num if self.target == "ppocr" else self.kernel_num - 1
        return tuple(1.0 - step * i for i in range(1, count + 1))

    @property
    def max_offset(self) -> float:
        """Cap of the shrink offset in pixels."""
        return MAX_OFFSET if self.target == "paper" else float("inf")


@dataclass(frozen=True)
class ShrunkText:
    """One text with all its kernels.

    Attributes:
        outline: int32 (N, 2), the full polygon.
        text: pieces that make up the text map, each int32 (M, 2).
        kernels: for each rate the pieces that are left, each int32 (M, 2).
        ignored: whether the text is don't-care, given or because it vanished.
    """

    outline: IntPolygon
    text: tuple[IntPolygon, ...]
    kernels: tuple[tuple[IntPolygon, ...], ...]
    ignored: bool


def shrink_text(polygon: Polygon, ignored: bool, settings: MakePseGt) -> ShrunkText:
    """Shrink one text at every rate.

    Args:
        polygon: float32 (N, 2), pixels.
        ignored: whether it is marked don't-care.
        settings: rates and rules.
    """
    outline = np.asarray(polygon).astype(np.int32)
    offsets = [min(offset, settings.max_offset) for offset in geometry.shrink_offsets(polygon, settings.rates)]
    kernels = tuple(tuple(pieces) for pieces in geometry.shrink_levels(polygon, offsets))
    if settings.target == "paper":
        return ShrunkText(outline, (outline,), tuple(pieces or (outline,) for pieces in kernels), ignored)
    return ShrunkText(outline, kernels[0], kernels, ignored or not all(kernels))


def text_pieces(polygon: Polygon, settings: MakePseGt) -> list[IntPolygon]:
    """What the text map is drawn from: ``shrink_text(...).text`` without the kernels."""
    if settings.target == "paper":
        return [np.asarray(polygon).astype(np.int32)]
    return geometry.shrink(polygon, geometry.shrink_offsets(polygon, settings.rates[:1])[0])


def window_targets(
    polygons: Sequence[Polygon],
    ignored: Sequence[bool] | npt.NDArray[np.bool_],
    window: Window,
    picture_size: tuple[int, int],
    settings: MakePseGt,
) -> PseTargets:
    """Shrink the texts that meet a window and draw its maps.

    Args:
        polygons: all texts of the picture, each float32 (N, 2), in its pixels.
        ignored: which of them are don't-care.
        window: what is drawn.
        picture_size: (height, width) of the picture in pixels.
        settings: rates and rules.
    """
    texts = [
        shrink_text(polygon, bool(skip), settings)
        for polygon, skip in zip(polygons, ignored, strict=False)
        if _meets(polygon.astype(np.int32), window)
    ]
    return make_pse_targets(texts, window, picture_size, len(settings.rates))


def make_pse_targets(
    texts: Sequence[ShrunkText], window: Window, picture_size: tuple[int, int], kernel_count: int
) -> PseTargets:
    """Draw the maps of one crop window.

    The result equals drawing the whole picture and cutting the window out of it, pixel by pixel, but costs
    only what the window holds.

    Args:
        texts: the shrunk texts of the whole picture, or of those that meet the window.
        window: what is drawn.
        picture_size: (height, width) of the picture in pixels.
        kernel_count: number of kernel maps.

    Returns:
        uint8 maps of the window's size; texts that are ignored are 0 in the mask, but their kernels are drawn.
    """
    shape = (window.height, window.width)
    kernels = np.zeros((kernel_count, *shape), np.uint8)
    mask = np.ones(shape, np.uint8)
    meeting = [shrunk for shrunk in texts if _meets(shrunk.outline, window)]
    for shrunk in meeting:
        for level, pieces in enumerate(shrunk.kernels):
            for piece in pieces:
                _draw(kernels[level], piece, 1, window, picture_size)
        if shrunk.ignored:
            _draw(mask, shrunk.outline, 0, window, picture_size)
    if all(shrunk.text is shrunk.kernels[0] for shrunk in meeting):
        return PseTargets(kernels[0].copy(), kernels, mask)
    text = np.zeros(shape, np.uint8)
    for shrunk in meeting:
        for piece in shrunk.text:
            _draw(text, piece, 1, window, picture_size)
    return PseTargets(text, kernels, mask)


def _meets(polygon: IntPolygon, window: Window) -> bool:
    x, y, width, height = cv2.boundingRect(polygon)
    return bool(
        x + width > window.left
        and y + height > window.top
        and x < window.left + window.width
        and y < window.top + window.height
    )


def _draw(
    canvas: npt.NDArray[np.uint8],
    polygon: IntPolygon,
    value: int,
    window: Window,
    picture_size: tuple[int, int],
) -> None:
    """Paint a polygon given in picture coordinates onto the window's canvas.

    OpenCV draws a slanted edge that is cut by the canvas border in another place than one that is not, so a
    polygon that leaves the window is drawn on a patch that is cut only where the whole picture would cut it.
    """
    x, y, width, height = cv2.boundingRect(polygon)
    end_x, end_y = window.left + window.width, window.top + window.height
    picture_h, picture_w = picture_size
    if (
        x >= window.left
        and y >= window.top
        and x + width <= min(end_x, picture_w)
        and y + height <= min(end_y, picture_h)
    ):
        cv2.fillPoly(canvas, [polygon], value, offset=(-window.left, -window.top))
        return
    low_x, low_y, high_x, high_y = max(x, 0), max(y, 0), min(x + width, picture_w), min(y + height, picture_h)
    left, top, right, bottom = max(low_x, window.left), max(low_y, window.top), min(high_x, end_x), min(high_y, end_y)
    if left >= right or top >= bottom:
        return
    patch = np.zeros((high_y - low_y, high_x - low_x), np.uint8)
    cv2.fillPoly(patch, [polygon], 1, offset=(-low_x, -low_y))
    drawn = patch[top - low_y : bottom - low_y, left - low_x : right - low_x]
    target = canvas[top - window.top : bottom - window.top, left - window.left : right - window.left]
    target[drawn.view(np.bool_)] = value
