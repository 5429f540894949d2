"""MATLAB 5 files (``save -v5`` to ``-v7``), one cell at a time: SciPy can only load a variable as a whole.

Format: "MAT-File Format", The MathWorks. Read are cell arrays, characters and numbers; all else is passed over.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from math import prod
from pathlib import Path
from struct import Struct
from types import MappingProxyType
from typing import Any, BinaryIO, Literal

import numpy as np

from ppocr_pse.data.labels import LabelError

Read = Callable[[int], bytes]
"""Gives exactly that many bytes, or raises LabelError."""

_MATRIX, _COMPRESSED = 14, 15
_CELL, _CHAR, _NUMERIC = 1, 4, range(6, 16)
_DTYPES = MappingProxyType(
    {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2"}
)
_ENCODINGS = MappingProxyType({1: "utf-8", 2: "utf-8", 16: "utf-8", 4: "utf-16", 17: "utf-16", 18: "utf-32"})
_CHUNK = 1 << 16


@dataclass(frozen=True)
class _Header:
    """Class, dimensions and name of an array."""

    kind: int
    shape: tuple[int, ...]
    name: str


class MatFile:
    """Variables of a MATLAB file.

    Args:
        start: opens the file at its begin, as often as it is called.
        place: path, for messages.

    Raises:
        LabelError: if it is not a MATLAB 5 file.
    """

    def __init__(self, start: Callable[[], BinaryIO], place: str) -> None:
        self.place = place
        self._start = start
        self._places: dict[str, tuple[int, bool]] = {}  # name -> offset, compressed
        self._headers: dict[str, _Header] = {}
        try:
            with start() as file:
                self._list_variables(file)
        except OSError as error:
            raise LabelError(f"{place}: cannot read it ({error.strerror})") from None

    @classmethod
    def at(cls, path: Path) -> MatFile:
        """The file at a path.

        Raises:
            LabelError: if it cannot be read or is not a MATLAB 5 file.
        """
        return cls(lambda: path.open("rb"), str(path))

    def _list_variables(self, file: BinaryIO) -> None:
        head = file.read(128)
        if head[:10] == b"MATLAB 7.3" or head[:4] == b"\x89HDF":
            raise LabelError(f"{self.place}: a MATLAB 7.3 file (HDF5), expected version 5 to 7; save it with -v7")
        if len(head) < 128 or head[126:] not in (b"IM", b"MI"):
            raise LabelError(f"{self.place}: not a MATLAB 5 file")
        self._order: Literal["<", ">"] = "<" if head[126:] == b"IM" else ">"
        self._tag = Struct(f"{self._order}II")
        self._size = file.seek(0, SEEK_END)
        offset = 128
        while offset + 8 <= self._size:
            file.seek(offset)
            kind, length = self._tag.unpack(file.read(8))
            if kind not in (_MATRIX, _COMPRESSED):
                raise LabelError(f"{self.place}: damaged: element of type {kind} at byte {offset}")
            start = offset + 8 if kind == _COMPRESSED else offset
            read = self._open(file, start, kind == _COMPRESSED)
            read(8)
            header = self._header(read)
            self._places[header.name] = start, kind == _COMPRESSED
            self._headers[header.name] = header
            offset += 8 + length

    def __contains__(self, name: str) -> bool:
        """Whether there is such a variable."""
        return name in self._places

    def shape(self, name: str) -> tuple[int, ...]:
        """Dimensions of a variable."""
        return self._headers[name].shape

    def count(self, name: str) -> int:
        """How many values ``cells`` gives."""
        header = self._headers[name]
        if header.kind == _CELL:
            return prod(header.shape)
        return header.shape[0] if header.kind == _CHAR else 1

    def cells(self, name: str) -> Iterator[Any]:
        """The cells of a variable in MATLAB's order; rows of a char matrix; else the array itself.

        A char array is a tuple of its rows, numbers are an array, a cell array is a list, all else is None.

        Raises:
            LabelError: where the file is truncated or damaged.
        """
        start, compressed = self._places[name]
        with self._start() as file:
            read = self._open(file, start, compressed)
            length = self._length(read)
            header = self._header(read)
            if header.kind == _CELL:
                for _ in range(prod(header.shape)):
                    yield self._matrix(read(self._length(read)))
                return
            file.seek(start)
            read = self._open(file, start, compressed)
            read(8)
            value = self._matrix(read(length))
            yield from ((row,) for row in value) if header.kind == _CHAR else (value,)

    def _open(self, file: BinaryIO, start: int, compressed: bool) -> Read:
        file.seek(start)
        if not compressed:
            return self._exactly(lambda count: file.read(min(count, self._size)))  # not gigabytes that a fault asks for
        inflate = zlib.decompressobj()
        pending = bytearray()

        def read(count: int) -> bytes:
            while len(pending) < count and not inflate.eof:
                packed = inflate.unconsumed_tail or file.read(_CHUNK)
                if not packed:
                    break
                try:
                    pending.extend(inflate.decompress(packed, _CHUNK))
                except zlib.error as error:
                    raise LabelError(f"{self.place}: damaged ({error})") from None
            taken = bytes(pending[:count])
            del pending[:count]
            return taken

        return self._exactly(read)

    def _exactly(self, read: Read) -> Read:
        def exactly(count: int) -> bytes:
            content = read(count)
            if len(content) != count:
                raise LabelError(f"{self.place}: truncated")
            return content

        return exactly

    def _length(self, read: Read) -> int:
        kind, length = self._tag.unpack(read(8))
        if kind != _MATRIX:
            raise LabelError(f"{self.place}: damaged: element of type {kind}, expected an array")
        return length

    def _element(self, read: Read) -> tuple[int, bytes]:
        """Type and content of a data element; small ones hold both in 8 bytes, large ones are padded to 8."""
        tag = read(8)
        kind, length = self._tag.unpack(tag)
        if kind >> 16:
            kind, length = kind & 0xFFFF, kind >> 16
            return kind, tag[4 : 4 + length]
        content = read(length)
        read(-length % 8)
        return kind, content

    def _numbers(self, element: tuple[int, bytes]) -> np.ndarray:
        kind, content = element
        dtype = np.dtype(_DTYPES.get(kind, "V1")).newbyteorder(self._order)
        if kind not in _DTYPES or len(content) % dtype.itemsize:
            raise LabelError(f"{self.place}: damaged: {len(content)} bytes of numbers of type {kind}")
        return np.frombuffer(content, dtype)

    def _header(self, read: Read) -> _Header:
        flags, shape, name = (self._element(read) for _ in range(3))
        kind, sides = self._numbers(flags), self._numbers(shape).tolist()
        if not kind.size or len(sides) < 2 or min(sides) < 0:
            raise LabelError(f"{self.place}: damaged: an array of dimensions {sides}")
        return _Header(int(kind[0]) & 0xFF, tuple(sides), name[1].decode("utf-8", "replace"))

    def _matrix(self, content: bytes) -> Any:
        if not content:  # MATLAB's []
            return np.empty((0, 0))
        read = self._exactly(BytesIO(content).read)
        header = self._header(read)
        if header.kind == _CELL:
            return [self._matrix(read(self._length(read))) for _ in range(prod(header.shape))]
        if header.kind == _CHAR:
            return self._rows(self._element(read), header.shape)
        if header.kind in _NUMERIC:
            values = self._numbers(self._element(read))
            if values.size != prod(header.shape):
                raise LabelError(f"{self.place}: damaged: {values.size} numbers for an array of shape {header.shape}")
            return values.reshape(header.shape, order="F")
        return None

    def _rows(self, element: tuple[int, bytes], shape: tuple[int, ...]) -> tuple[str, ...]:
        kind, content = element
        if not content or shape[0] == 0:
            return ()
        suffix = {"<": "-le", ">": "-be"}[self._order]
        encoding = _ENCODINGS.get(kind, "latin-1")
        try:
            text = content.decode(encoding if encoding in ("utf-8", "latin-1") else encoding + suffix)
        except UnicodeDecodeError:
            text = content.decode("latin-1")  # bytes of an 8-bit code page, as old MATLAB versions wrote them
        rows = shape[0]
        if rows == 1:
            return (text,)
        if len(text) != prod(shape):
            raise LabelError(f"{self.place}: damaged: {len(text)} characters for an array of shape {shape}")
        return tuple(text[row::rows] for row in range(rows))


def texts_in(value: Any) -> Iterator[str]:
    """All rows of text in a value of ``MatFile.cells``, which may be cells of cells.

    Raises:
        LabelError: if there is something else.
    """
    if isinstance(value, np.ndarray) and value.size == 0:  # an empty cell is []
        return
    if not isinstance(value, (tuple, list)):
        raise LabelError(f"{str(value)[:60]}, expected text")
    for part in value:
        if isinstance(part, str):
            yield part
        else:
            yield from texts_in(part)
