"""Picture files to pixels, by what is in them and not by what they are called.

What a file claims is looked at first: a picture that is larger than allowed, or larger than a file of its length can
hold, is refused before anything is allocated for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ppocr_pse.data.decoding import opencv, pillow
from ppocr_pse.data.decoding.headers import HEAD, jpeg_header, kind_of
from ppocr_pse.data.decoding.rules import Rules
from ppocr_pse.data.line_names import printable
from ppocr_pse.data.pictures import Frame, ImageError, Picture, ReductionFor, size_of, whole

BY_OPENCV = ("JPEG", "PNG")
JPEG_HEAD = 1 << 18  # bytes in which the size stands, unless there are very large thumbnails before it


def read_picture(path: Path, rules: Rules, reduction_for: ReductionFor = whole) -> Picture:
    """Read the first, mostly the only, picture of a file; a JPEG at the reduced size that is asked for.

    Raises:
        ImageError: if there is none, or it may not or cannot be decoded whole.
    """
    with _opened(path) as (kind, file):
        picture = opencv.decode(path, kind, file, rules, reduction_for) if kind in BY_OPENCV else None
        if picture is not None:
            return picture
        for frame in pillow.decode_frames(path, kind, file, rules):
            if frame.pixels is None or frame.error:
                raise ImageError(frame.error)
            return Picture(frame.pixels, size_of(frame.pixels))
    raise ImageError(f"{printable(path)}: not a picture that can be decoded ({kind} without a picture in it)")


def read_frames(path: Path, rules: Rules) -> Iterator[Frame]:
    """Read all pictures of a file, one after the other: pages of a TIFF, frames of a GIF, APNG, WebP or AVIF.

    A page that cannot be decoded is a frame with an error; pages behind it are read all the same. Of a JPEG that lacks
    its end what is there is given, with an error.

    Raises:
        ImageError: if nothing at all can be read.
    """
    with _opened(path) as (kind, file):
        try:
            picture = opencv.decode(path, kind, file, rules, whole) if kind in BY_OPENCV else None
        except ImageError:
            rest = opencv.decode_what_is_there(path, file, rules) if kind == "JPEG" else None
            if rest is None:
                raise
            yield Frame(1, True, rest, f"{printable(path)}: the end of the picture is missing; what is there was used")
            return
        if picture is not None:
            yield Frame(1, True, picture.pixels)
            return
        yield from pillow.decode_frames(path, kind, file, rules)


def peek_pixels(path: Path) -> int:
    """Height x width that a file claims for its first picture; 0 when it does not tell, or cannot be read."""
    try:
        with _opened(path) as (kind, file):
            if kind == "PNG":
                head = file.read(HEAD)
                return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")
            if kind == "JPEG":
                header = jpeg_header(np.frombuffer(file.read(JPEG_HEAD), np.uint8))
                return header.size[0] * header.size[1] if header else 0
            width, height = pillow.open_as(kind, file).size
            return width * height
    except Exception:  # Pillow's readers raise anything on broken files; whoever decodes it says what is wrong
        return 0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """A regular file, at its start, and its format."""
    name = printable(path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # a pipe would block when opened
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise ImageError(f"{name}: cannot read the picture (it is {what})")
        with path.open("rb") as file:
            head = file.read(HEAD)
            if not head:
                raise ImageError(f"{name}: the picture file is empty (0 bytes)")
            kind = kind_of(head)
            if kind is None:
                length = os.fstat(file.fileno()).st_size
                raise ImageError(
                    f"{name}: not a picture that can be decoded ({length} bytes, starts with {head[:4]!r}); "
                    "expected JPEG, PNG, TIFF, GIF, WebP, BMP, PNM, JPEG 2000 or AVIF"
                )
            file.seek(0)
            yield kind, file
    except OSError as error:
        dangling = error.errno == errno.ENOENT and path.is_symlink()
        reason = "a link to a file that does not exist" if dangling else error.strerror or error
        raise ImageError(f"{name}: cannot read the picture ({reason})") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to decode the picture") from None
