"""Weights files in the forms of PyTorch, MindSpore and safetensors, written without them."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "bfloat16": "BFloat16Storage"}
SAFETENSORS = {"float32": "F32", "float16": "F16", "int64": "I64"}


class Block:
    """A storage: its bytes are written apart from the pickle."""

    def __init__(self, key: str, dtype: str, flat: np.ndarray) -> None:
        self.key, self.dtype, self.flat = key, dtype, flat


class Tensor:
    """A window into a block."""

    def __init__(self, block: Block, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self.block, self.shape, self.strides, self.offset = block, shape, strides, offset


def tensor(key: str, array: np.ndarray, dtype: str | None = None) -> Tensor:
    strides = tuple(int(np.prod(array.shape[i + 1 :])) for i in range(array.ndim))
    return Tensor(Block(key, dtype or str(array.dtype), array.ravel()), array.shape, strides)


def tensors(arrays: Mapping[str, np.ndarray]) -> OrderedDict[str, Tensor]:
    return OrderedDict((name, tensor(str(i), array)) for i, (name, array) in enumerate(arrays.items()))


def torch_pickle(value: Any, legacy: bool) -> tuple[bytes, dict[str, Block]]:
    """Pickle as torch.save does: storages as persistent ids, tensors through torch._utils._rebuild_tensor_v2."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    blocks: dict[str, Block] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            if not isinstance(item, Block):
                return None
            blocks[item.key] = item
            pid = ("storage", getattr(torch, STORAGES[item.dtype]), item.key, "cpu", item.flat.size)
            return (*pid, None) if legacy else pid

        def reducer_override(self, item: Any) -> Any:
            if isinstance(item, Tensor):
                arguments = (item.block, item.offset, item.shape, item.strides, False, OrderedDict())
                return _rebuild_tensor_v2, arguments
            return NotImplemented

    buffer = io.BytesIO()
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        Pickler(buffer, 2).dump(value)
    return buffer.getvalue(), blocks


def write_torch(file: Path, value: Any, legacy: bool = False) -> Path:
    content, blocks = torch_pickle(value, legacy)
    if legacy:
        facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        with file.open("wb") as out:
            for head in (MAGIC, 1001, facts):
                pickle.dump(head, out, 2)
            out.write(content)
            pickle.dump(sorted(blocks), out, 2)
            for key in sorted(blocks):
                out.write(struct.pack("<q", blocks[key].flat.size) + blocks[key].flat.tobytes())
        return file
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        for key, block in blocks.items():
            archive.writestr(f"archive/data/{key}", block.flat.tobytes())
    return file


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def mindspore_value(name: str, array: np.ndarray, dtype: str | None = None) -> bytes:
    dims = b"".join(varint(1 << 3) + varint(side) for side in array.shape or (0,))
    kind = dtype or {"float32": "Float32", "float16": "Float16", "int32": "Int32"}[str(array.dtype)]
    proto = dims + field(2, kind.encode()) + field(3, array.tobytes())
    return field(1, field(1, name.encode()) + field(2, proto))


def write_mindspore(file: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    file.write_bytes(b"".join(mindspore_value(name, array) for name, array in arrays.items()))
    return file


def write_safetensors(file: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    content = b""
    for name, array in arrays.items():
        begin, content = len(content), content + array.tobytes()
        kind = SAFETENSORS[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, len(content)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return file
