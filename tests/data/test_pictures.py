"""Pictures from files: sizes from headers, reduced decoding, orientation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.data.decoding.headers import jpeg_header
from ppocr_pse.data.pictures import whole
from ppocr_pse.data.preprocess import DecodeImage, ImageError, NormalizeImage


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 200 / width, y * 200 / height, (x + y) * 200 / (height + width)], axis=2).astype(np.uint8)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment that holds nothing but the orientation behind the start of image."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    body = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def write_jpeg(path: Path, image: np.ndarray, orientation: int = 1, progressive: bool = False) -> Path:
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])
    assert done
    path.write_bytes(with_orientation(jpeg.tobytes(), orientation))
    return path


@pytest.mark.parametrize("progressive", [False, True])
def test_size_is_in_the_header(tmp_path: Path, progressive: bool) -> None:
    path = write_jpeg(tmp_path / "a.jpg", smooth(123, 457), 6, progressive)
    assert jpeg_header(np.fromfile(path, np.uint8)).size == (123, 457)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"\x89PNG\r\n\x1a\n" + b"x" * 40]
)
def test_no_size_in_what_is_no_jpeg(content: bytes) -> None:
    assert jpeg_header(np.frombuffer(content, np.uint8)) is None


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(("wished", "given"), [(1, 1), (2, 2), (3, 2), (7, 4), (100, 8)])
def test_reduced_decoding_is_the_picture_made_smaller(
    tmp_path: Path, orientation: int, wished: int, given: int
) -> None:
    path = write_jpeg(tmp_path / "a.jpg", smooth(240, 403), orientation)
    full = DecodeImage("BGR")(path)
    asked = []
    picture = DecodeImage("BGR").read(path, lambda h, w: asked.append((h, w)) or wished)
    assert sorted(asked[0]) == [240, 403]
    assert picture.reduction == given and picture.size == full.shape[:2]
    expected = tuple(-(-side // given) for side in full.shape[:2])
    assert picture.pixels.shape[:2] == expected
    rows, columns = (side // given for side in full.shape[:2])
    small = cv2.resize(full[: rows * given, : columns * given], (columns, rows), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.pixels[:rows, :columns].astype(int) - small).max() <= 6


def test_a_side_that_does_not_tell_up_from_down_is_read_whole(tmp_path: Path) -> None:
    """161 x 162 reduced by 2 is 81 x 81, whichever way it is turned."""
    path = write_jpeg(tmp_path / "a.jpg", smooth(161, 162), 6)
    picture = DecodeImage("BGR").read(path, lambda h, w: 2)
    assert (picture.reduction, picture.size) == (1, (162, 161))
    square = write_jpeg(tmp_path / "b.jpg", smooth(160, 160), 6)
    assert DecodeImage("BGR").read(square, lambda h, w: 2).reduction == 2


def test_other_formats_are_read_whole_and_rgb_is_turned(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), smooth(64, 80))
    picture = DecodeImage("RGB").read(tmp_path / "a.png", lambda h, w: 8)
    assert (picture.reduction, picture.size) == (1, (64, 80))
    np.testing.assert_array_equal(picture.pixels, smooth(64, 80)[:, :, ::-1])


def test_faults_have_names(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(write_jpeg(tmp_path / "a.jpg", smooth(64, 80)).read_bytes()[:30])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, words in (("cut.jpg", "not a picture"), ("empty.jpg", "0 bytes"), ("none.jpg", "No such file")):
        for wish in (whole, lambda h, w: 8):
            with pytest.raises(ImageError, match=words):
                DecodeImage("BGR").read(tmp_path / name, wish)


def test_normalising_on_the_device_equals_normalising_here() -> None:
    import paddle

    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 24)).astype(np.uint8)
    normalize = NormalizeImage(mean=[0.1, 0.2, 0.3])
    here = np.stack([normalize(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in images])
    there = normalize.on_device(paddle.to_tensor(images))
    assert there.dtype == paddle.float32
    np.testing.assert_array_equal(there.numpy(), here)
