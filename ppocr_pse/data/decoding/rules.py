"""Which pictures may be decoded, by what their headers say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ppocr_pse.data.line_names import printable
from ppocr_pse.data.pictures import ImageError


@dataclass(frozen=True)
class Rules:
    """How files are read.

    Attributes:
        ignore_orientation: leave pictures as they are stored.
        max_pixels: height x width that a picture may have; 0 for no limit.
    """

    ignore_orientation: bool
    max_pixels: int


def allow(path: Path, size: tuple[int, int], rules: Rules, possible: bool = True) -> None:
    """Refuse a picture by its header.

    Raises:
        ImageError: if it is larger than the rules allow, or than a file of its length can hold.
    """
    height, width = size
    if rules.max_pixels and height * width > rules.max_pixels:
        raise ImageError(
            f"{printable(path)}: the picture is {width} x {height}, {height * width:,} pixels, more than the "
            f"limit of {rules.max_pixels:,}; allow it with --max_pixels or Global.max_pixels (0: no limit) for "
            "detection, DecodeImage.max_pixels elsewhere"
        )
    if not possible:
        raise ImageError(
            f"{printable(path)}: not a picture that can be decoded: its header says {width} x {height}, which a file "
            "of its length cannot hold"
        )
