"""Decoding by content: formats, depths, transparency, orientation, pages, faults, limits."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from ppocr_pse.data.decoding.headers import kind_of, webp_size
from ppocr_pse.data.decoding.pillow import _own_limit
from ppocr_pse.data.decoding.pixels import on_ground, to_eight_bits, turned
from ppocr_pse.data.labels import format_label_line, parse_label_line
from ppocr_pse.data.line_names import page_name, read_name, written_name
from ppocr_pse.data.preprocess import DecodeImage, ImageError
from ppocr_pse.data.results import read_results
from tests.hostile import bad, by_opencv, clear, frames, good, page, pil, png, saved, tiff_pages

BGR = DecodeImage("BGR")
GOOD = good()


def photo(height: int = 40, width: int = 64) -> np.ndarray:
    """BGR uint8, smooth, every channel its own way, no symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / width, y * 255 / height, (x + y) * 127 / (height + width)], axis=2).astype(np.uint8)


def rgb(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))


def write(folder: Path, content: bytes) -> Path:
    file = folder / "picture.bin"
    file.write_bytes(content)
    return file


LOSSLESS = {
    "png": lambda image: saved(rgb(image), "PNG"),
    "png16": lambda image: by_opencv(image.astype(np.uint16) * 257),
    "rgba": lambda image: saved(rgb(image).convert("RGBA"), "PNG"),
    "bmp": lambda image: saved(rgb(image), "BMP"),
    "ppm": lambda image: saved(rgb(image), "PPM"),
    "tiff": lambda image: saved(rgb(image), "TIFF"),
    "tiff lzw": lambda image: saved(rgb(image), "TIFF", compression="tiff_lzw"),
    "tiff cmyk": lambda image: saved(rgb(image).convert("CMYK"), "TIFF"),
    "webp": lambda image: saved(rgb(image), "WEBP", lossless=True),
    "jp2": lambda image: saved(rgb(image), "JPEG2000", irreversible=False),
}


@pytest.mark.parametrize("way", LOSSLESS)
def test_lossless_formats_give_the_picture_back(tmp_path: Path, way: str) -> None:
    file = write(tmp_path, LOSSLESS[way](photo()))
    np.testing.assert_array_equal(BGR(file), photo())
    np.testing.assert_array_equal(DecodeImage("RGB")(file), photo()[:, :, ::-1])


@pytest.mark.parametrize("options", [{}, {"adobe": False}])
def test_cmyk_jpeg_is_no_negative(tmp_path: Path, options: dict) -> None:
    """With Adobe's marker the inks are stored upside down, without it they are not."""
    content = saved(rgb(photo()).convert("CMYK"), "JPEG", quality=98)
    assert b"Adobe" in content
    if not options.get("adobe", True):
        at = content.index(b"\xff\xee")
        content = content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]
        expected = 255 - np.asarray(Image.open(io.BytesIO(content)), int)  # what its numbers say, as inks
        inks = np.clip(expected[..., :3] - (255 - expected[..., 3:]), 0, 255)[..., ::-1]
        assert np.abs(BGR(write(tmp_path, content)).astype(int) - inks).max() <= 1
        return
    assert np.abs(BGR(write(tmp_path, content)).astype(int) - photo()).mean() < 2


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_bars_are_where_they_are(tmp_path: Path, name: str) -> None:
    content, count = GOOD[name]
    file = write(tmp_path, content)
    shown = list(BGR.frames(file))
    assert [frame.number for frame in shown] == list(range(1, count + 1))
    assert all(frame.single == (count == 1) and frame.error == "" for frame in shown)
    for frame in shown[:1] if name.startswith("frames") else shown:
        assert frame.pixels.dtype == np.uint8 and frame.pixels.flags.c_contiguous
        assert np.abs(frame.pixels.astype(int) - page()[:, :, None]).mean() < 6, frame.number
    np.testing.assert_array_equal(BGR(file), shown[0].pixels)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_each_frame_is_the_whole_picture_of_its_moment(tmp_path: Path, kind: str) -> None:
    first, second = BGR.frames(write(tmp_path, frames(kind, **({"lossless": True} if kind == "WEBP" else {}))))
    assert np.abs(first.pixels.astype(int) - page()[:, :, None]).max() <= 6
    assert np.abs(second.pixels.astype(int) - np.roll(page(), 12, 1)[:, :, None]).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(kind, {})
    file = write(tmp_path, saved(rgb(photo()), kind, exif=exif, **options))
    stored = DecodeImage("BGR", ignore_orientation=True)(file)
    assert np.abs(stored.astype(int) - photo()).max() <= 6
    np.testing.assert_array_equal(BGR(file), turned(stored, orientation))


def test_the_eight_orientations_by_hand() -> None:
    """Where the top left pixel of what is stored comes to lie; EXIF 2.3, 4.6.4 A, tag 274."""
    places = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = 9
    for orientation, (row, column) in places.items():
        seen = turned(image, orientation)
        assert seen.shape[:2] == ((2, 3) if orientation < 5 else (3, 2)) and seen[row, column, 0] == 9, orientation
    with_second = image.copy()
    with_second[0, 1] = 5  # to the right of it; after a turn to the right it is below
    assert turned(with_second, 6)[:, -1, 0].tolist() == [9, 5, 0]


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 1023), (12, 4095), (14, 16383), (16, 65535)])
def test_deep_pictures_use_the_range_of_their_sensor(bits: int, top: int) -> None:
    given = np.array([0, top // 2, top], np.uint16)
    assert to_eight_bits(given).tolist() == pytest.approx([0, 127, 255], abs=1)


def test_floats_and_wide_integers() -> None:
    assert to_eight_bits(np.array([0.0, 0.5, 1.0], np.float32)).tolist() == [0, 128, 255]
    assert to_eight_bits(np.array([0.0, 100.0, 255.0], np.float32)).tolist() == [0, 100, 255]
    assert to_eight_bits(np.array([-5, np.nan, 5, np.inf])).tolist() == [0, 0, 255, 0]
    assert to_eight_bits(np.array([-(2**31), 0, 2**31 - 1], np.int32)).tolist() == [0, 128, 255]
    assert to_eight_bits(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_text_shows_on_its_ground() -> None:
    def ground(*inks: int) -> int:
        image = np.zeros((20, 60, 4), np.uint8)
        for i, ink in enumerate(inks):
            image[5:15, 5 + 20 * i : 15 + 20 * i] = (ink, ink, ink, 255)
        laid = on_ground(image)
        assert all(laid[10, 10 + 20 * i].tolist() == [ink] * 3 for i, ink in enumerate(inks))
        return int(laid[0, 0, 0])

    assert [ground(0), ground(255), ground(0, 255), ground(), ground(120)] == [255, 0, 127, 255, 255]
    half = np.full((2, 2, 4), 100, np.uint8)
    half[..., 3] = 51
    assert on_ground(half)[0, 0].tolist() == [224] * 3  # 0.2 * 100 + 0.8 * 255


def test_white_text_on_transparent_shows(tmp_path: Path) -> None:
    seen = BGR(write(tmp_path, saved(clear(255), "PNG")))
    np.testing.assert_array_equal(seen[..., 0], np.where(page() == 255, 0, 255))


def test_of_a_broken_page_the_others_are_read(tmp_path: Path) -> None:
    content = bytearray(tiff_pages())
    with Image.open(io.BytesIO(bytes(content))) as opened:
        opened.seek(1)
        strip = int(opened.tag_v2[273][0]).to_bytes(4, "little")  # StripOffsets: one LONG
    place = bytes(content).index(b"\x11\x01\x04\x00\x01\x00\x00\x00" + strip) + 8
    content[place : place + 4] = (len(content) - 10).to_bytes(4, "little")
    shown = list(BGR.frames(write(tmp_path, bytes(content))))
    assert [frame.number for frame in shown if frame.error] == [2] and len(shown) == 6
    assert "picture.bin, page 2" in shown[1].error and shown[1].pixels is None
    assert shown[2].pixels is not None


BAD = {name: content for name, content in bad().items() if name != "bomb.png"}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_files_are_named(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, BAD[name])
    with pytest.raises(ImageError, match=r"picture\.bin"):
        BGR(file)


def test_a_jpeg_without_its_end_is_shown_and_named(tmp_path: Path) -> None:
    file = write(tmp_path, saved(pil("RGB"), "JPEG", quality=95)[:-20])
    (only,) = BGR.frames(file)
    assert "the end of the picture is missing" in only.error
    assert np.abs(only.pixels[:60].astype(int) - page()[:60, :, None]).mean() < 4


def test_the_limit(tmp_path: Path) -> None:
    file = write(tmp_path, png(3000, 2000, (b"\0" + b"\xff" * 375) * 2000))
    for limit in (0, 6_000_000):
        assert DecodeImage("BGR", max_pixels=limit)(file).shape == (2000, 3000, 3)
    with pytest.raises(
        ImageError, match=r"3000 x 2000, 6,000,000 pixels, more than the limit of 5,999,999; .*max_pixels"
    ):
        DecodeImage("BGR", max_pixels=5_999_999)(file)
    with pytest.raises(ValueError, match="max_pixels is -1"):
        DecodeImage("BGR", max_pixels=-1)


def test_pillows_limit_is_ours_while_we_read_and_its_own_afterwards(tmp_path: Path) -> None:
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 100
    try:
        for content in (saved(pil(), "GIF"), saved(pil(), "TIFF"), saved(clear(0), "WEBP")):
            assert BGR(write(tmp_path, content)).shape == (96, 160, 3)
        readers = [threading.Thread(target=lambda: [_own_limit.__enter__(), _own_limit.__exit__()]) for _ in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert Image.MAX_IMAGE_PIXELS == 100
    finally:
        Image.MAX_IMAGE_PIXELS = before


def test_formats_by_their_first_bytes() -> None:
    kinds = {"JPEG": "JPEG", "PNG": "PNG", "GIF": "GIF", "BMP": "BMP", "TIFF": "TIFF", "WEBP": "WEBP", "PPM": "PPM"}
    for kind in kinds:
        assert kind_of(saved(pil("RGB"), kind)[:32]) == kind
    assert kind_of(saved(pil(), "JPEG2000")[:32]) == "JPEG2000"
    assert kind_of(b"P7 nothing") is None and kind_of(b"") is None and kind_of(b"RIFF1234WAVE") is None
    for options in ({}, {"lossless": True}, {"exif": Image.Exif().tobytes()}):
        assert webp_size(saved(pil("RGB"), "WEBP", **options)[:32]) == (96, 160)
    assert webp_size(b"RIFF") is None


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif(tmp_path: Path) -> None:
    seen = BGR(write(tmp_path, saved(pil("RGB"), "AVIF", quality=95)))
    assert np.abs(seen.astype(int) - page()[:, :, None]).mean() < 4


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(GOOD)), edits=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4))))
def test_whatever_the_bytes_are_there_is_a_picture_or_an_error(tmp_path: Path, name: str, edits: list) -> None:
    content = bytearray(GOOD[name][0])
    for at, what in edits:
        content[at : at + len(what)] = what
    file = write(tmp_path, bytes(content))
    try:
        for frame in DecodeImage("BGR", max_pixels=10_000_000).frames(file):
            assert frame.error or frame.pixels.shape[2] == 3
    except ImageError as error:
        assert str(file) in str(error)


PLAIN = ["a.jpg", "a b.jpg", "字 é 😀.jpg", "a'\"b.jpg", "C:\\x.jpg", "-a.jpg", "#page=2", "\u3000x", "[1]", "null"]
HARD = ["a\tb", "a\nb", "\r", "x\x85y", "\u2028", '"a"', '"', '"\\"', "\ufeffa", "caf\udce9", "\x1b[31m", "😀\udcff\t"]


@pytest.mark.parametrize("name", PLAIN + HARD)
def test_names_come_back(tmp_path: Path, name: str) -> None:
    text = written_name(name)
    assert (text == name) == (name in PLAIN)
    assert read_name(text) == name and len(text.encode().splitlines()) == 1 and "\t" not in text
    line = format_label_line(text, [""], [np.array([[0, 0], [9, 0], [9, 9]])], [0.5])
    assert parse_label_line(line, Path("data"), "f:1")[0].image == Path("data") / name
    (tmp_path / "r.txt").write_text(line + "\n", encoding="utf-8")
    assert [picture.name for picture in read_results(tmp_path / "r.txt", "lines").pictures] == [name]


@given(st.text(st.characters(exclude_characters="\0", codec=None), min_size=1))
def test_any_name_comes_back(name: str) -> None:
    name = name.encode("utf-8", "replace").decode() + "\udcff"
    assert read_name(written_name(name)) == name and written_name(name).isascii()


def test_a_quote_of_someone_else_stays() -> None:
    assert read_name('"half') == '"half' and read_name('"a" b') == '"a" b' and read_name("a.jpg") == "a.jpg"
    assert page_name(Path("a/b.tif"), 2) == "a/b.tif#page=2" and page_name("b.tif", 0) == "b.tif"


def test_opencv_sees_no_transparent_and_no_animated_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go to Pillow; and what goes to OpenCV is bit-equal to what it gives."""
    calls: list[int] = []
    real = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda content, flags: calls.append(flags) or real(content, flags))
    for name in ("black.png", "hole.png", "frames.png", "cmyk.jpg", "exif.png"):
        BGR(write(tmp_path, GOOD[name][0]))
    assert calls == []
    for name in ("plain.jpg", "grey.png", "palette.png", "bits.png", "exif.jpg"):
        content = GOOD[name][0]
        np.testing.assert_array_equal(BGR(write(tmp_path, content)), real(np.frombuffer(content, np.uint8), 1))
    assert len(calls) == 5
