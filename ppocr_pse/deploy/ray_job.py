"""Detection as a job of Ray Data: paths in, blocks of them to detectors on any number of machines, results in order.

Ray places the work, computes blocks of a killed worker or a lost machine again, and moves what does not fit into memory
to disk. This module makes each picture stand in the results exactly once, and sees to it that a picture which kills
every worker that touches it is named and takes nothing else with it.
"""

from __future__ import annotations

import heapq
import importlib
import logging
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.line_names import printable
from ppocr_pse.deploy.engines.base import DeployError
from ppocr_pse.deploy.ray_worker import Opener, RayJob, Worker, failure, open_export
from ppocr_pse.deploy.spec import InferenceSpec
from ppocr_pse.engine.predictor import Finish, PictureResult, Predictor, same

CURE = "pip install 'ppocr-pse[ray]'"
RETRIES = 3
"""How often Ray tries a block again whose worker was killed."""

MAX_BLOCKS = 20_000
"""More make Ray's bookkeeping felt; beyond 20,000 blocks these get larger."""


def start_ray(job: RayJob) -> None:
    """Start Ray on this machine or connect to a cluster.

    Raises:
        DeployError: if Ray is not installed, or there is no such cluster.
    """
    try:
        for module in ("pandas", "pyarrow"):  # Ray Data imports them when it is used first
            importlib.import_module(module)
        import ray
        import ray.data
    except ImportError as error:
        raise DeployError(f"Ray Data cannot be imported ({error}); install it: {CURE}") from None
    logging.getLogger("ray.data").setLevel(logging.WARNING)  # not its plan and progress
    # a worker's process takes these from the first, before it imports Paddle, OpenCV or an engine
    variables = {"OMP_NUM_THREADS": str(job.network_threads), "GLOG_minloglevel": "2"}
    environment = {"env_vars": variables}
    try:
        if job.address != "local":
            ray.init(address=job.address, runtime_env=environment, logging_level=logging.ERROR)
            return
        cpus = max(os.cpu_count() or 1, int(np.ceil((job.workers or 1) * job.num_cpus)))
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            runtime_env=environment,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise DeployError(f"--address {job.address}: Ray cannot be reached or started: {error}") from None


def stop_ray() -> None:
    """Leave the cluster; Ray that was started on this machine ends, with its workers."""
    import ray

    ray.shutdown()


def room(job: RayJob) -> int:
    """How many workers run at once.

    Raises:
        DeployError: if not one of them has room.
    """
    import ray

    there = ray.cluster_resources()
    cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
    fits = int(cpus // job.num_cpus)
    if job.num_gpus:
        fits = min(fits, int(gpus // job.num_gpus))
    if fits < 1:
        raise DeployError(
            f"a worker asks for {job.num_cpus:g} CPUs and {job.num_gpus:g} GPUs; the cluster has {cpus:g} and {gpus:g}"
        )
    return min(fits, job.workers or fits)


def detect(
    paths: Sequence[Path], job: RayJob, opener: Opener = open_export, note: Callable[[str], None] = print
) -> Iterator[list[PictureResult]]:
    """Run a job; Ray must have been started.

    A block whose workers were killed more often than Ray retries is done again at the end, picture by picture, and the
    pictures that kill a worker even alone become errors. What comes behind such a block waits on disk meanwhile.

    Args:
        paths: picture files, which every worker can read under this path.
        job: where and how.
        opener: makes the predictor in each worker.
        note: is told when blocks are done again.

    Yields:
        The results of each path, one for each page, without pixels; each path exactly once, in order.

    Raises:
        DeployError: if a worker cannot open the detector, or has no room anywhere.
    """
    if not paths:  # a run that is resumed and was complete
        return
    lost: list[int] = []
    expected = iter(range(len(paths)))
    size = max(job.batch, -(-len(paths) // MAX_BLOCKS))
    with tempfile.TemporaryFile() as waiting:
        for number, results in _run(paths, range(len(paths)), size, job, opener):
            lost += _skipped(expected, number)
            if lost:
                pickle.dump((number, results), waiting)
            else:
                yield pickle.loads(results)
        lost += expected
        if not lost:
            return
        note(f"{len(lost)} pictures were in blocks whose workers were killed {RETRIES + 1} times; one by one now")
        # one at a time for each worker, or a picture that kills it takes the next one's retries, too
        again = dict(_run(paths, lost, 1, job, opener, in_flight=1))
        for number in lost:
            if number not in again:
                name = printable(paths[number])
                why = f"{name}: each of the {RETRIES + 1} workers that read it was killed, perhaps for its memory"
                again[number] = pickle.dumps([failure(paths[number], why)])
        waiting.seek(0)
        for _, results in heapq.merge(_stored(waiting), sorted(again.items())):
            yield pickle.loads(results)


def _skipped(expected: Iterator[int], number: int) -> list[int]:
    """The numbers that are expected before this one."""
    skipped: list[int] = []
    for one in expected:
        if one == number:
            return skipped
        skipped.append(one)
    raise AssertionError(f"Ray Data gave picture {number} twice or out of order")


def _stored(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def _run(
    paths: Sequence[Path], numbers: Sequence[int], size: int, job: RayJob, opener: Opener, in_flight: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """One dataset: number and pickled results of each path, in order, but for blocks that Ray gave up."""
    import pyarrow as pa
    import ray

    context = ray.data.DataContext.get_current()
    kept = context.max_errored_blocks, context.enable_progress_bars, context.execution_options.preserve_order
    context.max_errored_blocks = -1  # a block whose workers are all killed shall not end the job
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    try:
        blocks = [
            pa.table(
                {
                    "number": pa.array(numbers[first : first + size], pa.int64()),
                    "path": pa.array([os.fsencode(paths[i]) for i in numbers[first : first + size]], pa.binary()),
                }
            )
            for first in range(0, len(numbers), size)
        ]
        pool = ray.data.ActorPoolStrategy(size=min(room(job), len(blocks)), max_tasks_in_flight_per_actor=in_flight)
        with warnings.catch_warnings():  # Ray 2.60 says that max_task_retries goes in 2.64, and names no other way
            warnings.simplefilter("ignore")
            detected = ray.data.from_arrow(blocks).map_batches(
                Worker,
                fn_constructor_args=(job, opener),
                batch_size=size,
                batch_format="pyarrow",
                compute=pool,
                num_cpus=job.num_cpus,
                num_gpus=job.num_gpus or None,
                max_restarts=-1,
                max_task_retries=RETRIES,
            )
        for row in detected.iter_rows():
            if row["fault"]:
                raise DeployError(row["fault"])
            yield int(row["number"]), row["results"]
    finally:
        context.max_errored_blocks, context.enable_progress_bars, context.execution_options.preserve_order = kept


class Elsewhere:
    """Stands for the networks of the workers.

    Args:
        name: for the log.
    """

    lanes = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Refuse: what is to be detected goes through ``stream``."""
        raise NotImplementedError("the network runs in the workers of Ray; use stream")


class RayPredictor(Predictor):
    """A predictor whose ``stream`` is a job of Ray Data; Ray must have been started.

    Args:
        spec: of the export.
        job: where and how.
        note: as for :func:`detect`.
        opener: as for :func:`detect`.
    """

    def __init__(
        self, spec: InferenceSpec, job: RayJob, note: Callable[[str], None] = print, opener: Opener = open_export
    ) -> None:
        super().__init__(Elsewhere(f"{job.engine} in workers of Ray"), spec.preprocess, spec.decoder)
        self.job = job
        self._note = note
        self._opener = opener

    def stream(
        self, paths: Iterable[Path], workers: int = 1, pages: bool = True, finish: Finish = same
    ) -> Iterator[PictureResult]:
        """Go through picture files in order, all their pages; results have no pixels.

        Args:
            paths: picture files.
            workers: of no consequence.
            pages: True is all there is.
            finish: is called with each result, in this thread.
        """
        for results in detect(list(paths), self.job, self._opener, self._note):
            yield from map(finish, results)
