"""What OpenCV reads right: JPEG in grey or colours, PNG of 8 bits without transparency or of 16 bits."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.decoding.headers import jpeg_header, png_header
from ppocr_pse.data.decoding.pillow import ORIENTATION, open_as
from ppocr_pse.data.decoding.pixels import on_ground, to_eight_bits, turned
from ppocr_pse.data.decoding.rules import Rules, allow
from ppocr_pse.data.line_names import printable
from ppocr_pse.data.pictures import REDUCTIONS, Image, ImageError, Picture, ReductionFor, size_of

READ_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
MOST_PIXELS, LONGEST_SIDE = 1 << 30, 1 << 20  # OpenCV refuses what is larger
Bytes = npt.NDArray[np.uint8]


def decode(path: Path, kind: str, file: IO[bytes], rules: Rules, reduction_for: ReductionFor) -> Picture | None:
    """Decode a JPEG or PNG; None when Pillow has to."""
    content = np.fromfile(file, np.uint8)
    header = jpeg_header(content) if kind == "JPEG" else png_header(content)
    file.seek(0)
    if header is None:
        raise _unreadable(path, content)
    stored = header.size
    allow(path, stored, rules, header.possible)
    if stored[0] * stored[1] > MOST_PIXELS or max(stored) > LONGEST_SIDE:
        return None
    if header.deep:
        return _deep_png(path, content, rules)
    if not header.plain:
        return None
    flags = cv2.IMREAD_IGNORE_ORIENTATION if rules.ignore_orientation else 0
    if kind == "JPEG":
        wished = reduction_for(*stored)
        reduction = next((r for r in REDUCTIONS if r <= wished), 1)
        if reduction > 1:
            pixels = _imdecode(path, content, READ_FLAGS[reduction] | flags)
            upright, sideways = (tuple(-(-side // reduction) for side in size) for size in (stored, stored[::-1]))
            told_apart = upright != sideways or stored == stored[::-1]
            if told_apart and pixels.shape[:2] in (upright, sideways):  # EXIF may have turned it
                return Picture(pixels, stored if pixels.shape[:2] == upright else stored[::-1], reduction)
    pixels = _imdecode(path, content, READ_FLAGS[1] | flags)
    return Picture(pixels, size_of(pixels))


def _imdecode(path: Path, content: Bytes, flags: int) -> npt.NDArray[Any]:
    try:
        image = cv2.imdecode(content, flags)
    except cv2.error as error:
        raise ImageError(f"{printable(path)}: cannot decode the picture ({error.err})") from None
    if image is None:
        raise _unreadable(path, content)
    return image


def _unreadable(path: Path, content: Bytes) -> ImageError:
    start = content[:4].tobytes()
    return ImageError(
        f"{printable(path)}: not a picture that can be decoded ({content.size} bytes, starts with {start!r})"
    )


def _deep_png(path: Path, content: Bytes, rules: Rules) -> Picture:
    """A PNG of 16 bits, which Pillow would cut to the upper 8."""
    values = _imdecode(path, content, cv2.IMREAD_UNCHANGED)
    image = to_eight_bits(values[..., :3])
    if values.ndim == 2:
        image = cv2.cvtColor(to_eight_bits(values), cv2.COLOR_GRAY2BGR)
    elif values.shape[2] == 4:
        image = on_ground(np.dstack([image, (values[..., 3] >> 8).astype(np.uint8)]))
    orientation = 1
    if not rules.ignore_orientation and b"eXIf" in content.tobytes():
        with contextlib.suppress(Exception):  # EXIF that cannot be parsed turns nothing
            orientation = open_as("PNG", io.BytesIO(content.tobytes())).getexif().get(ORIENTATION, 1)
    image = turned(image, orientation)
    return Picture(image, size_of(image))


def decode_what_is_there(path: Path, file: IO[bytes], rules: Rules) -> Image | None:
    """The pixels of a JPEG that lacks its end, the rest grey; None when that is not what is wrong with it."""
    file.seek(0)
    content = np.fromfile(file, np.uint8)
    header = jpeg_header(content)
    if header is None or not header.plain or content[-2:].tobytes() == b"\xff\xd9":
        return None
    flags = READ_FLAGS[1] | (cv2.IMREAD_IGNORE_ORIENTATION if rules.ignore_orientation else 0)
    try:
        allow(path, header.size, rules, header.possible)
        return _imdecode(path, np.append(content, np.array([0xFF, 0xD9], np.uint8)), flags)
    except ImageError:
        return None
