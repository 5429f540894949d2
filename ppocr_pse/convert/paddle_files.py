"""Weights that Paddle wrote (``.pdparams``): a pickle of arrays by name, read without Paddle's own unpickler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.convert.arrays import Array, widen_bfloat16
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.pickles import load_pickle

NAME_TABLE = "StructuredToParameterName@@"
BIG_TENSORS = "UnpackBigParamInfor@@"


def read_pdparams(path: Path) -> dict[str, Any]:
    """Read what ``paddle.save`` wrote for a state dict, of Paddle 1.8 to 3.x.

    Returns:
        Arrays by name; nested mappings (optimizer state, for example) as they stand.

    Raises:
        ConvertError: if it names code, is damaged or holds no mapping.
    """
    with path.open("rb") as file:
        loaded = load_pickle(file, str(path))
    if not isinstance(loaded, Mapping):
        raise ConvertError(f"{path}: holds {type(loaded).__name__}, expected tensors by name")
    tensors = dict(loaded)
    tensors.pop(NAME_TABLE, None)
    for name, facts in (tensors.pop(BIG_TENSORS, None) or {}).items():
        try:  # protocols 2 and 3 cannot hold more than 4 GB in one piece
            pieces = [np.asarray(tensors.pop(piece)) for piece in facts["slices"]]
            tensors[name] = np.concatenate(pieces).reshape(facts["OriginShape"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConvertError(f"{path}: {name} is stored in pieces that do not fit: {error}; copy it again") from None
    return {str(name): _plain(value) for name, value in tensors.items()}


def _plain(value: Any) -> Any:
    """Turn (name, array), Paddle's form of a tensor, into the array."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], np.ndarray):
        value = value[1]
    if isinstance(value, np.ndarray) and value.dtype == np.uint16:  # how Paddle stores bfloat16
        bits: Array = value
        return widen_bfloat16(bits)
    return value
