"""A run over pictures, for `infer` and `predict-det` alike: list, detect, write, count, stop and go on."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ppocr_pse.cli.folder_progress import Progress

if TYPE_CHECKING:
    from ppocr_pse.data.inputs import Listing
    from ppocr_pse.deploy.spec import Overrides
    from ppocr_pse.engine.predictor import PictureResult, Predictor
    from ppocr_pse.outputs.output_set import OutputSet

LOGGER = logging.getLogger("ppocr")
OWN_FOLDERS = ("det_results", "crops", "icdar", "labelme")


@dataclass(frozen=True)
class Opened:
    """A detector that is ready to run.

    Attributes:
        predictor: pictures to detections.
        weights: a digest of what it computes with; a run is resumed with the same one only.
    """

    predictor: Predictor
    weights: str


def run_folder(
    places: Sequence[Path],
    results: Path,
    arguments: argparse.Namespace,
    make: Callable[[int], Opened],
    drawn: str = "det_results/",
) -> int:
    """Detect in all pictures that are named, and write what was found.

    Args:
        places: files, folders and patterns.
        results: file of lines; of a shard it gets the shard's name.
        arguments: with what `add_options` declares.
        make: opens the detector for a number of pictures; is called when it is known that there are some.
        drawn: where drawn pictures go, from the folder of the results on: what stands before their names.

    Returns:
        The exit code.

    Raises:
        ConfigError: if nothing is named, or nothing of it is there.
        ListError, OutputError, and what ``make`` raises: if nothing can be done.
    """
    from ppocr_pse.data.inputs import list_pictures
    from ppocr_pse.deploy.engines.base import thread_count
    from ppocr_pse.outputs.base import OutputError, OutputOptions
    from ppocr_pse.outputs.output_set import OutputSet
    from ppocr_pse.schema import ConfigError

    try:
        thread_count(arguments.threads)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    own = OwnFiles(results, drawn)
    if arguments.shard:
        results = arguments.shard.file(results)
    listing = list_pictures(places, arguments.lists, arguments.recursive, arguments.null, arguments.shard, own)
    named = {name for name, _ in listing.missing}
    if not listing.paths and all(os.fspath(path) in named for path in listing.everything):
        raise ConfigError("; ".join([*(wrong for _, wrong in listing.missing), *own.left_out()]))
    opened = make(len(listing.paths))
    for line in own.left_out():
        LOGGER.info(line)
    kinds = [kind for kind in arguments.formats or ("lines", "drawn") if kind != "drawn" or not arguments.no_draw]
    outputs = OutputSet(
        kinds,
        results,
        listing.everything,
        listing.root,
        OutputOptions(arguments.scores, drawn=drawn),
        settings_of(opened),
        arguments.resume,
    )
    before = outputs.pictures
    try:
        star = "" if drawn.endswith("/") else "*"
        where = f", drawn pictures: {results.parent / drawn}{star}" if "drawn" in kinds else ""
        return _go(opened.predictor, listing, outputs, arguments.workers, where)
    except OutputError as error:
        LOGGER.error(str(error))
        return 1 if outputs.pictures > before else 2


def _go(predictor: Predictor, listing: Listing, outputs: OutputSet, workers: int, drawn: str) -> int:
    from ppocr_pse.engine.predictor import NOTHING, PictureResult, Timing
    from ppocr_pse.engine.stopping import StopRequest
    from ppocr_pse.outputs.base import ERRORS

    todo = [path for path in listing.paths if not outputs.is_done(path)]
    earlier = len(listing.paths) - len(todo)
    if earlier:
        LOGGER.info(f"{earlier} of {len(listing.paths)} pictures were done by an earlier run, {len(todo)} are left")
    every = predictor.stream(todo, workers, pages=True, finish=outputs.finish)
    stream = cast("Generator[PictureResult, None, None]", every)
    count, finished = len(listing.missing), False
    with StopRequest() as stop, outputs, Progress(len(listing.paths), earlier, LOGGER) as progress:
        for name, wrong in listing.missing:
            LOGGER.error(wrong)
            outputs.add(PictureResult(Path(name), None, NOTHING, wrong, Timing()))
        with contextlib.closing(stream):
            for result in stream:
                count += 1
                outputs.add(result)
                if result.error:
                    LOGGER.error(result.error)
                progress.step(result.path)
                if stop.pending:
                    break
            else:
                finished = True
                outputs.complete()
    place, new = outputs.place, progress.new
    LOGGER.info(f"{outputs.texts} texts in {outputs.pictures} pictures; results: {place.results}{drawn}")
    engine = getattr(predictor.network, "name", "paddle")
    LOGGER.info(f"{new} pictures in {progress.seconds:.1f} s, {progress.speed:.2f} pictures/s, engine {engine}")
    if outputs.faults:
        LOGGER.error(f"{outputs.faults} of {count} pictures could not be used, see above and {place.file(ERRORS)}")
    if stop.pending and not finished:
        LOGGER.warning(
            f"stopped by {stop.pending}: {progress.done} of {progress.total} pictures are done; the same command with "
            "--resume goes on"
        )
        return 128 + signal.Signals[stop.pending]
    return 1 if outputs.faults else 0


class OwnFiles:
    """Says of a path whether this command made it, so that what an earlier run wrote is no input.

    Args:
        results: the file of lines, of all shards.
        drawn: as for `run_folder`.
    """

    def __init__(self, results: Path, drawn: str) -> None:
        self._home = os.path.normpath(results.parent.absolute()) + os.sep
        self._sheet = re.compile(rf"\.?{re.escape(results.stem)}(\.shard-[0-9]+-of-[0-9]+)?_sheet(\.jpg)?")
        self._prefix = drawn.rpartition("/")[2]
        self.count = 0

    def __call__(self, place: str) -> bool:
        """Whether this absolute path is one; it is counted then."""
        if not place.startswith(self._home):
            return False
        top, *below = place.removeprefix(self._home).split(os.sep)  # noqa: PTH206  # fast: asked of every picture
        drawn = bool(self._prefix) and (below or [top])[-1].startswith(self._prefix)
        own = drawn or bool(below and top in OWN_FOLDERS) or bool(self._sheet.fullmatch(top))
        self.count += own
        return own

    def left_out(self) -> list[str]:
        """What there is to say about them; nothing when there are none."""
        what = f"{self.count} pictures in {self._home} were written by an earlier run of this command and are no input"
        return [what] if self.count else []


def settings_of(opened: Opened) -> dict[str, Any]:
    """What decides the detections of a run; the limit on pixels does not, those that it refuses are tried again."""
    from ppocr_pse.deploy.spec import describe_decoder, describe_preprocess

    predictor = opened.predictor
    decode = replace(predictor.preprocess.decode, max_pixels=0)
    steps = describe_preprocess(replace(predictor.preprocess, decode=decode))
    return {
        "weights": opened.weights,
        "preprocess": steps,
        "postprocess": describe_decoder(cast(Any, predictor.decoder)),
    }


def memory_for(arguments: argparse.Namespace) -> int:
    """Bytes that pictures and network may take: what was given, else three quarters of what is free; 0 for no limit."""
    from ppocr_pse.data.reader.memory import free_memory

    return (free_memory() or 0) * 3 // 4 if arguments.max_memory is None else arguments.max_memory


def open_exported(
    folder: Path | None,
    engine: str,
    device: str,
    arguments: argparse.Namespace,
    count: int,
    overrides: Overrides | None = None,
) -> Opened:
    """Open an exported detector; Paddle is imported only if it is to run the network.

    Args:
        folder: made by tools/export_model.py; None for the detector in the box.
        engine: see `ppocr_pse.deploy.detector.open_predictor`.
        device: see there.
        arguments: with what `add_options` declares.
        count: of pictures; a single one gets all threads to itself.
        overrides: what is to differ from inference.yml.

    Raises:
        ConfigError, DeployError: if it cannot be opened.
    """
    from ppocr_pse.deploy.box import box_folder
    from ppocr_pse.deploy.detector import open_predictor
    from ppocr_pse.deploy.digests import file_digest
    from ppocr_pse.deploy.engines.base import Exported
    from ppocr_pse.deploy.spec import read_spec

    folder = folder or box_folder()
    predictor = open_predictor(
        folder,
        engine,
        device,
        arguments.threads,
        overrides,
        lanes=1 if count < 2 else 0,
        batch=arguments.batch,
        memory=memory_for(arguments),
        max_pixels=arguments.max_pixels,
    )
    return Opened(predictor, read_spec(folder).facts.weights or file_digest(Exported(folder).params))
