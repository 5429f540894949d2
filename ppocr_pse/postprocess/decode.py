"""Maps of the network to polygons in source pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ppocr_pse.postprocess.expand import native
from ppocr_pse.types import Detections, ImageScale

BOX_TYPES = ("quad", "poly")
SCALES = (1, 2, 4)


def default_threads() -> int:
    """Threads for a batch when none are asked for: OMP_NUM_THREADS, else the cores this process may use."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    first = value.split(",")[0].strip()
    if first.isdigit() and int(first) > 0:
        return int(first)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


class PSEDecoder:
    """Decode PSENet's maps; the arguments are the keys of ``PostProcess`` in a configuration.

    Args:
        thresh: a pixel is set where its logit exceeds this (a logit, not a probability: 0 is one half).
        box_thresh: regions whose mean text probability is below this are left out, 0 to 1.
        min_area: seeds and regions of fewer pixels of the label map are left out.
        box_type: ``quad``, the rectangle of least area round a region, or ``poly``, its outline.
        scale: size of a label-map pixel in pixels of the network's input: 1 (finest), 2, or 4 (fastest).
        threads: threads that share the pictures of a batch; None: OMP_NUM_THREADS, else all cores.

    Raises:
        ValueError: an argument is outside its range.
        TypeError: an argument is of another type.
    """

    def __init__(
        self,
        thresh: float = 0.5,
        box_thresh: float = 0.85,
        min_area: int = 16,
        box_type: str = "quad",
        scale: int = 4,
        threads: int | None = None,
    ) -> None:
        for key, number in (("thresh", thresh), ("box_thresh", box_thresh)):
            if not _is_number(number):
                raise TypeError(f"PostProcess.{key}: a number expected, got {number!r}")
            if not np.isfinite(number):
                raise ValueError(f"PostProcess.{key}: a finite number expected, got {number!r}")
        if not 0 <= box_thresh <= 1:
            raise ValueError(f"PostProcess.box_thresh: a probability from 0 to 1 expected, got {box_thresh!r}")
        if not _is_number(min_area):
            raise TypeError(f"PostProcess.min_area: a number expected, got {min_area!r}")
        if not 0 <= min_area < 2**31:
            raise ValueError(f"PostProcess.min_area: a number of pixels from 0 to 2**31 - 1 expected, got {min_area!r}")
        if box_type not in BOX_TYPES:
            raise ValueError(f"PostProcess.box_type: one of {', '.join(BOX_TYPES)} expected, got {box_type!r}")
        if isinstance(scale, bool) or scale not in SCALES:
            raise ValueError(f"PostProcess.scale: one of 1, 2, 4 expected, got {scale!r}")
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"PostProcess.threads: a number >= 1 or null expected, got {threads!r}")
        self.thresh = float(thresh)
        self.box_thresh = float(box_thresh)
        self.min_area = int(np.ceil(min_area))
        self.box_type = box_type
        self.scale = int(scale)
        self.threads = threads

    def decode(self, maps: npt.NDArray[np.float32], scales: Sequence[ImageScale]) -> list[Detections]:
        """Find the texts of a batch.

        Args:
            maps: float32 (B, K, h, w), raw logits at a quarter of the network input's size, kernels from the
                text map (index 0) to the smallest; 1 <= K <= 32. Need not be contiguous. NaN counts as
                unset and spreads to the pixels interpolated from it; infinities are ordinary large values.
            scales: one record a picture.

        Returns:
            One ``Detections`` a picture, in raster order of the regions' seeds. Points are rounded to the
            nearest pixel, halves to even, and clipped to the source picture. In box type ``poly`` a
            region without area (one pixel thick) yields its rectangle.

        Raises:
            TypeError: maps are not float32.
            ValueError: not four axes, K outside 1 to 32, as many scales as pictures are not given, a ratio
                that is not above 0, or a label map of 2**31 pixels.
        """
        array = np.asarray(maps)
        if array.dtype != np.float32:
            raise TypeError(f"maps: float32 expected, got {array.dtype}; convert with .astype('float32')")
        if array.ndim != 4:
            raise ValueError(f"maps: shape (B, K, h, w) expected, got {array.shape}")
        if len(scales) != len(array):
            raise ValueError(f"scales: one a picture expected, got {len(scales)} for {len(array)} pictures")
        threads = self.threads if self.threads is not None else default_threads()
        pictures = native.decode(
            np.ascontiguousarray(array),
            thresh=self.thresh,
            box_thresh=self.box_thresh,
            min_area=self.min_area,
            scale=self.scale,
            polygons=self.box_type == "poly",
            threads=threads,
        )
        return [self._to_source(*picture[2:6], scale) for picture, scale in zip(pictures, scales)]

    def _to_source(
        self,
        scores: npt.NDArray[np.float32],
        quads: npt.NDArray[np.float32],
        points: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        scale: ImageScale,
    ) -> Detections:
        """Carry one picture's outlines from the label map to the source picture."""
        if not (scale.ratio_h > 0 and scale.ratio_w > 0):
            raise ValueError(f"scales: ratios above 0 expected, got {scale}")
        rectangles = self._round(quads.reshape(-1, 2), scale).reshape(-1, 4, 2)
        if self.box_type == "quad":
            return Detections(tuple(rectangles), scores)
        outline = self._round(points, scale)
        ends = offsets.tolist()
        polygons = tuple(outline[a:b] if b > a else rectangle for a, b, rectangle in zip(ends, ends[1:], rectangles))
        return Detections(polygons, scores)

    def _round(
        self, points: npt.NDArray[np.float32] | npt.NDArray[np.int32], scale: ImageScale
    ) -> npt.NDArray[np.int32]:
        """Map pixels to source pixels: int32 (N, 2)."""
        exact = points.astype(np.float64) * self.scale / (scale.ratio_w, scale.ratio_h)
        return np.clip(np.rint(exact), 0, (scale.src_w, scale.src_h)).astype(np.int32)
