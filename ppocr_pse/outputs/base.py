"""What an output is, where the files of a run lie, and files that stand whole or not at all.

A run is known by its file of lines, ``NAME.txt``. All else lies beside it:

===================  =======================  =====================================================================
output               place                    what
===================  =======================  =====================================================================
``lines``            ``NAME.txt``             PaddleOCR's lines
``jsonl``            ``NAME.jsonl``           one JSON object a picture, also for those that could not be read
``coco``             ``NAME_coco.json``       one COCO document, made of ``NAME.jsonl`` at the end
``icdar``            ``icdar/``               one text file a picture
``labelme``          ``labelme/``             one JSON file a picture
``drawn``            ``det_results/``         the pictures with their texts outlined
``crops``            ``crops/``               each text as a picture of its own, upright
                     ``NAME_crops.txt``       the list of them, ``PATH<TAB>text`` for a recogniser
``sheet``            ``NAME_sheet.jpg``       some of the pictures side by side; kept in ``.NAME_sheet/`` until the end
(always)             ``NAME_errors.txt``      what could not be used; not there when nothing was wrong
(always)             ``NAME.run.json``        the settings of the run, for resuming it
===================  =======================  =====================================================================

Folders are shared by the shards of a run: names in them do not depend on who wrote them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.names import OutputNames

# how the names of files of the whole run end, after NAME
LINES, JSON_LINES, COCO, CROPS = ".txt", ".jsonl", "_coco.json", "_crops.txt"
SHEET, ERRORS, SETTINGS = "_sheet.jpg", "_errors.txt", ".run.json"


class Finished(NamedTuple):
    """A picture whose line stands in the file of lines.

    Attributes:
        path: of its file, as it is listed; None when it is not listed any more.
        page: which picture of the file, from 1; 0 when it holds one.
        texts: how many there are on it.
    """

    path: Path | None
    page: int
    texts: int


Standing = Mapping[str, Finished]
"""Pictures that are done, by their names as lines have them."""
Order = Callable[[str], int]
"""Name of a picture as lines have it -> place of its file in the listing."""


class OutputError(Exception):
    """The run cannot go on, or not begin: a file of the whole run cannot be written, or a run cannot be resumed."""


class Output:
    """One kind of output of a run; a kind defines what it needs of these.

    When a run is resumed ``standing`` and ``keep`` are called before the first ``save``, else ``clear``.
    """

    def clear(self) -> None:
        """Remove what an earlier run left in files of the whole run."""

    def standing(self, done: Standing) -> Standing:
        """Of pictures whose lines stand, those of which everything stands here too."""
        return done

    def keep(self, done: Standing, order: Order) -> None:
        """Take all other pictures out of the files of the whole run, and sort these files when they are closed."""

    def save(self, result: PictureResult) -> None:
        """Write the files that belong to this picture alone; called from several threads at once.

        Raises:
            OSError: if one cannot be written.
        """

    def add(self, result: PictureResult) -> None:
        """Append to the files of the whole run; called in the order of the pictures, from one thread.

        Raises:
            OutputError: if that is not possible.
        """

    def close(self) -> None:
        """Complete the files of the whole run.

        Raises:
            OutputError: if that is not possible.
        """


@dataclass(frozen=True)
class OutputOptions:
    """What can be chosen.

    Args:
        scores: write scores also where they are optional: into ``drawn`` pictures and ``icdar`` files.
        sheet_pictures: how many pictures a ``sheet`` shows at most.
        drawn: what stands before the names of drawn pictures, from the folder of the results on.
    """

    scores: bool = False
    sheet_pictures: int = 48
    drawn: str = "det_results/"

    def __post_init__(self) -> None:
        """Check the values."""
        if self.sheet_pictures < 1:
            raise ValueError(f"sheet_pictures: a number >= 1 expected, got {self.sheet_pictures}")


@dataclass(frozen=True)
class Place:
    """Where a run writes.

    Attributes:
        results: its file of lines.
        names: names for files of single pictures.
    """

    results: Path
    names: OutputNames

    def file(self, ending: str) -> Path:
        """A file of the whole run, such as ``NAME_errors.txt`` for ``_errors.txt``."""
        return self.results.with_name(self.results.name.removesuffix(self.results.suffix) + ending)

    def folder(self, name: str) -> Path:
        """A folder for files of single pictures."""
        return self.results.parent / name


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A path beside ``file``, with its ending; what is written there takes its name at the end, or goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(file.name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    unfinished = file.with_name(f".{digest}.part")  # short: with NAME in it, it could be longer than a name may be
    try:
        yield unfinished
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all; its folder is made.

    Raises:
        OSError: if it cannot be written; what stood there still stands.
    """
    with whole_file(file) as unfinished:
        unfinished.write_bytes(content)


def size_of(result: PictureResult) -> tuple[int, int] | None:
    """Height and width of a picture in pixels; None when it could not be read."""
    if result.image is not None:
        return int(result.image.shape[0]), int(result.image.shape[1])
    return None if result.scale is None else (int(result.scale.src_h), int(result.scale.src_w))
