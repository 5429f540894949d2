"""Bytes to NumPy arrays: the element types that weights files have, bfloat16 among them, which NumPy lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.convert.errors import ConvertError

Array = npt.NDArray[Any]
BFLOAT16 = "bfloat16"


def from_bytes(content: bytes | memoryview, dtype: str, shape: Sequence[int], name: str) -> Array:
    """Make an array of little-endian elements.

    Args:
        content: the elements, row by row.
        dtype: a NumPy type, or ``bfloat16``, which becomes float32 (exactly: its bits are the upper half).
        shape: its sides.
        name: of the tensor, for messages.

    Raises:
        ConvertError: if the number of bytes does not fit.
    """
    element = np.dtype("<u2" if dtype == BFLOAT16 else dtype).newbyteorder("<")
    expected = math.prod(shape) * element.itemsize
    if any(side < 0 for side in shape) or len(content) != expected:
        raise ConvertError(
            f"{name}: {len(content)} bytes, expected {expected} for {dtype} {tuple(shape)}; the file is damaged: "
            "copy it again"
        )
    flat = np.frombuffer(content, element)
    if dtype == BFLOAT16:
        flat = widen_bfloat16(flat)
    return flat.astype(flat.dtype.newbyteorder("="), copy=True).reshape(tuple(shape))


def widen_bfloat16(bits: Array) -> Array:
    """Return the float32 numbers whose upper 16 bits are given as uint16."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
