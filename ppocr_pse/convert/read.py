"""Which program wrote a file, by its first bytes, and the tensors in it."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.mindspore_files import read_mindspore
from ppocr_pse.convert.paddle_files import read_pdparams
from ppocr_pse.convert.safetensors_files import read_safetensors
from ppocr_pse.convert.torch_files import LEGACY_MAGIC, read_torch

CONTAINERS = ("state_dict", "model", "model_state_dict", "model_state", "params", "network", "net")
READERS = {
    "torch": read_torch,
    "paddle": read_pdparams,
    "mindspore": read_mindspore,
    "safetensors": read_safetensors,
}


def kind_of(path: Path) -> str:
    """Tell the kind of a weights file, one of READERS, by its content; the name does not matter.

    Raises:
        ConvertError: if there is no such file, or it is of no known kind.
    """
    if not path.is_file():
        raise ConvertError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(64)
    if zipfile.is_zipfile(path):
        return "torch"
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= path.stat().st_size - 8:
        return "safetensors"
    if head[:1] == b"\x80":
        return "torch" if LEGACY_MAGIC.to_bytes(10, "little") in head else "paddle"
    if head[:1] == b"\x0a":
        return "mindspore"
    if tarfile.is_tarfile(path):
        raise ConvertError(f"{path}: a tar file, as PyTorch wrote before 0.1.10; load and save it with PyTorch once")
    raise ConvertError(
        f"{path}: begins with {head[:8]!r}, expected a file of torch.save, paddle.save or MindSpore, or safetensors"
    )


def read_weights(path: Path) -> tuple[dict[str, Array], str]:
    """Read the tensors of a weights file without running code that it holds.

    A training checkpoint that keeps its weights under ``state_dict``, ``model`` or the like is opened at that place.

    Returns:
        Arrays by the names in the file, and the kind of the file.

    Raises:
        ConvertError: if it cannot be read, names code, or holds no tensors.
    """
    kind = kind_of(path)
    loaded: Mapping[str, Any] = READERS[kind](path)
    while True:
        inner = next((loaded[key] for key in CONTAINERS if isinstance(loaded.get(key), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    tensors = {name: value for name, value in loaded.items() if isinstance(value, np.ndarray)}
    if not tensors:
        raise ConvertError(f"{path}: no tensors in it; at the top it has {', '.join(list(loaded)[:5]) or 'nothing'}")
    return tensors, kind
