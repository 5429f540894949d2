"""Progressive scale expansion of binary kernels, and the one place where the compiled extension is loaded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

try:
    from ppocr_pse.postprocess import _C as native
except ImportError as error:
    raise ImportError(
        f"ppocr_pse.postprocess._C, the compiled part of the post-processing, cannot be loaded ({error}). "
        "Build it from the project's root with `pip install -e .` or "
        "`python setup.py build_ext --inplace`; both need a C++17 compiler."
    ) from error

__all__ = ["native", "progressive_expand"]


def progressive_expand(kernels: npt.NDArray[np.uint8] | npt.NDArray[np.bool_], min_area: int) -> npt.NDArray[np.int32]:
    """Grow the components of the smallest kernel through the larger ones (PSENet, Wang et al., CVPR 2019, 3.3).

    The seeds are the 4-connected components of ``kernels[-1]``, numbered 1, 2, ... in raster order of their
    first pixel. Kernel after kernel, from the second smallest to the largest, each label takes over its
    neighbouring set pixels, first come, first served. Kernels need not be nested.

    Args:
        kernels: uint8 or bool (K, H, W), 1 <= K <= 32, from the largest (index 0, the text map) to the
            smallest; any value but 0 is set. H and W may be 0. Need not be contiguous.
        min_area: seeds of fewer pixels are left out; their numbers are not given to others. >= 0.

    Returns:
        int32 (H, W), 0 where there is no text.

    Raises:
        TypeError: kernels are neither uint8 nor bool.
        ValueError: not three axes, K outside 1 to 32, min_area below 0, or a map of 2**31 pixels.
    """
    array = np.asarray(kernels)
    if array.dtype not in (np.uint8, np.bool_):
        raise TypeError(f"kernels: uint8 or bool expected, got {array.dtype}; threshold the maps first")
    if min_area < 0:
        raise ValueError(f"min_area: a number of pixels >= 0 expected, got {min_area}")
    return native.progressive_expand(np.ascontiguousarray(array).view(np.uint8), int(min_area))
