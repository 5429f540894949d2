"""Memory that reader processes and the training process see alike, for the arrays of a batch."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt


class Slot:
    """Memory for the arrays of one batch, seen by all processes; used up from its start.

    It is anonymous shared memory: it has no name that could outlive a killed run, and the size of /dev/shm
    does not limit it.

    Args:
        size: bytes; 0 holds nothing, so that every array travels through the pipe.
    """

    def __init__(self, size: int) -> None:
        self._bytes = np.frombuffer(mmap.mmap(-1, size), np.uint8) if size else np.empty(0, np.uint8)
        self._used = 0

    def clear(self) -> None:
        """Begin a new batch."""
        self._used = 0

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Make an array, here if there is room and outside otherwise; as `numpy.empty`."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        start = -(-self._used // 64) * 64
        if start + size > len(self._bytes):
            return np.empty(shape, dtype)
        self._used = start + size
        return self._bytes[start : start + size].view(dtype).reshape(shape)

    def send(self, array: npt.NDArray[Any]) -> Any:
        """What goes through the pipe for an array: its place if it is here, else itself."""
        start = array.ctypes.data - self._bytes.ctypes.data
        return (start, array.shape, array.dtype.str) if 0 <= start < len(self._bytes) else array

    def receive(self, sent: Any) -> npt.NDArray[Any]:
        """The array that `send` was called with, in another process; valid until the slot is used again."""
        if isinstance(sent, np.ndarray):
            return sent
        start, shape, dtype = sent
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self._bytes[start : start + size].view(dtype).reshape(shape)
