"""Decode, resize, normalise: equal to PaddleOCR's numbers; unreadable files are named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, ImageError, NormalizeImage, ToCHWImage

CASES = json.loads((Path(__file__).parent.parent / "golden" / "det_resize.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['args']}-{case['src']}")
def test_resize_equals_paddleocr(case: dict) -> None:
    resize = DetResizeForTest(**case["args"])
    height, width = case["src"]
    padded = (max(32, height), max(32, width)) if height + width < 64 else (height, width)
    assert list(resize.target_size(*padded)) == case["out"]
    if height * width < 1e6:
        image, scale = resize(np.zeros((height, width, 3), np.uint8))
        assert list(image.shape[:2]) == case["out"]
        np.testing.assert_allclose([scale.src_h, scale.src_w, scale.ratio_h, scale.ratio_w], case["shape"])


def test_a_tiny_picture_is_padded_at_the_right_and_bottom() -> None:
    image, scale = DetResizeForTest(limit_side_len=32, limit_type="min")(np.full((20, 30, 3), 200, np.uint8))
    assert image.shape == (32, 32, 3)
    assert image[:20, :30].min() == 200 and image[20:].max() == 0 and image[:, 30:].max() == 0
    assert (scale.ratio_h, scale.ratio_w) == (1.0, 1.0)


def test_normalise_in_the_order_of_the_channels_as_they_stand() -> None:
    """(51 / 255 - .485) / .229 for channel 0, whatever its colour is."""
    image = np.full((2, 3, 3), 51, np.uint8)
    out = ToCHWImage()(NormalizeImage("1./255.")(image))
    assert out.shape == (3, 2, 3) and out.dtype == np.float32 and out.flags.c_contiguous
    np.testing.assert_allclose(
        out[:, 0, 0], [(0.2 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))], rtol=1e-5
    )


@pytest.mark.parametrize("scale", ["1./255.", 1 / 255, None, "0.00392156862745098"])
def test_scale_may_be_a_fraction(scale: object) -> None:
    assert NormalizeImage(scale).scale == pytest.approx(1 / 255)


def test_colour_order(tmp_path: Path) -> None:
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 255
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    assert DecodeImage("BGR")(tmp_path / "blue.png")[0, 0].tolist() == [255, 0, 0]
    assert DecodeImage("RGB")(tmp_path / "blue.png")[0, 0].tolist() == [0, 0, 255]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    """A 4 x 8 picture with orientation 6 (turn right) comes out 8 x 4."""
    _, encoded = cv2.imencode(".jpg", np.zeros((4, 8, 3), np.uint8))
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    file = tmp_path / "turned.jpg"
    file.write_bytes(encoded.tobytes()[:2] + segment + encoded.tobytes()[2:])
    assert DecodeImage("BGR")(file).shape == (8, 4, 3)
    assert DecodeImage("BGR", ignore_orientation=True)(file).shape == (4, 8, 3)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot read"), (b"", "empty"), (b"GIF8 no picture", "starts with b'GIF8'")]
)
def test_unreadable_pictures_are_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "bad.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImageError) as error:
        DecodeImage("BGR")(file)
    assert str(file) in str(error.value) and words in str(error.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DecodeImage("GRAY"), "img_mode"),
        (lambda: DetResizeForTest(limit_type="mid"), "limit_type"),
        (lambda: DetResizeForTest(image_shape=[3, 736, 736]), "image_shape"),
        (lambda: NormalizeImage("one"), "scale"),
        (lambda: NormalizeImage(order="chw"), "order"),
        (lambda: NormalizeImage(mean=[0.5]), "mean"),
    ],
)
def test_wrong_settings(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
