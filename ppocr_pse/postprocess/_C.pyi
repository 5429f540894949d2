"""The compiled part of the post-processing (csrc/); ``ppocr_pse.postprocess`` holds the public functions."""

import numpy as np
import numpy.typing as npt

Regions = tuple[
    npt.NDArray[np.int32],  # labels (N,), ascending: a region's number in the label map
    npt.NDArray[np.int64],  # areas (N,), pixels of the label map
    npt.NDArray[np.float32],  # scores (N,), mean text probability
    npt.NDArray[np.float32],  # quads (N, 4, 2), x and y in pixels of the label map
    npt.NDArray[np.int32],  # contour points (P, 2) of all regions, x and y in pixels of the label map
    npt.NDArray[np.int64],  # offsets (N + 1,): region i owns points[offsets[i]:offsets[i + 1]]; none: use its quad
    npt.NDArray[np.float64],  # seconds (5,): encode, threshold, grow, regions, outlines; zero unless profiled
]

def decode(
    maps: npt.NDArray[np.float32],
    *,
    thresh: float,
    box_thresh: float,
    min_area: int,
    scale: int,
    polygons: bool,
    threads: int,
    simd: str = "auto",
    profile: bool = False,
) -> list[Regions]:
    """Find the regions of a batch of logits, C-contiguous float32 (B, K, h, w); releases the GIL.

    Args:
        maps: raw logits, text map first, smallest kernel last; 1 <= K <= 32.
        thresh: a pixel is set where its logit exceeds this.
        box_thresh: regions with a lower score are left out.
        min_area: seeds and regions of fewer pixels are left out.
        scale: 1, 2 or 4; the label map is 4 / scale times the size of the maps.
        polygons: follow the contours as well.
        threads: how many threads share the pictures.
        simd: one of ``simd_paths()``, or ``auto`` for the last of them. All give the same bits.
        profile: measure the stages.

    Raises:
        TypeError: not float32, or not C-contiguous.
        ValueError: wrong rank, K, scale or simd.
    """

def label_map(
    maps: npt.NDArray[np.float32], *, thresh: float, min_area: int, scale: int, simd: str = "auto"
) -> npt.NDArray[np.int32]:
    """Return the label map int32 (h * 4 / scale, w * 4 / scale) of one picture's logits float32 (K, h, w)."""

def progressive_expand(kernels: npt.NDArray[np.uint8], min_area: int) -> npt.NDArray[np.int32]:
    """Return the label map int32 (H, W) of binary kernels, C-contiguous uint8 (K, H, W)."""

def simd_paths() -> list[str]:
    """Name the instruction-set paths this processor can run, narrowest first."""
