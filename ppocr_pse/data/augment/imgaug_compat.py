"""The one place where imgaug 0.4.0 is imported: it still asks NumPy for names that newer releases took away."""

from __future__ import annotations

from types import ModuleType

import numpy as np


def load_augmenters() -> ModuleType:
    """Import ``imgaug.augmenters``, giving NumPy back what it asks for.

    That is ``np.bool`` and ``np.complex`` (gone in 1.24) and ``np.sctypes`` (gone in 2.0).
    """
    if "bool" not in np.__dict__:
        np.bool = bool  # type: ignore[attr-defined,unused-ignore]
    if "complex" not in np.__dict__:
        np.complex = complex  # type: ignore[attr-defined,unused-ignore]  # noqa: NPY001
    if "sctypes" not in np.__dict__:
        np.sctypes = {  # type: ignore[attr-defined,unused-ignore]  # noqa: NPY201
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64],
            "complex": [np.complex64, np.complex128],
            "others": [bool, object, bytes, str, np.void],
        }
    import imgaug.augmenters

    return imgaug.augmenters
