"""What the first bytes of a picture file tell before anything is decoded: its format, its size, whether it can be true.

Sources: ITU-T T.81 B.2 (JPEG), W3C PNG 3rd edition, RFC 9649 (WebP), TIFF 6.0, GIF89a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HEAD = 32  # bytes that tell the format and, of WebP, the size
MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
# No encoder packs more pixels than this into a byte; a header that claims more is a lie. JPEG: 1 bit for a block of
# 64 pixels. GIF: a 12 bit code stands for 4096 pixels at most. The others are 1 bit a pixel, or run lengths.
# WebP, TIFF, JPEG 2000 and AVIF have no such bound: a blank page takes next to nothing.
PIXELS_PER_BYTE = {"JPEG": 512, "GIF": 4096, "BMP": 1024, "PPM": 8}
DEFLATE = 1032  # bytes that one byte of a zlib stream can stand for
SLACK = 65536


@dataclass(frozen=True)
class Header:
    """What a JPEG or PNG file says of itself.

    Attributes:
        size: (height, width) as stored, before EXIF orientation.
        plain: 8 bits, grey, colours or an opaque palette, one frame: OpenCV reads it right.
        deep: 16 bits a channel.
        possible: whether a file of this length can hold such a picture.
    """

    size: tuple[int, int]
    plain: bool = True
    deep: bool = False
    possible: bool = True


def kind_of(head: bytes) -> str | None:
    """Name the format of a file by its first bytes, whatever it is called; None when it is none that is read here."""
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    return None


def jpeg_header(content: npt.NDArray[np.uint8]) -> Header | None:
    """Read the frame header of a JPEG file; None when it has none.

    Args:
        content: uint8 (N,), the file.
    """
    data = content.data
    if bytes(data[:2]) != b"\xff\xd8":
        return None
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:  # rubbish between segments, which decoders skip
            marks = np.flatnonzero(content[at : at + SLACK] == 0xFF)
            if not marks.size:
                return None
            at += int(marks[0])
            continue
        marker = data[at + 1]
        if marker in (0x00, 0xFF, 0x01) or 0xD0 <= marker <= 0xD8:  # padding, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            size = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            huffman = marker < 0xC9  # arithmetic coding takes less than a bit for a block
            return Header(size, data[at + 9] in (1, 3), possible=not huffman or is_possible("JPEG", size, len(data)))
        if marker in (0xD9, 0xDA):
            return None
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def png_header(content: npt.NDArray[np.uint8]) -> Header | None:
    """Read IHDR of a PNG file and go through its chunks; None when it ends before IEND or does not start with IHDR.

    OpenCV must never see a chunk that claims more bytes than there are: 4.11 allocates up to 4 GB for it.

    Args:
        content: uint8 (N,), the file.
    """
    data = content.data
    if bytes(data[8:16]) != b"\0\0\0\rIHDR" or len(data) < 33:
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, colour = data[24], data[25]
    plain = bits <= 8 and colour in (0, 2, 3)
    at, name = 33, b""
    while name != b"IEND":
        name = bytes(data[at + 4 : at + 8])
        plain &= name not in (b"tRNS", b"acTL", b"eXIf")  # transparency, animation, orientation
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            return None
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    possible = 0 < height * width * channels * bits // 8 <= DEFLATE * len(data) + SLACK
    return Header((height, width), plain, bits == 16, possible)


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Height and width of a WebP file's canvas by its first 30 bytes; None when they do not tell."""
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        return int.from_bytes(head[28:30], "little") & 0x3FFF, int.from_bytes(head[26:28], "little") & 0x3FFF
    return None


def is_possible(kind: str, size: tuple[int, int], length: int) -> bool:
    """Whether a file of ``length`` bytes can hold a picture of that size (height, width)."""
    return size[0] * size[1] <= PIXELS_PER_BYTE.get(kind, 1 << 62) * length + SLACK
