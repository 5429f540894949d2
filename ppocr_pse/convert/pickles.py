"""Pickle files read without running what they name: only a list of harmless constructors is known.

A pickle is a program: loading one with Python's or Paddle's own loader runs whatever it names. Here every name that it
asks for is looked up in a table; a name outside the table ends the reading, before anything is called.
"""

from __future__ import annotations

import codecs
import collections
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from ppocr_pse.convert.errors import ConvertError

Table = Mapping[tuple[str, str], Any]
FAULTS = (
    pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError, MemoryError,
    OverflowError, RecursionError, AssertionError,
)  # fmt: skip
"""What a damaged or hostile pickle makes the loader raise, besides its own error."""


class ForbiddenName(pickle.UnpicklingError):
    """The pickle asks for a function or class outside the table."""


def _array_shell(subtype: Any, shape: Any, typecode: Any) -> Any:
    """Stand in for NumPy's ``_reconstruct``: an empty plain array whose state follows."""
    if subtype is not np.ndarray or shape not in ((0,), [0]):
        raise pickle.UnpicklingError("an array that is not a plain numpy.ndarray")
    return np.ndarray((0,), dtype="u1")


def _dtype(*arguments: Any) -> Any:
    """Stand in for numpy.dtype: numbers and booleans only, never Python objects."""
    made = np.dtype(str(arguments[0]))
    if made.kind not in "fiub":
        raise pickle.UnpicklingError(f"array elements of type {made}, expected numbers")
    return made


def _scalar(dtype: Any, content: Any) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a scalar that is not a number")
    return np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, dtype)[0]


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    return codecs.encode(text, "latin1" if encoding in ("latin1", "latin-1") else "utf-8")


def _frombuffer(content: Any, dtype: Any, shape: Any, order: str) -> Any:
    return np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")


def _paddle_lod_tensor(code: str, scope: Mapping[str, Any]) -> Any:
    """Stand in for ``eval``, by which Paddle pickles a dense tensor as ("data", {"data": array}); runs nothing."""
    if code != "data" or set(scope) != {"data"}:
        raise pickle.UnpicklingError("it asks for eval of something that is not a tensor")
    return scope["data"]


PLAIN: Table = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "tuple"): tuple,
    ("__builtin__", "tuple"): tuple,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("builtins", "int"): int,
    ("builtins", "eval"): _paddle_lod_tensor,
    ("__builtin__", "eval"): _paddle_lod_tensor,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _array_shell for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
}
"""Containers, numbers and NumPy arrays of numbers."""


class SafeUnpickler(pickle.Unpickler):
    """Loads one pickle; every name comes from a table, everything outside it is refused.

    Args:
        file: positioned at the pickle.
        table: (module, name) to what stands for it.
        persistent: what a persistent id stands for; None: the format has none.
    """

    def __init__(self, file: BinaryIO, table: Table, persistent: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, encoding="latin1")
        self._table = table
        self._persistent = persistent

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the table; nothing is ever imported."""
        try:
            return self._table[(module, name)]
        except KeyError:
            raise ForbiddenName(f"it names {module}.{name}, which no weights need") from None

    def persistent_load(self, pid: Any) -> Any:
        """Return what a persistent id stands for."""
        if self._persistent is None:
            raise pickle.UnpicklingError("it refers to data outside the file")
        return self._persistent(pid)


def load_pickle(
    content: bytes | BinaryIO, source: str, table: Table = PLAIN, persistent: Callable[[Any], Any] | None = None
) -> Any:
    """Load one pickle with nothing but the table's names.

    Raises:
        ConvertError: if it names anything else, or is damaged.
    """
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        return SafeUnpickler(file, table, persistent).load()
    except ForbiddenName as error:
        raise ConvertError(
            f"{source}: refused, nothing of it was run: {error}. A file of weights alone has no such name; if you "
            "trust it, load it with the program that wrote it and save only its state dict"
        ) from None
    except FAULTS as error:
        raise ConvertError(
            f"{source}: cannot be read as weights ({str(error)[:200] or type(error).__name__}). Is it whole, and the "
            "file of weights (not of the optimizer or of a whole network)?"
        ) from None
