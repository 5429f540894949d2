"""Picture files: whole, cut, empty, turned, misspelt."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.data.checks.pictures import FolderIndex, ends_early, exif_orientation, look_at_picture
from ppocr_pse.data.preprocess import DecodeImage
from tests.data.test_checks_shapes import with_orientation

DECODE = DecodeImage("BGR")


def encoded(ending: str = ".jpg") -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (48, 80, 3), np.uint8)
    return bytes(cv2.imencode(ending, noise)[1].tobytes())


def look(path: Path, content: bytes | None = None, decode: DecodeImage = DECODE):  # type: ignore[no-untyped-def]
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return look_at_picture(path, decode, FolderIndex())


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp"])
def test_a_sound_picture(tmp_path: Path, ending: str) -> None:
    facts = look(tmp_path / f"a{ending}", encoded(ending))
    assert (facts.size, facts.fault, facts.orientation) == ((48, 80), None, 1)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty-picture"),
        (b"no picture at all", "unreadable"),
        (encoded()[:-300], "truncated"),
        (encoded(".png")[:-300], "truncated"),
        (encoded()[:100], "truncated"),
    ],
)
def test_faulty_files(tmp_path: Path, content: bytes, kind: str) -> None:
    facts = look(tmp_path / "a.jpg", content)
    assert facts.fault is not None
    assert facts.fault[0] == kind
    assert not facts.absent


def test_an_end_marker_inside_a_thumbnail_is_not_the_end() -> None:
    whole = encoded()
    thumbnail = b"\xff\xe1\x00\x08Exif\xff\xd9"
    assert ends_early(whole[:2] + thumbnail + whole[2:-2])
    assert not ends_early(whole[:2] + thumbnail + whole[2:] + b"bytes behind the end")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int) -> None:
    content = with_orientation(encoded(), orientation)
    assert exif_orientation(content) == orientation
    turned = look(tmp_path / "a.jpg", content)
    assert turned.size == ((80, 48) if orientation >= 5 else (48, 80))
    kept = look(tmp_path / "a.jpg", content, DecodeImage("BGR", ignore_orientation=True))
    assert kept.size == (48, 80)


@pytest.mark.parametrize("part", [b"", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0XX"])
def test_broken_exif_says_nothing(part: bytes) -> None:
    whole = encoded()
    assert exif_orientation(whole[:2] + b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part + whole[2:]) == 1


@pytest.mark.parametrize(
    ("asked", "kind", "found"),
    [
        ("Images/A.JPG", "name-case", "images/a.jpg"),
        ("images/a.JPG", "name-case", "images/a.jpg"),
        ("images\\a.jpg", "backslash", "images/a.jpg"),
        ("Images\\A.jpg", "backslash", "images/a.jpg"),
        ("images\\b.jpg", "backslash", None),
        ("images/b.jpg", "missing", None),
        ("images /a.jpg ", "missing", "images/a.jpg"),
        ("images", "missing", None),
        ("images/cafe\u0301.jpg", "name-case", "images/caf\u00e9.jpg"),
    ],
)
def test_misspelt_paths(tmp_path: Path, asked: str, kind: str, found: str | None) -> None:
    look(tmp_path / "images/a.jpg", encoded())
    look(tmp_path / "images/caf\u00e9.jpg", encoded())
    facts = look(tmp_path / asked)
    assert facts.fault is not None
    assert (facts.fault[0], facts.suggestion) == (kind, None if found is None else tmp_path / found)
    assert facts.absent
