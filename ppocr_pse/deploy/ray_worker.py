"""What runs in the workers of a job of Ray Data: a detector that is opened once and fed with blocks of paths."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppocr_pse.data.line_names import printable
from ppocr_pse.deploy.spec import Overrides
from ppocr_pse.engine.predictor import NOTHING, PictureResult, Predictor, Timing

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class RayJob:
    """Where and how a job runs.

    Args:
        model_dir: the export; every machine must see it under this path, as it must see the pictures. None for the
            detector in the box.
        engine: as for `Detector`; with ``auto`` each worker finds its own.
        device: as for `Detector`.
        threads: of a worker's network; None for the whole number of ``num_cpus``.
        overrides: what is to differ from inference.yml.
        max_pixels: see DecodeImage; None for what inference.yml has.
        memory: bytes that a worker's pictures and network may take, 0 for no limit; larger ones go through in tiles.
        address: ``local`` to start Ray on this machine, ``auto`` for the cluster that this machine belongs to, or
            ``ray://HOST:PORT``.
        workers: detectors, each a process that opens the export once; None for as many as the cluster has room for.
        batch: pictures of a block, which is what a worker is given at a time and what is computed again when it ends.
        num_cpus: that a worker takes, in Ray's bookkeeping.
        num_gpus: that a worker takes; parts are allowed.
        folder: that relative paths start from, as workers have a working directory of their own.

    Raises:
        ValueError: if a number is out of range.
    """

    model_dir: Path | None
    engine: str = "auto"
    device: str = "auto"
    threads: int | None = None
    overrides: Overrides | None = None
    max_pixels: int | None = None
    memory: int = 0
    address: str = "local"
    workers: int | None = None
    batch: int = 8
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    folder: str = "."

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("batch", 1), ("workers", 1), ("threads", 1), ("num_gpus", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, expected {least} or more")
        if self.num_cpus <= 0:
            raise ValueError(f"num_cpus is {self.num_cpus}, expected more than 0")

    @property
    def network_threads(self) -> int:
        """Threads of a worker's network."""
        return self.threads or max(1, int(self.num_cpus))


Opener = Callable[[RayJob], Predictor]


def open_export(job: RayJob) -> Predictor:
    """Open the detector of a job, in a worker."""
    from ppocr_pse.deploy.detector import open_predictor

    return open_predictor(
        None if job.model_dir is None else Path(job.folder, job.model_dir),
        job.engine,
        job.device,
        job.network_threads,
        job.overrides,
        memory=job.memory,
        max_pixels=job.max_pixels,
    )


class Worker:
    """One detector of the pool; Ray makes it in a process of its own and calls it with one block after another.

    Args:
        job: what to open.
        opener: opens it.
    """

    def __init__(self, job: RayJob, opener: Opener) -> None:
        self.fault = ""
        try:
            self.folder = job.folder
            self.predictor = opener(job)
        except Exception as error:  # told to the driver, which ends the job; raised here, Ray would try for ever
            self.fault = f"a worker on {os.uname().nodename} cannot start: {type(error).__name__}: {error}"

    def __call__(self, block: pa.Table) -> dict[str, Any]:
        """Detect on a block.

        Args:
            block: columns ``number`` and ``path``, the bytes of a path.

        Returns:
            Columns ``number``, ``results`` (the pickled results of the file's pictures), ``fault``.
        """
        numbers = block.column("number").to_pylist()
        paths = [Path(os.fsdecode(path)) for path in block.column("path").to_pylist()]
        found = [[] for _ in paths] if self.fault else self._detect(paths)
        return {
            "number": np.array(numbers, np.int64),
            "results": np.array([*map(pickle.dumps, found), None], object)[:-1],
            "fault": np.array([self.fault] * len(paths), object),
        }

    def _detect(self, paths: list[Path]) -> list[list[PictureResult]]:
        try:
            return self._stream(paths)
        except Exception as error:
            if len(paths) > 1:
                return [self._detect([path])[0] for path in paths]
            return [[failure(paths[0], f"{printable(paths[0])}: {type(error).__name__}: {error}")]]

    def _stream(self, paths: list[Path]) -> list[list[PictureResult]]:
        found: list[list[PictureResult]] = [[] for _ in paths]
        places = [Path(self.folder, path) for path in paths]
        current = 0
        for result in self.predictor.stream(places, workers=1, pages=True, finish=without_pixels):
            while result.path != places[current]:
                current += 1
            found[current].append(named(result, paths[current]))
        return found


def named(result: PictureResult, path: Path) -> PictureResult:
    """The result under the name that the picture was given by, in its message too."""
    place, name = printable(result.path), printable(path)
    if place.startswith('"'):  # with #page=N behind it in a message, the closing quote stands elsewhere
        place, name = (text.removeprefix('"').removesuffix('"') for text in (place, name))
    return replace(result, path=path, error=result.error.replace(place, name))


def without_pixels(result: PictureResult) -> PictureResult:
    """What the results file needs of a result; its size stays in ``scale``."""
    return replace(result, image=None, logits=None)


def failure(path: Path, error: str) -> PictureResult:
    """The result of a picture that could not be used."""
    return PictureResult(path, None, NOTHING, error, Timing())
