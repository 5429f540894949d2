"""What an engine is, the files that it runs, and how it says that it cannot."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ppocr_pse.postprocess.decode import default_threads

FLOAT32_TOLERANCE = 1e-3
"""Largest difference of logits from the checkpoint's, as a share of their largest size, in float32."""

TF32_TOLERANCE = 1e-2
"""The same on accelerators, whose float32 convolutions may keep ten bits of the mantissa."""

BF16_TOLERANCE = 1e-1
"""The same in bfloat16, which keeps seven bits of it through every layer."""

CURES = {
    "paddle": "pip install paddlepaddle",
    "onnxruntime": "pip install onnxruntime",
    "openvino": "pip install openvino",
    "paddle2onnx": "pip install paddle2onnx",
}


class DeployError(RuntimeError):
    """What goes wrong with an export or an engine in a way that a user can mend."""


class EngineError(DeployError):
    """An engine that cannot be used here; the message says why and the cure."""


class Engine(Protocol):
    """What runs an exported network; it keeps to `ppocr_pse.engine.predictor.Network`.

    Attributes:
        name: as ``Global.engine`` has it.
        tolerance: how far its logits may be from the checkpoint's, as a share of their largest size.
        lanes: how many threads at once may call it; 0 for only the one that made it.
    """

    name: str
    tolerance: float
    lanes: int

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, ceil(H/4), ceil(W/4))."""
        ...

    def describe(self) -> str:
        """Version, device and threads, one phrase."""
        ...


@dataclass(frozen=True)
class Exported:
    """A folder with an exported network, in PaddleOCR's layout.

    Attributes:
        folder: holds inference.yml and the files of at least one form.
    """

    folder: Path

    @property
    def program(self) -> Path:
        """The program of the Paddle form, inference.json or the older inference.pdmodel.

        Raises:
            EngineError: if there is none.
        """
        for name in ("inference.json", "inference.pdmodel"):
            if (self.folder / name).is_file():
                return self.folder / name
        raise EngineError(f"{self.folder} has neither inference.json nor inference.pdmodel; export it again")

    def program_for(self, version: str) -> Path:
        """The program that a Paddle of this version reads: 2.x inference.pdmodel alone, 3.x both.

        Raises:
            EngineError: if it is not there.
        """
        if int(version.partition(".")[0]) > 2:
            return self.program
        return self._file("inference.pdmodel", f"which Paddle {version} needs; export it again with --pdmodel")

    @property
    def params(self) -> Path:
        """The weights of the Paddle form.

        Raises:
            EngineError: if they are not there.
        """
        return self._file("inference.pdiparams", "export it again")

    @property
    def onnx(self) -> Path:
        """The ONNX form, weights included.

        Raises:
            EngineError: if it is not there.
        """
        return self._file("inference.onnx", f"export it again with paddle2onnx at hand ({CURES['paddle2onnx']})")

    def _file(self, name: str, cure: str) -> Path:
        if not (self.folder / name).is_file():
            raise EngineError(f"{self.folder} has no {name}; {cure}")
        return self.folder / name


@dataclass(frozen=True)
class Place:
    """Where an engine is to run.

    Attributes:
        device: as ``paddle.set_device`` names it: ``cpu``, ``gpu:0``, ``iluvatar_gpu:0``, ...
        threads: on a cpu, for all lanes together.
        lanes: on a cpu, pictures that go through at the same time, each on its share of the threads: more pictures
            a second, and each takes longer. Engines that cannot do it take one after the other on all threads.
    """

    device: str
    threads: int
    lanes: int = 1

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """The number of the device."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def lane_threads(self) -> int:
        """Threads of one lane."""
        return max(1, self.threads // self.lanes)

    def describe(self) -> str:
        """Name the device, and the threads of a cpu."""
        if self.kind != "cpu":
            return self.device
        each = self.threads if self.lanes == 1 else self.lane_threads
        threads = "1 thread" if each == 1 else f"{each} threads"
        return f"cpu, {threads}" if self.lanes == 1 else f"cpu, {self.lanes} x {threads}"


def thread_count(threads: int | None) -> int:
    """Threads for an engine: what is asked for, else OMP_NUM_THREADS, else the cores this process may use.

    Raises:
        ValueError: for a number below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads!r}, expected 1 or more, or None for all cores")
    return default_threads() if threads is None else threads


def load_module(name: str) -> Any:
    """Import an engine's package.

    Raises:
        EngineError: if it is not installed, or fails.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == name
        what = "is not installed" if missing else f"cannot be imported ({error})"
        raise EngineError(f"{name} {what}; {CURES[name]}") from error


def load_paddle(threads: int) -> Any:
    """Import Paddle so that it uses this many threads, and without its remarks on that.

    Raises:
        EngineError: if it is not installed, or fails.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # read once, by the import; Paddle's own value is 1
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return load_module("paddle")
