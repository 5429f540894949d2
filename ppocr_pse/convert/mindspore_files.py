"""Weights that MindSpore wrote (``.ckpt``), read without MindSpore: Protocol Buffers, ``checkpoint.proto``.

    message Checkpoint { repeated Value value = 1; }
    message Value { string tag = 1; TensorProto tensor = 2; }
    message TensorProto { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3; }

A tensor over 512 MB stands there as several values of one tag, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.convert.arrays import BFLOAT16, Array, from_bytes
from ppocr_pse.convert.errors import ConvertError

DTYPES = {
    "Float64": "float64", "Float32": "float32", "Float16": "float16", "BFloat16": BFLOAT16, "Int64": "int64",
    "Int32": "int32", "Int16": "int16", "Int8": "int8", "UInt64": "uint64", "UInt32": "uint32", "UInt16": "uint16",
    "UInt8": "uint8", "Bool": "bool",
}  # fmt: skip
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
CHECKSUM_MARK = b"crc_num"
CHECKSUM_SIZE = len(CHECKSUM_MARK) + 10


class _Truncated(ValueError):
    pass


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _Truncated
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Truncated


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, number or bytes) of one message, in the order of the file.

    Raises:
        ValueError: if it is cut off or no Protocol Buffers message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(data):
            raise _Truncated
        yield number, data[at : at + size]
        at += size


def _dims(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value]
    dims, at = [], 0
    while at < len(value):  # a packed list
        one, at = _varint(value, at)
        dims.append(one)
    return dims


def read_mindspore(path: Path) -> dict[str, Array]:
    """Read a MindSpore checkpoint.

    Returns:
        Arrays by name; a scalar has shape ().

    Raises:
        ConvertError: if it is damaged, encrypted, or has elements that weights do not have.
    """
    data = path.read_bytes()
    if data[-CHECKSUM_SIZE:].startswith(CHECKSUM_MARK):
        data = data[:-CHECKSUM_SIZE]
    pieces: dict[str, tuple[str, list[int], list[memoryview]]] = {}
    try:
        for number, value in fields(memoryview(data)):
            if number != 1 or isinstance(value, int):
                continue
            tag, dtype, dims, content = _value(value)
            pieces.setdefault(tag, (dtype, dims, []))[2].append(content)
    except ValueError as error:  # UnicodeDecodeError is one too
        raise ConvertError(
            f"{path}: not a whole MindSpore checkpoint ({str(error) or 'it ends too early'}; {len(data)} bytes). Copy "
            "it again; an encrypted one must be saved without encryption"
        ) from None
    tensors: dict[str, Array] = {}
    for tag, (dtype, dims, contents) in pieces.items():
        if dtype not in DTYPES:
            raise ConvertError(f"{path}: {tag} is of type {dtype!r}, expected one of {', '.join(DTYPES)}")
        shape = [] if dims == [0] and contents[0] else dims  # how MindSpore writes a scalar
        content = contents[0] if len(contents) == 1 else memoryview(b"".join(contents))
        tensors[tag] = from_bytes(content, DTYPES[dtype], shape, f"{path}: {tag}")
    return tensors


def _value(data: memoryview) -> tuple[str, str, list[int], memoryview]:
    tag, dtype, dims, content = "", "", list[int](), memoryview(b"")
    for number, value in fields(data):
        if number == 1 and not isinstance(value, int):
            tag = bytes(value).decode()
        if number != 2 or isinstance(value, int):
            continue
        for inner, part in fields(value):
            if inner == 1:
                dims += _dims(part)
            elif inner == 2 and not isinstance(part, int):
                dtype = bytes(part).decode()
            elif inner == 3 and not isinstance(part, int):
                content = part
    if not tag or not dtype:
        raise ValueError("a value without a name or a type")
    return tag, dtype, dims, content
