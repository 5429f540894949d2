"""Reading, network, decoding and finishing overlap: order, bounds, batches, faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from ppocr_pse.data.decoding.files import peek_pixels
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.engine.pieces import Limits
from ppocr_pse.engine.predictor import PictureResult, Predictor
from ppocr_pse.postprocess import PSEDecoder


class Network:
    """Bright is text; remembers batches, threads, and how many calls there were at once."""

    def __init__(self, lanes: int = 0, seconds: float = 0.0) -> None:
        self.lanes = lanes
        self.seconds = seconds
        self.batches: list[tuple[int, ...]] = []
        self.threads: set[int] = set()
        self.most = self._now = 0
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        with self._lock:
            self.batches.append(images.shape)
            self.threads.add(threading.get_ident())
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.seconds)
        with self._lock:
            self._now -= 1
        bright = np.where(images.mean(axis=1)[:, ::4, ::4] > 0.3, 8.0, -8.0)
        return np.repeat(bright[:, None], 7, 1).astype(np.float32)


def make(network: Network, **limits: int) -> Predictor:
    preprocess = Preprocess(DecodeImage("BGR"), DetResizeForTest(limit_side_len=96), NormalizeImage())
    return Predictor(network, preprocess, PSEDecoder(thresh=0, scale=1), limits=Limits(**limits))


def page(texts: int, height: int = 96, width: int = 160) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for i in range(texts):
        image[8 + 16 * i : 16 + 16 * i, 16:100] = 255
    return image


@pytest.fixture
def folder(tmp_path: Path) -> list[Path]:
    """Twelve pictures of two sizes with 0 to 4 texts, one broken."""
    paths = []
    for i in range(12):
        path = tmp_path / f"{i:02}.png"
        cv2.imwrite(str(path), page(i % 5, width=160 if i % 3 else 224))
        paths.append(path)
    paths[7].write_bytes(b"broken")
    return paths


EXPECTED = [i % 5 if i != 7 else 0 for i in range(12)]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("lanes", [0, 1, 3])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_order_and_results_are_those_of_one_thread(folder: list[Path], workers: int, lanes: int, batch: int) -> None:
    network = Network(lanes, seconds=0.002)
    results = list(make(network, batch=batch).stream(folder, workers))
    assert [result.path for result in results] == folder
    assert [len(result.detections) for result in results] == EXPECTED
    assert [bool(result.error) for result in results] == [i == 7 for i in range(12)]
    assert max(shape[0] for shape in network.batches) <= batch
    assert network.most <= max(1, lanes)
    if lanes == 0:
        assert network.threads == {threading.get_ident()}, "Paddle is called from the thread that asks"


def test_pictures_of_one_size_share_a_call(folder: list[Path]) -> None:
    network = Network(1, seconds=0.05)
    list(make(network, batch=4).stream(folder, 4))
    assert len(network.batches) < 11
    assert {shape[2:] for shape in network.batches} == {(96, 160), (96, 224)}


def test_lanes_run_at_the_same_time(folder: list[Path]) -> None:
    network = Network(2, seconds=0.02)
    list(make(network).stream(folder, 2))
    assert network.most == 2


def test_it_reads_only_a_little_ahead(folder: list[Path]) -> None:
    asked: list[int] = []

    def paths() -> Iterator[Path]:
        for i in range(1000):
            asked.append(i)
            yield folder[i % 7]

    stream = make(Network(2)).stream(paths(), 2)
    for _ in range(5):
        next(stream)
    time.sleep(0.05)
    assert len(asked) < 20
    stream.close()


def test_finish_runs_in_workers_once_for_each(folder: list[Path]) -> None:
    seen: list[tuple[str, int]] = []

    def finish(result: PictureResult) -> PictureResult:
        seen.append((result.path.name, threading.get_ident()))
        return result

    list(make(Network(1)).stream(folder, 2, finish=finish))
    assert sorted(name for name, _ in seen) == [path.name for path in folder]
    assert threading.get_ident() not in {thread for _, thread in seen}


@pytest.mark.parametrize("where", ["network", "finish", "paths"])
@pytest.mark.parametrize("lanes", [0, 2])
def test_what_a_stage_raises_ends_the_stream(folder: list[Path], where: str, lanes: int) -> None:
    before = threading.active_count()
    predictor = make(Network(lanes))

    def fail(*_: object) -> PictureResult:
        raise RuntimeError("the card is gone")

    def paths() -> Iterator[Path]:
        yield from folder[:3]
        if where == "paths":
            fail()

    if where == "network":
        predictor.network.run = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError, match="the card is gone"):
        list(predictor.stream(paths(), 2, finish=fail if where == "finish" else lambda result: result))
    assert threading.active_count() == before, "no thread is left behind"


def test_pages_of_a_file_come_in_order_between_other_files(folder: list[Path], tmp_path: Path) -> None:
    pages = [Pillow.fromarray(page(i % 5)) for i in range(30)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    paths = [folder[1], tmp_path / "scan.tif", folder[2]]
    results = list(make(Network(2)).stream(paths, 2, pages=True))
    assert [result.page for result in results] == [0, *range(1, 31), 0]
    assert [len(result.detections) for result in results] == [1, *(i % 5 for i in range(30)), 2]
    (first,) = make(Network(2)).stream([tmp_path / "scan.tif"], 2)
    assert len(first.detections) == 0 and first.page == 0


def test_pages_of_a_later_file_are_not_all_held(folder: list[Path], tmp_path: Path) -> None:
    """While the first result is not taken, a file of many pages is read a few pages ahead only."""
    pages = [Pillow.fromarray(page(1)) for _ in range(50)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    network = Network(2)
    stream = make(network).stream([folder[1], tmp_path / "scan.tif"], 2, pages=True)
    next(stream)
    time.sleep(0.3)
    assert len(network.batches) < 10
    assert len(list(stream)) == 50


def test_tiles_of_one_picture_go_through_several_lanes(tmp_path: Path) -> None:
    image = np.zeros((96, 3000, 3), np.uint8)
    for i in range(20):
        image[32:48, 20 + 150 * i : 100 + 150 * i] = 255
    cv2.imwrite(str(tmp_path / "strip.png"), image)
    network = Network(2, seconds=0.01)
    limits = {"memory": 2 * 10_000 * 512 * 512, "network_bytes": 10_000, "lanes": 2}
    (result,) = make(network, **limits).stream([tmp_path / "strip.png"], 2)
    assert len(result.detections) == 20 and network.most == 2
    assert {shape[2:] for shape in network.batches} == {(96, 1344)}


def test_calls_that_would_take_too_much_together_take_turns(folder: list[Path], tmp_path: Path) -> None:
    """Each picture is allowed in the network alone, two are not."""
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"wide{i}.png"), page(3, 96, 1600))
    network = Network(2, seconds=0.02)
    results = make(network, memory=2 * 10_000 * 512 * 512, network_bytes=10_000).stream(sorted(tmp_path.glob("w*")), 2)
    assert [len(result.detections) for result in results] == [3] * 4 and network.most == 1


def test_a_picture_over_the_memory_limit_is_refused(tmp_path: Path) -> None:
    for name, height in (("a.png", 400), ("b.png", 400), ("c.png", 1000)):
        cv2.imwrite(str(tmp_path / name), page(2, height, 400))
    paths = sorted(tmp_path.glob("*.png"))
    assert [peek_pixels(path) for path in paths] == [160_000, 160_000, 400_000]
    predictor = make(Network(2), memory=2_000_000, network_bytes=1)
    results = list(predictor.stream(paths, 2))
    assert [len(result.detections) for result in results] == [2, 2, 0]
    assert "raise --max_memory" in results[2].error


def test_large_pictures_take_turns(tmp_path: Path) -> None:
    """Two of three would be over the limit, so only one is ever decoded while another is held."""
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), page(2, 400, 400))
    network = Network(2, seconds=0.01)
    list(make(network).stream(sorted(tmp_path.glob("*.png")), 2))
    assert network.most == 2
    network = Network(2, seconds=0.01)
    results = list(make(network, memory=2_000_000, network_bytes=1).stream(sorted(tmp_path.glob("*.png")), 2))
    assert network.most == 1 and [len(result.detections) for result in results] == [2] * 6


def test_what_a_file_claims_is_seen_without_decoding_it(tmp_path: Path) -> None:
    for ending in ("jpg", "png", "bmp", "tif", "webp"):
        cv2.imwrite(str(tmp_path / f"a.{ending}"), np.zeros((30, 50, 3), np.uint8))
        assert peek_pixels(tmp_path / f"a.{ending}") == 1500
    (tmp_path / "b.jpg").write_bytes(b"nothing")
    assert peek_pixels(tmp_path / "b.jpg") == peek_pixels(tmp_path / "absent.png") == 0
