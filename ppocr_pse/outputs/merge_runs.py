"""Which files of results belong together: the files of a run, and the shards of a run that several machines shared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppocr_pse.data.shards import Shard

LINES, JSON_LINES, COCO, CROPS, ERRORS = "lines", "jsonl", "coco", "crops", "errors"
KIND_OF_ENDING: dict[str, str | None] = {
    "_errors.txt": ERRORS,
    "_crops.txt": CROPS,
    "_crops.tsv": CROPS,
    ".txt": LINES,
    ".jsonl": JSON_LINES,
    "_coco.json": COCO,
    ".coco.json": COCO,
    ".run.json": None,  # the settings of a run
    ".json": COCO,
}
"""How the name of a file ends -> what it holds; the first that fits counts."""
EXPECTED = "expected results: NAME.txt, NAME.jsonl, NAME_coco.json or NAME_errors.txt"
SHARD = re.compile(r"(.+)\.shard-([0-9]+)-of-([0-9]+)(.*)", re.DOTALL)


class MergeError(ValueError):
    """Results that cannot be put together; nothing was written."""


@dataclass(frozen=True)
class Run:
    """One run of detection, or one shard of it.

    Attributes:
        name: path that the names of all its files start with, such as ``found/results.shard-0-of-4``.
        whole: file name that the names of all shards of the run start with, such as ``results``.
        shard: which part of the run it is, or None for all of it.
        files: what follows the name, such as ``_errors.txt`` -> file.
    """

    name: Path
    whole: str
    shard: Shard | None
    files: dict[str, Path]


def kind_of(name: str) -> str | None:
    """Tell by the end of its name what a file of results holds; None when it is no such file."""
    return KIND_OF_ENDING.get(ending_of(name))


def ending_of(name: str) -> str:
    """How the name of a file of results ends; "" when it is no such file."""
    return next((ending for ending in KIND_OF_ENDING if name.endswith(ending)), "")


def split_name(name: str) -> tuple[str, str, Shard | None, str]:
    """Take the name of a file apart: name of the run, of the whole run, the shard, the ending.

    ``results.shard-0-of-4_errors.txt`` is of the run ``results.shard-0-of-4``, part of ``results``.
    """
    found = SHARD.fullmatch(name)
    if found is not None and int(found[2]) < int(found[3]):
        return name[: found.start(4)], found[1], Shard(int(found[2]), int(found[3])), found[4]
    ending = ending_of(name)
    stem = name.removesuffix(ending)
    return stem, stem, None, ending


def find_runs(places: Sequence[Path], output: Path | None) -> list[Run]:
    """Find the runs that files and folders name.

    Args:
        places: a file stands for all files of its run in its folder. A folder stands for the shards in it, or for all
            results in it when none is a shard, except for those that are called like the output.
        output: the file of lines that is to be written; None for one called after the shards.

    Returns:
        The runs, in the order of the places and, in a folder, of their numbers and names; each once.

    Raises:
        MergeError: if there is nothing to merge, or it does not belong together.
    """
    runs: dict[Path, Run] = {}
    listings: dict[Path, list[Run]] = {}
    for place in places:
        folder = place if place.is_dir() else place.parent
        try:
            if folder not in listings:
                listings[folder] = _runs_of(folder)
            if place != folder and not place.is_file():
                raise MergeError(f"there is no file or folder {place}")
        except OSError as error:
            raise MergeError(f"cannot look into {folder} ({error.strerror})") from None
        if place == folder:
            chosen = _of_folder(folder, listings[folder], output)
        else:
            if kind_of(place.name) is None:
                raise MergeError(f"{place}: {EXPECTED}")
            chosen = [run for run in listings[folder] if place in run.files.values()]
        runs.update((run.name, run) for run in chosen if run.name not in runs)
    return list(runs.values())


def output_for(runs: Sequence[Run]) -> Path:
    """The file that shards are merged into when none is named: that of the whole run, beside the first.

    Raises:
        MergeError: if these are not shards of one run.
    """
    if any(run.shard is None for run in runs) or len({run.whole for run in runs}) != 1:
        raise MergeError("these are not the shards of one run; say with --output NAME.txt where they go")
    return runs[0].name.with_name(f"{runs[0].whole}.txt")


def missing_shards(runs: Iterable[Run]) -> list[str]:
    """Name the shards that are not there, one message each.

    Raises:
        MergeError: if shards are of splits into different numbers of parts.
    """
    counts: dict[str, dict[int, Run]] = {}
    present: dict[str, set[int]] = {}
    for run in runs:
        if run.shard is not None:
            counts.setdefault(run.whole, {}).setdefault(run.shard.count, run)
            present.setdefault(run.whole, set()).add(run.shard.index)
    missing = []
    for whole, examples in counts.items():
        if len(examples) > 1:
            found = " and ".join(str(run.name) for run in examples.values())
            raise MergeError(
                f"{found} are of different splits; merge each split into a file of its own, then these files"
            )
        (count,) = examples
        missing += [
            f"{whole}.{Shard(index, count).label}: no results of this shard; what it found is not in the merged files"
            for index in range(count)
            if index not in present[whole]
        ]
    return missing


def _runs_of(folder: Path) -> list[Run]:
    """All runs with results in a folder, shards by number."""
    runs: dict[str, Run] = {}
    for file in sorted(folder.iterdir()):
        name, whole, shard, ending = split_name(file.name)
        if kind_of(file.name) is not None and file.is_file():
            runs.setdefault(name, Run(folder / name, whole, shard, {})).files[ending] = file
    return sorted(runs.values(), key=lambda run: (run.whole, run.shard.index if run.shard else -1, run.name))


def _of_folder(folder: Path, runs: list[Run], output: Path | None) -> list[Run]:
    shards = [run for run in runs if run.shard is not None]
    own = output and output.absolute().with_name(split_name(output.name)[0])
    chosen = shards or [run for run in runs if run.name.absolute() != own]
    wholes = sorted({run.whole for run in shards})
    if len(wholes) > 1:
        raise MergeError(f"{folder} holds shards of several runs, {', '.join(wholes)}; name the files of one of them")
    if not chosen:
        raise MergeError(f"{folder} holds none; {EXPECTED}")
    return chosen
