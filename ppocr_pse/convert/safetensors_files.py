"""``.safetensors`` files: eight bytes of length, a JSON header, the elements."""

from __future__ import annotations

import json
from pathlib import Path

from ppocr_pse.convert.arrays import BFLOAT16, Array, from_bytes
from ppocr_pse.convert.errors import ConvertError

DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": BFLOAT16, "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, Array]:
    """Read a safetensors file.

    Returns:
        Arrays by name.

    Raises:
        ConvertError: if header and elements do not fit.
    """
    data = memoryview(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    tensors: dict[str, Array] = {}
    try:
        header = json.loads(bytes(data[8 : 8 + size]))
        for name, facts in header.items():
            if name == "__metadata__":
                continue
            begin, end = facts["data_offsets"]
            if not 0 <= begin <= end <= len(data) - 8 - size:
                raise ValueError(f"{name} reaches past the end")
            content = data[8 + size + begin : 8 + size + end]
            tensors[name] = from_bytes(content, DTYPES[facts["dtype"]], facts["shape"], f"{path}: {name}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConvertError(f"{path}: not a whole safetensors file ({error!r:.200}); copy it again") from None
    return tensors
