"""The frozen records that flow through the system; arrays carry shape, dtype, range and unit.

Coordinates are float pixels, x to the right and y down, origin at the outer corner of the
top-left pixel's index (0, 0), as in every PaddleOCR label file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Polygon = npt.NDArray[np.float32]
"""float32 (N, 2), N >= 3, pixels; any winding, not closed (the first point is not repeated)."""


@dataclass(frozen=True)
class Annotation:
    """One line of a label file: where the picture is and which texts it holds.

    Attributes:
        image: path of the picture, resolved against the data directory.
        polygons: one float32 (N, 2) array a text, in source pixels; N may differ.
        ignored: bool (len(polygons),), true for don't-care texts (``###`` and ``*``).
        texts: the transcriptions, as many as polygons.
        source: ``FILE:LINE`` of the label, for messages.
    """

    image: Path
    polygons: tuple[Polygon, ...]
    ignored: npt.NDArray[np.bool_]
    texts: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Sample:
    """A decoded picture with its texts, while it is augmented.

    Attributes:
        image: uint8 (H, W, 3), BGR unless the configuration decodes to RGB.
        polygons: one float32 (N, 2) array a text, in pixels of ``image``; may leave it.
        ignored: bool (len(polygons),).
        source: path of the picture, for messages.
    """

    image: npt.NDArray[np.uint8]
    polygons: tuple[Polygon, ...]
    ignored: npt.NDArray[np.bool_]
    source: str


@dataclass(frozen=True)
class PseTargets:
    """What the loss compares the network with; all maps hold 0 and 1.

    Attributes:
        text: uint8 (H, W), the text map.
        kernels: uint8 (K, H, W), kernel maps from large to small.
        mask: uint8 (H, W), the training mask, 0 inside ignored texts.
    """

    text: npt.NDArray[np.uint8]
    kernels: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """Collated training data: NumPy arrays from the reader, or tensors once they are on the device.

    Attributes:
        image: float32 (B, 3, H, W), normalised.
        text: uint8 (B, H, W).
        kernels: uint8 (B, K, H, W).
        mask: uint8 (B, H, W).
        sources: one picture path a sample, so that a fault can be traced to its file.
        faults: (path, message) of each picture that could not be used and is missing from the batch.
        seconds: what reading it took, by stage: decode, augment and targets summed over its samples, collate, and
            wait, how long the training loop stood still for it.
        cache: (pictures asked of the cache, answered by it); (0, 0) without one.
    """

    image: Any
    text: Any
    kernels: Any
    mask: Any
    sources: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    cache: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        """Count the samples; 0 when every picture of the batch was faulty."""
        return len(self.sources)


@dataclass(frozen=True)
class ImageScale:
    """How a picture was resized for the network: ratio = resized / source.

    Attributes:
        src_h: height of the source picture in pixels.
        src_w: width of the source picture in pixels.
        ratio_h: vertical ratio.
        ratio_w: horizontal ratio.
    """

    src_h: float
    src_w: float
    ratio_h: float
    ratio_w: float


@dataclass(frozen=True)
class Detections:
    """The texts found in one picture.

    Attributes:
        polygons: one int32 (N, 2) array a text, in source pixels, inside [0, src_w] x [0, src_h];
            N is 4 for box type ``quad``.
        scores: float32 (len(polygons),), mean text probability of the region, 0 to 1.
    """

    polygons: tuple[npt.NDArray[np.int32], ...]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Count the texts."""
        return len(self.polygons)
