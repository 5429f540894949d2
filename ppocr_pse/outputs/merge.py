"""Put the results of several runs, or of the shards of one, together: in the order of the pictures, each once.

Two passes: the first notes in a database on disk where every record stands and a digest of what it says; the second
goes through the pictures in order and copies. The sources are not touched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_pse.outputs.base import SETTINGS
from ppocr_pse.outputs.merge_coco import CocoMerge
from ppocr_pse.outputs.merge_index import Index, Place, Slices
from ppocr_pse.outputs.merge_records import Report, name_of, read_records
from ppocr_pse.outputs.merge_runs import COCO, Run, kind_of, missing_shards, split_name
from ppocr_pse.outputs.resume import is_unfinished

ERRORS_ENDING = "_errors.txt"


@dataclass
class Merged:
    """What became of a merge.

    Attributes:
        files: what was written -> its records.
        twice: records that another run holds, too, with the same content.
        retried: errors, and results with an error, of pictures that another run did without one.
        problems: how many faults were reported.
    """

    files: dict[Path, int] = field(default_factory=dict)
    twice: int = 0
    retried: int = 0
    problems: int = 0


def merge(runs: Sequence[Run], output: Path, report: Report) -> Merged:
    """Merge runs; all files of the output appear at the end, at once.

    Where two runs differ about a picture, one that had no error with it is taken, else the first run; two that differ
    and had no error are a fault, which is reported.

    Args:
        runs: what is merged; see `merge_runs.find_runs`.
        output: the file of lines; the other files are called after it, as those of a run are.
        report: is told every fault, with file and line.

    Raises:
        MergeError: if the runs do not belong together; nothing was written.
        OSError: if a file cannot be read or written; nothing was written.
    """
    merged = Merged()

    def count(message: str) -> None:
        merged.problems += 1
        report(message)

    for message in missing_shards(runs):
        count(message)
    for run in runs:
        if is_unfinished(run.name.with_name(run.name.name + SETTINGS)):
            count(f"{run.name}: this run did not get to its end; let it go on with --resume, then merge again")
    output.parent.mkdir(parents=True, exist_ok=True)
    stem, _, _, own_ending = split_name(output.name)
    with tempfile.TemporaryDirectory(prefix=".merge-", dir=output.parent) as scratch:
        work = _Work(runs, Path(scratch), merged, count)
        try:
            work.collect()
            written = work.write()
        finally:
            work.close()
        for ending, file in written.items():
            target = output if ending == own_ending else output.with_name(stem + ending)
            file.replace(target)
            merged.files[target] = work.counts[ending]
    stale = output.with_name(stem + ERRORS_ENDING)
    if stale not in merged.files:
        stale.unlink(missing_ok=True)
    return merged


class _Work:
    """One merge: the index, and the files in a scratch folder."""

    def __init__(self, runs: Sequence[Run], scratch: Path, merged: Merged, report: Report) -> None:
        self.runs = runs
        self.scratch = scratch
        self.merged = merged
        self.report = report
        self.endings = [ERRORS_ENDING, *sorted({end for run in runs for end in run.files} - {ERRORS_ENDING})]
        self.counts: dict[str, int] = {}
        self.index = Index(scratch / "index")
        self.slices = Slices()
        self.coco = CocoMerge(self.index, self.slices, report)

    def close(self) -> None:
        self.index.close()
        self.slices.close()

    def collect(self) -> None:
        """Note where everything stands."""
        for kind, ending in enumerate(self.endings):
            holders = [(number, run.files[ending]) for number, run in enumerate(self.runs) if ending in run.files]
            if kind:
                for run in self.runs:
                    if ending not in run.files:
                        self.report(f"{run.name}{ending}: there is no such file, though other runs have one")
            for number, file in holders:
                form = kind_of(file.name)
                if form == COCO:
                    self.coco.collect(kind, number, file)
                elif form is not None:
                    for record in read_records(file, form, self.report):
                        self.index.add(kind, number, record)

    def write(self) -> dict[str, Path]:
        """Write each kind of file that there is; errors only when there are any."""
        written = {}
        for kind, ending in enumerate(self.endings):
            target = self.scratch / f"merged-{kind}"
            if kind_of(ending) == COCO:
                files = {number: run.files[ending] for number, run in enumerate(self.runs) if ending in run.files}
                chosen = (
                    (key, page, place)
                    for key, page, places in self.index.pictures(kind)
                    for place in self._choose(kind, key, page, places)
                )
                self.counts[ending] = self.coco.write(kind, chosen, files, target)
            else:
                self.counts[ending] = self._copy(kind, ending, target)
            if kind or self.counts[ending]:
                written[ending] = target
        return written

    def _copy(self, kind: int, ending: str, target: Path) -> int:
        count = 0
        with target.open("wb") as stream:
            for key, page, places in self.index.pictures(kind):
                for place in self._choose(kind, key, page, places):
                    stream.write(self.slices.read(self.runs[place.run].files[ending], place.start, place.length))
                    stream.write(b"\n")
                    count += 1
        return count

    def _choose(self, kind: int, key: bytes, page: int, places: list[Place]) -> list[Place]:
        """Which of the records of a picture are written: one, or none; of errors all that differ."""
        ending = self.endings[kind]
        if ending == ERRORS_ENDING:
            return self._errors(key, page, places)
        first, *others = places
        if first.dirty and self.index.done_by_others([kind], key, page, first.run):
            self.merged.retried += len(places)  # an error of a file, whose pages another run has
            return []
        for other in others:
            if other.dirty and not first.dirty:
                self.merged.retried += 1
            elif self._digest(kind, first) == self._digest(kind, other):
                self.merged.twice += 1
            else:
                here, there = (f"{self.runs[place.run].files[ending]}:{place.line}" for place in (other, first))
                self.report(f"{here}: {name_of(key, page)!r} is not what {there} says, which is taken")
        return [first]

    def _errors(self, key: bytes, page: int, places: list[Place]) -> list[Place]:
        kinds = list(range(1, len(self.endings)))
        kept: dict[bytes, Place] = {}
        for place in places:
            if self.index.done_by_others(kinds, key, page, place.run):
                self.merged.retried += 1
            elif place.digest in kept:
                self.merged.twice += 1
            else:
                kept[place.digest] = place
        return list(kept.values())

    def _digest(self, kind: int, place: Place) -> bytes:
        return place.digest or self.coco.digest(kind, place, self.runs[place.run].files[self.endings[kind]])
