"""Names of pictures in files of lines: any path that a file system allows, written so that it can be read back."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

# control characters (TAB and all that some program takes for a line break are among them), bytes that are no UTF-8
# (Python holds them as surrogates), and at the start what marks an escaped name or a file in UTF-8
HOSTILE = re.compile('[\x00-\x1f\x80-\x9f\u2028\u2029\ud800-\udfff]|^["\ufeff]')


def written_name(name: str | os.PathLike[str]) -> str:
    r"""Write a path for a line: as it is, or as a JSON string if that could not be read back.

    ``a.jpg`` stays ``a.jpg``; ``a<TAB>b.jpg`` becomes ``"a\tb.jpg"``, quotes included, and a byte that is no UTF-8
    becomes ``\udcXX``, Python's way to write it (surrogateescape). The result has neither TAB nor line break, and is
    UTF-8.
    """
    text = os.fspath(name)
    return json.dumps(text) if HOSTILE.search(text) else text


def read_name(text: str) -> str:
    """Read back what :func:`written_name` wrote; a text that starts with a quote but is no JSON stays as it is."""
    if text.startswith('"'):
        try:
            name = json.loads(text)
        except json.JSONDecodeError:
            return text
        return name if isinstance(name, str) else text
    return text


def printable(path: Path) -> str:
    """A path for messages, on one line and in characters that can be printed."""
    return written_name(path)


def page_name(name: str | os.PathLike[str], page: int) -> str:
    """Name one picture of a file: the path (page 0), or ``PATH#page=N`` for one of several, counted from 1."""
    return f"{os.fspath(name)}#page={page}" if page else os.fspath(name)
