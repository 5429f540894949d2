"""The cache of decoded pictures: the same pictures, never more memory than allowed, shared by processes."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.data.pictures import Picture, whole
from ppocr_pse.data.preprocess import DecodeImage, ImageError
from ppocr_pse.data.reader.picture_cache import PictureCache, cache_bytes

GB, MB = 2**30, 2**20


@pytest.mark.parametrize(
    ("given", "expected"),
    [("2GB", 2 * GB), ("500 mb", 500 * MB), (300, 300 * MB), ("1.5GB", 3 * GB // 2), (0, 0), ("0GB", 0)]
    + [(off, 0) for off in (None, False, "off")],
)
def test_sizes(given: object, expected: int) -> None:
    assert cache_bytes(given) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["2 apples", "GB", "-1GB", True, -5, "", "nan", "1e3MB"])
def test_sizes_that_are_none(given: object) -> None:
    with pytest.raises(ValueError, match=r"cache is .*expected a size such as 2GB"):
        cache_bytes(given)  # type: ignore[arg-type]


class Counted:
    """A reader that counts its calls; picture n is 10 x 20 and full of n."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, path: Path, reduction_for) -> Picture:  # type: ignore[no-untyped-def]
        self.calls.append(path.name)
        reduction = reduction_for(10, 20)
        return Picture(np.full((10 // reduction, 20 // reduction, 3), int(path.stem), np.uint8), (10, 20), reduction)


PATHS = [Path(f"{number}.jpg") for number in range(8)]


def test_a_picture_is_read_once_for_each_reduction() -> None:
    reader = Counted()
    cache = PictureCache(reader, PATHS, MB)
    for _ in range(3):
        for reduction in (1, 2):
            picture = cache(PATHS[3], lambda h, w, reduction=reduction: reduction)
            assert picture.pixels.shape == (10 // reduction, 20 // reduction, 3) and (picture.pixels == 3).all()
            assert (picture.size, picture.reduction) == ((10, 20), reduction)
    assert reader.calls == ["3.jpg", "3.jpg"]
    assert cache.take_counts() == (6, 4) and cache.take_counts() == (0, 0)


def test_what_is_kept_cannot_be_written_to() -> None:
    cache = PictureCache(Counted(), PATHS, MB)
    cache(PATHS[0], whole)
    with pytest.raises(ValueError, match="read-only"):
        cache(PATHS[0], whole).pixels[0, 0] = 1


def test_a_picture_that_is_not_in_the_list_is_read_each_time() -> None:
    reader = Counted()
    cache = PictureCache(reader, PATHS, MB)
    for _ in range(2):
        cache(Path("9.jpg"), whole)
    assert reader.calls == ["9.jpg"] * 2 and cache.take_counts() == (2, 0)


def test_the_memory_is_never_exceeded_and_the_first_stay() -> None:
    """A picture takes 600 bytes: of 8 there is room for 3 and a bit."""
    reader = Counted()
    empty = PictureCache(reader, PATHS, MB)
    head = MB - len(empty._pixels)
    cache = PictureCache(reader, PATHS, head + 3 * 600 + 599)
    for _ in range(3):
        for path in PATHS:
            assert (cache(path, whole).pixels == int(path.stem)).all()
    assert len(reader.calls) == 8 + 2 * 5
    assert cache.take_counts() == (24, 6)
    assert int(cache._used[0]) == 1800
    with pytest.raises(ValueError, match=r"the list of 8 pictures alone takes \d+"):
        PictureCache(reader, PATHS, head)


def test_memory_that_the_system_does_not_have() -> None:
    with pytest.raises(ValueError, match="this system does not give"):
        PictureCache(Counted(), PATHS, 2**62)


def test_what_is_read_from_files_is_the_same_with_a_cache(tmp_path: Path) -> None:
    """JPEG at four reductions, a PNG, and a broken file, which stays one."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (9, 13, 3), np.uint8), (130, 90), interpolation=cv2.INTER_CUBIC)
    paths = [tmp_path / name for name in ("a.jpg", "b.png", "c.jpg")]
    for path in paths[:2]:
        cv2.imwrite(str(path), image)
    paths[2].write_bytes(b"\xff\xd8 no picture")
    read = DecodeImage("BGR").read
    cache = PictureCache(read, paths, MB)
    for _ in range(2):
        for path in paths[:2]:
            for reduction in (1, 2, 4, 8):
                expected, found = (r(path, lambda h, w, n=reduction: n) for r in (read, cache))
                np.testing.assert_array_equal(found.pixels, expected.pixels)
                assert (found.size, found.reduction) == (expected.size, expected.reduction)
        with pytest.raises(ImageError, match=r"c\.jpg"):
            cache(paths[2], whole)
    # the PNG never asks how much it may be reduced, and is kept once
    assert cache.take_counts() == (18, 4 + 4 + 3)


def test_forked_processes_share_it() -> None:
    cache = PictureCache(Counted(), PATHS, MB)
    for path in PATHS[:4]:
        child = os.fork()
        if child == 0:
            cache(path, whole)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    reader = cache.read
    for path in PATHS:
        assert (cache(path, whole).pixels == int(path.stem)).all()
    assert reader.calls == ["4.jpg", "5.jpg", "6.jpg", "7.jpg"]  # type: ignore[attr-defined]


def test_a_process_killed_while_it_writes_does_not_block_the_others() -> None:
    cache = PictureCache(Counted(), PATHS, MB)
    child = os.fork()
    if child == 0:
        with cache._locked():
            os.kill(os.getpid(), 9)
    assert os.waitpid(child, 0)[1] == 9
    assert (cache(PATHS[1], whole).pixels == 1).all()


def test_many_processes_at_once() -> None:
    cache = PictureCache(Counted(), PATHS, MB)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            good = all((cache(path, whole).pixels == int(path.stem)).all() for _ in range(50) for path in PATHS)
            os._exit(0 if good else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert int(cache._used[0]) == 8 * 600
