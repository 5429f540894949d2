"""Weights that PyTorch wrote, read without PyTorch: the zip form (1.6 on) and the form before it."""

from __future__ import annotations

import collections
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.convert.arrays import BFLOAT16, Array, from_bytes
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.pickles import PLAIN, Table, load_pickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": BFLOAT16,
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class StorageType:
    """What a name like ``torch.FloatStorage`` stands for."""

    dtype: str


@dataclass
class Storage:
    """One block of elements; ``flat`` comes later in the older form, whose pickle precedes the bytes."""

    dtype: str
    count: int
    flat: Array | None = None


@dataclass(frozen=True)
class Strided:
    """A tensor as the pickle describes it: a window into a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, source: str) -> Array:
        """Cut the window out; checked against the storage first, so that no byte outside is read."""
        flat = self.storage.flat
        sizes = self.shape, self.strides
        if flat is None or len(self.shape) != len(self.strides) or min((self.offset, *self.shape, *self.strides)) < 0:
            raise ConvertError(f"{source}: a tensor of shape {self.shape} has no data; copy the file again")
        last = self.offset + sum((side - 1) * step for side, step in zip(*sizes, strict=True))
        if math.prod(self.shape) > flat.size:
            raise ConvertError(f"{source}: a tensor of shape {self.shape} reaches past its storage; copy it again")
        if 0 in self.shape:
            return np.zeros(self.shape, flat.dtype)
        if last >= flat.size:
            raise ConvertError(f"{source}: a tensor of shape {self.shape} reaches past its storage; copy it again")
        strides = [step * flat.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides).copy()


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> Strided:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return Strided(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _parameter(data: Any, *_rest: Any) -> Any:
    return data


def _nothing(*_arguments: Any) -> None:
    return None


TABLE: Table = {
    **PLAIN,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("torch", "device"): _nothing,
    ("torch.serialization", "_get_layout"): _nothing,
    ("collections", "defaultdict"): collections.OrderedDict,
    **{("torch", name): StorageType(dtype) for name, dtype in STORAGES.items()},
    **{("torch.cuda", name): StorageType(dtype) for name, dtype in STORAGES.items()},
}


def read_torch(path: Path) -> dict[str, Any]:
    """Read what ``torch.save`` wrote.

    Returns:
        The mapping that was saved, tensors as arrays (bfloat16 as float32); nested mappings stay nested.

    Raises:
        ConvertError: if it names code, is damaged, or is of a kind that holds no state dict (TorchScript).
    """
    loaded = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    if not isinstance(loaded, Mapping):
        raise ConvertError(f"{path}: holds {type(loaded).__name__}, expected tensors by name (a state dict)")
    return _arrays(loaded, str(path))


def _arrays(value: Any, source: str) -> Any:
    if isinstance(value, Strided):
        return value.array(source)
    if isinstance(value, Mapping):
        return {str(name): _arrays(item, source) for name, item in value.items()}
    return value


def _read_zip(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickles = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
            if len(pickles) != 1:
                raise ConvertError(
                    f"{path}: a zip file with {len(pickles)} data.pkl, expected one: not from torch.save"
                )
            root = pickles[0][: -len("data.pkl")]
            if f"{root}constants.pkl" in names:
                raise ConvertError(f"{path}: TorchScript; save the state dict: torch.save(model.state_dict(), FILE)")
            if f"{root}byteorder" in names and archive.read(f"{root}byteorder").strip() != b"little":
                raise ConvertError(f"{path}: big-endian; save it again on a little-endian machine")
            stored: dict[str, Storage] = {}

            def storage(pid: Any) -> Storage:
                dtype, key, count = _persistent(pid)
                if key not in stored:
                    content = archive.read(f"{root}data/{key}")
                    stored[key] = Storage(dtype, count, from_bytes(content, dtype, (count,), f"{path}: storage {key}"))
                return stored[key]

            return load_pickle(archive.read(pickles[0]), str(path), TABLE, storage)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError) as error:
        raise ConvertError(f"{path}: not a whole file of torch.save ({error}); copy it again") from None


def _read_legacy(path: Path) -> Any:
    source = str(path)
    stored: dict[str, Storage] = {}

    def storage(pid: Any) -> Storage:
        dtype, key, count = _persistent(pid)
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a view of a storage (PyTorch before 0.4); load and save it with PyTorch once")
        return stored.setdefault(key, Storage(dtype, count))

    with path.open("rb") as file:
        if load_pickle(file, source) != LEGACY_MAGIC:
            raise ConvertError(f"{path}: not a file of torch.save")
        protocol = load_pickle(file, source)
        if protocol != LEGACY_PROTOCOL:
            raise ConvertError(f"{path}: torch.save's form number {protocol!r}, expected {LEGACY_PROTOCOL}")
        facts = load_pickle(file, source)
        if isinstance(facts, Mapping) and facts.get("little_endian") is False:
            raise ConvertError(f"{path}: big-endian; save it again on a little-endian machine")
        loaded = load_pickle(file, source, TABLE, storage)
        for key in load_pickle(file, source):
            if key not in stored:
                raise ConvertError(f"{path}: storage {key!r} belongs to no tensor; copy the file again")
            _fill(stored[key], file.read, f"{path}: storage {key}")
    return loaded


def _fill(storage: Storage, read: Callable[[int], bytes], name: str) -> None:
    head = read(8)
    if len(head) < 8 or struct.unpack("<q", head)[0] != storage.count:
        raise ConvertError(f"{name}: the file is cut off or damaged; copy it again")
    size = np.dtype("u2" if storage.dtype == BFLOAT16 else storage.dtype).itemsize
    storage.flat = from_bytes(read(storage.count * size), storage.dtype, (storage.count,), name)


def _persistent(pid: Any) -> tuple[str, str, int]:
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], StorageType):
        raise pickle.UnpicklingError("data of a kind that weights do not have")
    return pid[1].dtype, str(pid[2]), int(pid[4])
