"""Several outputs of one run, opened, fed and closed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import cv2

from ppocr_pse.data.line_names import written_name
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.base import JSON_LINES, SETTINGS, Output, OutputError, OutputOptions, Place, size_of
from ppocr_pse.outputs.coco import Coco
from ppocr_pse.outputs.crops import Crops
from ppocr_pse.outputs.each_picture import Drawn, Icdar, Labelme
from ppocr_pse.outputs.errors import Errors
from ppocr_pse.outputs.names import OutputNames
from ppocr_pse.outputs.resume import Listed, check_settings, find_finished, write_settings
from ppocr_pse.outputs.sheet import Sheet
from ppocr_pse.outputs.streams import JsonLines, Lines

OUTPUTS: Mapping[str, Callable[[Place, OutputOptions], Output]] = MappingProxyType(
    {
        "drawn": Drawn,
        "crops": Crops,
        "icdar": Icdar,
        "labelme": Labelme,
        "sheet": Sheet,
        "coco": Coco,
        "jsonl": JsonLines,
        "lines": Lines,
    }
)
"""Kinds of output, in the order in which a picture is written: what stands in the lines stands in all others."""


class OutputSet:
    """What a run writes; the lines are always among it.

    ::

        with OutputSet(["drawn", "jsonl"], Path("found/results.txt"), pictures, root=Path("photos")) as outputs:
            todo = [path for path in pictures if not outputs.is_done(path)]
            for result in predictor.stream(todo, workers=2, pages=True, finish=outputs.finish):
                outputs.add(result)
            outputs.complete()

    Args:
        kinds: names in :data:`OUTPUTS`. ``coco`` brings ``jsonl`` with it, of which it is made.
        results: the file of lines; all else lies beside it, see :mod:`ppocr_pse.outputs.base`.
        listing: all picture files of the run in their order, each once, before it is divided among shards.
        root: folder whose tree is kept in the folders of the outputs; see :class:`OutputNames`.
        options: what else can be chosen.
        settings: what decides the detections (a digest of the weights, sizes, thresholds); what JSON can hold. A run
            is resumed with equal settings only.
        resume: go on with what stands there, instead of beginning anew.

    Attributes:
        place: where it all lies.
        pictures: with a line so far, those of the earlier run included.
        texts: on them.
        faults: pictures of this run with an error.

    Raises:
        ValueError: if a kind is not known.
        OutputError: if a file cannot be written, the drawings would replace the pictures themselves, or the results
            that are to be resumed are of other settings.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        results: Path,
        listing: Sequence[Path],
        root: Path | None = None,
        options: OutputOptions | None = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        resume: bool = False,
    ) -> None:
        unknown = sorted(set(kinds) - set(OUTPUTS))
        if unknown:
            raise ValueError(f"output {unknown[0]!r} is not known, expected one of {', '.join(OUTPUTS)}")
        wanted = {"lines", *kinds, *(["jsonl"] if "coco" in kinds else [])}
        self.place = Place(results, OutputNames(listing, root))
        self.pictures = self.texts = self.faults = 0
        self._outputs = {
            name: make(self.place, options or OutputOptions()) for name, make in OUTPUTS.items() if name in wanted
        }
        self._errors = Errors(self.place)
        self._settings = settings
        self._finished: frozenset[str] = frozenset()
        self._closed = False
        if "jsonl" in wanted and self.place.file(JSON_LINES) == results:
            raise OutputError(
                f"{results}: is the file of lines, and JSON Lines would have the same name; end it in .txt"
            )
        try:
            results.parent.mkdir(parents=True, exist_ok=True)
            self._start(listing, settings, resume)
        except OSError as error:
            raise OutputError(f"{error.filename or results}: cannot write ({error.strerror or error})") from None

    def is_done(self, path: Path) -> bool:
        """Whether all pictures of a listed file are done by the run that is resumed."""
        return written_name(path) in self._finished

    def finish(self, result: PictureResult) -> PictureResult:
        """Write the files of a picture, in any thread; what cannot be written becomes the error of the result."""
        if size_of(result) is None:
            return result
        problems = [result.error] if result.error else []
        for kind, output in self._outputs.items():
            try:
                output.save(result)
            except (OSError, MemoryError, cv2.error) as fault:
                why = fault.strerror or fault if isinstance(fault, OSError) else type(fault).__name__
                problems.append(f"{written_name(result.name)}: its line is written, but not {kind} ({why})")
        error = "; ".join(problems)
        return result if error == result.error else replace(result, error=error)

    def add(self, result: PictureResult) -> None:
        """Append a picture that :meth:`finish` returned, in the order of the listing.

        Raises:
            OutputError: if a file of the run cannot be written; the run cannot go on, but it can be resumed.
        """
        if result.error:
            self._errors.add(result)
            self.faults += 1
        for output in self._outputs.values():
            output.add(result)
        if size_of(result) is not None:
            self.pictures += 1
            self.texts += len(result.detections)

    def close(self) -> None:
        """Complete and close all files; can be called again.

        Raises:
            OutputError: if one cannot be completed; the others are.
        """
        if self._closed:
            return
        self._closed = True
        problems = []
        opened: list[Output] = [self._errors, *reversed(self._outputs.values())]
        for output in opened:
            try:
                output.close()
            except OutputError as error:
                problems.append(str(error))
        if problems:
            raise OutputError("; ".join(problems))

    def complete(self) -> None:
        """Close, and note that the run got to its end: every picture is done, or named in the errors file.

        Raises:
            OutputError: if a file cannot be completed.
        """
        self.close()
        try:
            write_settings(self.place.file(SETTINGS), self._settings, complete=True)
        except OSError as error:
            raise OutputError(f"{self.place.file(SETTINGS)}: cannot write ({error.strerror or error})") from None

    def __enter__(self) -> OutputSet:
        """Nothing to do: it is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; what went wrong first is what is raised."""
        try:
            self.close()
        except OutputError:
            if error is None:
                raise

    def _start(self, listing: Sequence[Path], settings: Mapping[str, Any], resume: bool) -> None:
        settings_file, lines = self.place.file(SETTINGS), self._outputs["lines"]
        others: list[Output] = [self._errors, *(output for output in self._outputs.values() if output is not lines)]
        if resume and self.place.results.exists() and self.place.results.stat().st_size:
            check_settings(settings_file, self.place.results, settings)
            listed = Listed(listing)
            done = find_finished(self._outputs, self._errors, listed)
            # the lines come first: were they cut last, an error forgotten before would be a picture lost
            for output in (lines, *others):
                output.keep(done, listed.order)
            self._finished = frozenset(written_name(path) for path, _, _ in done.values() if path is not None)
            self.pictures, self.texts = len(done), sum(texts for _, _, texts in done.values())
            write_settings(settings_file, settings)
            return
        lines.clear()  # first: lines that stand are believed to be of the settings beside them
        write_settings(settings_file, settings)
        for output in others:
            output.clear()
