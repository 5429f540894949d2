"""A folder of pictures in every format and with every harm, for tests: each shows two dark bars on white, or is bad."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SHAPE = (96, 160)
BARS = ((14, 20, 24, 110), (58, 30, 24, 90))  # top, left, height, width


def page(turns: int = 0) -> np.ndarray:
    """Grey uint8, two dark bars on white."""
    image = np.full(SHAPE, 255, np.uint8)
    for top, left, height, width in BARS:
        image[top : top + height, left : left + width] = 10
    return np.ascontiguousarray(np.rot90(image, turns))


def pil(mode: str = "L", turns: int = 0) -> Image.Image:
    return Image.fromarray(page(turns)).convert(mode)


def clear(ink: int, mode: str = "RGBA") -> Image.Image:
    """Bars of one ink; all around is transparent and, beneath that, of the same ink."""
    alpha = 255 - page() // 255 * 255
    image = Image.fromarray(np.dstack([np.full((*SHAPE, 3), ink, np.uint8), alpha]))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_opencv(image: np.ndarray, ending: str = ".png") -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


def turned_by_exif(kind: str) -> bytes:
    """Stored a quarter turn to the left; orientation 6 turns it back."""
    exif = Image.Exif()
    exif[274] = 6
    return saved(pil("RGB", 1), kind, exif=exif)


def palette_with_hole() -> bytes:
    image = Image.fromarray((page() // 255).astype(np.uint8), "P")  # 0: ink, 1: transparent, and of the same colour
    image.putpalette([0, 0, 0] * 256)
    return saved(image, "PNG", transparency=1)


def tiff_pages() -> bytes:
    deep = Image.fromarray(page().astype(np.uint16) * 257)
    real = Image.fromarray(page().astype(np.float32) / 255)
    pages = [pil("1"), pil("RGB"), pil("CMYK"), deep, real, clear(0)]
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def frames(kind: str, **options: object) -> bytes:
    moved = np.roll(page(), 12, 1)
    second = Image.fromarray(moved).convert("RGB")
    return saved(pil("RGB"), kind, save_all=True, append_images=[second], duration=50, **options)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    """Grey, one bit a pixel."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def claiming(content: bytes, at: int, form: str, *sides: int) -> bytes:
    """The same file with other numbers in its header."""
    numbers = struct.pack(form, *sides)
    return content[:at] + numbers + content[at + len(numbers) :]


def lying() -> dict[str, bytes]:
    """Small files whose headers claim pictures of 400 megapixels, or more."""
    jpeg = saved(pil(), "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    tiff = saved(pil(), "TIFF")
    for tag in (256, 257):
        at = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff = claiming(tiff, at, "<I", 20000)
    return {
        "lying.jpg": claiming(jpeg, frame, ">HH", 20000, 20000),
        "lying65535.jpg": claiming(jpeg, frame, ">HH", 65535, 65535),
        "lying.png": png(20000, 20000, b"\0" * 100),
        "lying_rgb.png": claiming(saved(pil("RGB"), "PNG"), 16, ">II", 2**31 - 1, 2**31 - 1),
        "lying_chunk.png": claiming(saved(pil(), "PNG"), 33, ">I", 2**31 - 1),
        "lying.gif": claiming(saved(pil(), "GIF"), 6, "<HH", 20000, 20000),
        "lying.bmp": claiming(saved(pil("RGB"), "BMP"), 18, "<ii", 20000, 20000),
        "lying.tif": tiff,
        "lying.webp": claiming(saved(clear(0), "WEBP"), 24, "<I", 0xFFFFFFFF) + b"\xff" * 2,
        "lying.ppm": b"P6 20000 20000 255\n" + b"\0" * 100,
    }


def good() -> dict[str, tuple[bytes, int]]:
    """Name -> file, and how many pictures with two bars each are in it."""
    grey, deep = page(), page().astype(np.uint16) * 257
    colour = np.dstack([deep] * 3)
    hole = np.where(page() == 255, 0, 65535).astype(np.uint16)
    jpeg = saved(pil("RGB"), "JPEG", quality=95)
    one = {
        "plain.jpg": jpeg,
        "UPPER.JPG": jpeg,
        "progressive.jpeg": saved(pil("RGB"), "JPEG", progressive=True),
        "grey.jpg": saved(pil(), "JPEG"),
        "cmyk.jpg": saved(pil("CMYK"), "JPEG", quality=95),
        "exif.jpg": turned_by_exif("JPEG"),
        "exif.png": turned_by_exif("PNG"),
        "exif.tif": turned_by_exif("TIFF"),
        "exif.webp": turned_by_exif("WEBP"),
        "tail.jpg": jpeg + b"\0" * 1000,
        "grey.png": by_opencv(grey),
        "bits.png": saved(pil("1"), "PNG"),
        "palette.png": saved(pil("P"), "PNG"),
        "hole.png": palette_with_hole(),
        "deep.png": by_opencv(deep),
        "deep_colour.png": by_opencv(colour),
        "deep_alpha.png": by_opencv(np.dstack([np.zeros_like(colour), hole])),
        "12bit.png": by_opencv((deep >> 4).astype(np.uint16)),
        "black.png": saved(clear(0), "PNG"),
        "grey_alpha.png": saved(clear(0, "LA"), "PNG"),
        "black.webp": saved(clear(0), "WEBP", lossless=True),
        "lossy.webp": saved(pil("RGB"), "WEBP"),
        "lossless.webp": saved(pil("RGB"), "WEBP", lossless=True),
        "one.gif": saved(pil(), "GIF"),
        "colour.bmp": saved(pil("RGB"), "BMP"),
        "palette.bmp": saved(pil("P"), "BMP"),
        "bits.tif": saved(pil("1"), "TIFF", compression="group4"),
        "lzw.tiff": saved(pil("RGB"), "TIFF", compression="tiff_lzw"),
        "big.tif": saved(pil("RGB"), "TIFF", big_tiff=True),
        "deep.tif": saved(Image.fromarray(deep), "TIFF"),
        "grey.pgm": saved(pil(), "PPM"),
        "deep.pgm": b"P5 %d %d 65535\n" % SHAPE[::-1] + deep.astype(">u2").tobytes(),
        "colour.jp2": saved(pil("RGB"), "JPEG2000"),
        "png_called.jpg": by_opencv(grey),
        "gif_called.png": saved(pil(), "GIF"),
        "jpeg_called.tif": jpeg,
        "same.jpg": jpeg,
        "same.png": by_opencv(grey),
        "-c.jpg": jpeg,
        "a\tb.jpg": jpeg,
        "a\nb.jpg": jpeg,
        "a\rb\u2028c.jpg": jpeg,
        "'single' \"double\".jpg": jpeg,
        '"a".jpg': jpeg,
        "字 é 😀.jpg": jpeg,
        os.fsdecode(b"caf\xe9\xff.jpg"): jpeg,
        "#page=2.jpg": jpeg,
        "%09 $(x) `y` ;*?.jpg": jpeg,
    }
    several = {
        "pages.tif": (tiff_pages(), 6),
        "frames.gif": (frames("GIF"), 2),
        "frames.png": (frames("PNG"), 2),
        "frames.webp": (frames("WEBP", lossless=True), 2),
    }
    return {name: (content, 1) for name, content in one.items()} | several


def bad() -> dict[str, bytes]:
    """Name -> file that holds no whole picture."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    noisy = Image.fromarray(noise)
    whole = {f"cut.{kind.lower()}": saved(noisy, kind) for kind in ("PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")}
    return {
        **{name: content[: len(content) // 2] for name, content in whole.items()},
        **lying(),
        "bomb.png": png(30000, 20000, (b"\0" + b"\xff" * 3750) * 20000),
        "empty.jpg": b"",
        "one_byte.png": b"\x89",
        "page.jpg": b"<html><body>404</body></html>",
        "document.png": b"%PDF-1.4\n" + b"\0" * 100,
        "head.jpg": saved(noisy, "JPEG")[:40],
        "head\n.jpg": b"nothing",
        "zeros.tif": bytes(5000),
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(100),
        "noise.gif": b"GIF89a" + noise.tobytes(),
        "noise.webp": b"RIFF\xff\xff\0\0WEBPVP8 " + noise.tobytes(),
        "noise.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + noise.tobytes(),
        "loop.tif": b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8),
    }


def write_folder(folder: Path) -> tuple[dict[str, int], set[str]]:
    """Write all of them.

    Returns:
        The names of good files with the number of their pictures, and the names of bad ones, which hold in addition a
        folder, a dangling link, a link to itself and a pipe. ``cut.jpg`` is in neither: it is both.
    """
    names: dict[str, int] = {}
    for name, (content, count) in good().items():
        (folder / name).write_bytes(content)
        names[name] = count
    worse = bad()
    for name, content in worse.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "cut.jpg").write_bytes(saved(pil("RGB"), "JPEG", quality=95)[:-20])
    return names, {*worse, "folder.jpg", "dangling.jpg", "itself.jpg", "pipe.jpg"}
