"""Fixtures that several tests share; threads are set before Paddle is imported."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("GLOG_minloglevel", "2")

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def golden() -> Path:
    """Folder with values computed by PaddleOCR itself."""
    return ROOT / "tests" / "golden"


@pytest.fixture
def configs() -> Path:
    """The configurations that are shipped."""
    return ROOT / "configs" / "det"


@pytest.fixture
def own_log() -> Iterator[None]:
    """The commands' log handlers hold the standard output of the test that they ran in."""
    yield
    for name in (None, "ppocr"):
        logging.getLogger(name).handlers.clear()
    logging.getLogger("ppocr").propagate = True


def write_pictures(folder: Path, count: int, size: tuple[int, int] = (96, 128), name: str = "label.txt") -> Path:
    """Pictures with bright bars on a dark ground, one of them empty of text; returns the label file."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(count):
        image = rng.integers(0, 60, (*size, 3)).astype(np.uint8)
        texts = []
        for row in range(2 if i % 5 else 0):
            x, y = int(rng.integers(5, 30)), 10 + 40 * row
            w, h = int(rng.integers(50, 80)), int(rng.integers(18, 28))
            image[y : y + h, x : x + w] = rng.integers(180, 255)
            texts.append(
                {"transcription": "bar", "points": [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]},
            )
        cv2.imwrite(str(folder / f"{name}_{i}.png"), image)
        lines.append(f"{name}_{i}.png\t{json.dumps(texts)}")
    label = folder / name
    label.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return label


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a process that has the test device `iluvatar_gpu`; see tests/plugin/."""
    import paddle

    from tests.plugin.build import compile_plugin, environment_of, find_compiler

    if paddle.__version__.startswith("2."):
        pytest.skip("the device plugin of these tests is written against the header of Paddle 3")
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C++ compiler: the device plugin of these tests cannot be compiled (apt-get install g++)")
    return environment_of(compile_plugin(tmp_path_factory.mktemp("plugin"), compiler))


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Put signal handlers back: a run that SIGTERM has ended ignores it afterwards, and children inherit that."""
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A small data set in a folder: label.txt, val.txt and their pictures."""
    folder = tmp_path / "bars"
    folder.mkdir()
    write_pictures(folder, 8, name="label.txt")
    write_pictures(folder, 4, name="val.txt")
    return folder
