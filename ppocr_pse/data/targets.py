"""Polygons to text map, kernel maps and training mask, drawn only inside the crop window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    kernels: list[tuple[IntPolygon, ...]] = []
    vanished = False
    for rate in settings.rates:
        offset = min(geometry.shrink_offset(polygon, rate), settings.max_offset)
        pieces = tuple(geometry.shrink(polygon, offset))
        if not pieces:
            vanished = True
            if settings.target == "paper":
                pieces = (outline,)
        kernels.append(pieces)
    if settings.target == "paper":
        return ShrunkText(outline, (outline,), tuple(kernels), ignored)
    return ShrunkText(outline, kernels[0], tuple(kernels), ignored or vanished)


def make_pse_targets(
    texts: Sequence[ShrunkText], window: Window, picture_size: tuple[int, int], kernel_count: int
) -> PseTargets:
    """Draw the maps of one crop window.

    The result equals drawing the whole picture and cutting the window out of it, pixel by pixel, but costs
    only what the window holds.

    Args:
        texts: the shrunk texts of the whole picture.
        window: what is drawn.
        picture_size: (height, width) of the picture in pixels.
        kernel_count: number of kernel maps.

    Returns:
        uint8 maps of the window's size; texts that are ignored are 0 in the mask, but their kernels are drawn.
    """
    shape = (window.height, window.width)
    text = np.zeros(shape, np.uint8)
    kernels = np.zeros((kernel_count, *shape), np.uint8)
    mask = np.ones(shape, np.uint8)
    for shrunk in texts:
        if not _meets(shrunk.outline, window):
            continue
        for piece in shrunk.text:
            _draw(text, piece, 1, window, picture_size)
        for level, pieces in enumerate(shrunk.kernels):
            for piece in pieces:
                _draw(kernels[level], piece, 1, window, picture_size)
        if shrunk.ignored:
            _draw(mask, shrunk.outline, 0, window, picture_size)
    return PseTargets(text, kernels, mask)


def _meets(polygon: IntPolygon, window: Window) -> bool:
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    return bool(
        x1 >= window.left and y1 >= window.top and x0 < window.left + window.width and y0 < window.top + window.height
    )


def _draw(
    canvas: npt.NDArray[np.uint8],
    polygon: IntPolygon,
    value: int,
    window: Window,
    picture_size: tuple[int, int],
) -> None:
    """Paint a polygon given in picture coordinates onto the window's canvas.

    OpenCV draws a slanted edge that is cut by the canvas border in another place than one that is not, so the
    polygon is drawn on a patch that is cut only where the whole picture would cut it.
    """
    low = np.maximum(polygon.min(axis=0), 0)
    high = np.minimum(polygon.max(axis=0) + 1, (picture_size[1], picture_size[0]))
    left, top = np.maximum(low, (window.left, window.top))
    right, bottom = np.minimum(high, (window.left + window.width, window.top + window.height))
    if left >= right or top >= bottom:
        return
    patch = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    geometry.fill(patch, polygon - low, 1)
    drawn = patch[top - low[1] : bottom - low[1], left - low[0] : right - low[0]].astype(bool)
    canvas[top - window.top : bottom - window.top, left - window.left : right - window.left][drawn] = value
