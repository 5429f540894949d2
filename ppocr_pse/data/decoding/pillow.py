"""What Pillow reads: everything but plain JPEG and PNG, and files of several pages or frames."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image as Pillow

from ppocr_pse.data.decoding.headers import HEAD, is_possible, webp_size
from ppocr_pse.data.decoding.pixels import on_ground, to_eight_bits, turned
from ppocr_pse.data.decoding.rules import Rules, allow
from ppocr_pse.data.line_names import printable
from ppocr_pse.data.pictures import Frame, Image, ImageError

ORIENTATION, COMPRESSION, PHOTOMETRIC, BITS = 274, 259, 262, 258  # TIFF tags; the first is EXIF's, too
SEVERAL = ("TIFF", "GIF", "PNG", "WEBP", "AVIF")  # formats with pages or frames


class _PillowLimit:
    """Pillow's own limit, a global of its module, is off while a picture is read under ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._kept: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._kept, Pillow.MAX_IMAGE_PIXELS = Pillow.MAX_IMAGE_PIXELS, None
            self._readers += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                Pillow.MAX_IMAGE_PIXELS = self._kept


_own_limit = _PillowLimit()


def open_as(kind: str, file: IO[bytes]) -> Any:
    """Pillow's reader of one format: a file is never handed to another."""
    Pillow.init()
    if kind not in Pillow.OPEN:
        raise OSError(f"Pillow {Pillow.__version__} was built without {kind}; pip install --upgrade pillow")
    return Pillow.OPEN[kind][0](file, "")


def decode_frames(path: Path, kind: str, file: IO[bytes], rules: Rules) -> Iterator[Frame]:
    """All frames of a file; what Pillow raises becomes an error, whatever it is: broken files raise anything."""
    name, length = printable(path), os.fstat(file.fileno()).st_size
    size = webp_size(file.read(HEAD)) if kind == "WEBP" else None
    file.seek(0)
    if size is not None:
        allow(path, size, rules)  # Pillow allocates the canvas of a WebP when it opens it
    try:
        with _own_limit:
            opened = open_as(kind, file)
            single = kind not in SEVERAL or not getattr(opened, "is_animated", False)
    except Exception as error:
        raise ImageError(f"{name}: not a picture that can be decoded as {kind} ({_words(error)})") from None
    number = 0
    while True:
        number += 1
        where = name if single else f"{name}, page {number}"
        pixels, fault = None, ""
        try:
            with _own_limit:
                if number > 1:
                    opened.seek(number - 1)
                allow(path, opened.size[::-1], rules, _is_possible(kind, opened, length))
                pixels = _pixels(kind, opened, rules)
        except EOFError as error:
            if number > 1:
                return
            fault = f"{where}: cannot decode the picture ({_words(error)})"
        except ImageError as error:
            fault = str(error).replace(name, where, 1)
        except Exception as error:
            fault = f"{where}: cannot decode the picture ({_words(error)})"
        yield Frame(number, single, pixels, fault)
        if single or (pixels is None and (kind != "TIFF" or opened.tell() != number - 1)):
            return  # a frame is made from the one before it; a page is not, if it was found at all


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _is_possible(kind: str, opened: Any, length: int) -> bool:
    if kind == "TIFF" and opened.tag_v2.get(COMPRESSION, 1) == 1:
        bits = opened.tag_v2.get(BITS, 1)
        return opened.size[0] * opened.size[1] * (sum(bits) if isinstance(bits, tuple) else bits) // 8 <= length
    return is_possible(kind, opened.size[::-1], length)


def _pixels(kind: str, opened: Any, rules: Rules) -> Image:
    """The present frame of an opened file."""
    orientation = opened.getexif().get(ORIENTATION, 1)
    negative = False
    if kind == "TIFF":
        opened.tag_v2.pop(ORIENTATION, None)  # newer versions of Pillow turn pages by themselves, older ones do not
        opened.getexif().pop(ORIENTATION, None)
        negative = opened.tag_v2.get(PHOTOMETRIC) == 0 and opened.mode.startswith(("I", "F"))  # white is 0
    opened.load()
    if opened.mode.startswith(("I", "F")):
        grey = to_eight_bits(np.asarray(opened))
        image = cv2.cvtColor(255 - grey if negative else grey, cv2.COLOR_GRAY2BGR)
    elif opened.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in opened.info:
        image = on_ground(cv2.cvtColor(np.asarray(opened.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
    else:
        image = cv2.cvtColor(np.asarray(opened.convert("RGB")), cv2.COLOR_RGB2BGR)
    return image if rules.ignore_orientation else turned(image, orientation)
