"""A mended copy of label files: what can be put right is, what cannot be used is left out, and all of it is told."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.checks.mend_text import mend_text, turn_polygon
from ppocr_pse.data.checks.pictures import FolderIndex, PictureFacts, look_at_picture
from ppocr_pse.data.checks.records import CheckedLine, CheckSettings
from ppocr_pse.data.checks.shapes import almost_dont_care, same_outline_key
from ppocr_pse.data.checks.sources import PICTURE_THEN_LIST, LabelLine, LabelSource, read_line, relative_name
from ppocr_pse.data.checks.survey import labels_are_unturned
from ppocr_pse.data.checks.twins import TwinFinder
from ppocr_pse.data.labels import DONT_CARE
from ppocr_pse.types import Annotation, Polygon


@dataclass
class _Line:
    """A line of the mended file."""

    name: str
    raw: str  # written as it is when nothing changed
    entries: list[dict[str, Any]] | None  # None: not looked into yet, since nothing changed
    polygons: list[Polygon]


class Mender:
    """Gathers mended lines; handed every checked line in order, then asked for the files.

    Args:
        settings_of: as for the survey.
    """

    def __init__(self, settings_of: Callable[[LabelSource], CheckSettings]) -> None:
        self.changes: list[str] = []
        self._settings_of = settings_of
        self._lines: dict[LabelSource, dict[int, _Line]] = {}
        self._twins = TwinFinder()
        self._index = FolderIndex()
        self._owners: dict[tuple[str, int], tuple[LabelSource, int]] = {}

    def visit(self, checked: CheckedLine) -> None:
        """Take in one line."""
        source, where = checked.source, f"{checked.line.file}:{checked.line.number}"
        lines = self._lines.setdefault(source, {})
        settings = self._settings_of(source)
        usable = self._usable(checked, settings, where)
        if usable is None:
            return
        line, facts, annotation = usable
        if facts.size is None or facts.fault is not None:
            self.changes.append(f"{where}: line left out: {facts.fault[1] if facts.fault else 'no picture'}")
            return
        made = self._mend_texts(line, annotation, facts, checked, where)
        if not made.polygons and (annotation.polygons or line.findings):  # it would be taken for one without text
            self.changes.append(f"{where}: line left out: none of its texts can be used")
            return
        twin = self._twins.compare(replace(checked, line=line, facts=facts, twin=None)).twin
        if twin is not None:
            self._merge(made, twin, source, where)
            return
        key = len(lines)
        self._owners[line.file, line.number] = (source, key)
        lines[key] = made

    def _usable(
        self, checked: CheckedLine, settings: CheckSettings, where: str
    ) -> tuple[LabelLine, PictureFacts, Annotation] | None:
        """The line with its picture, after delimiter, JSON and path are put right; None when it is left out."""
        line, facts, source = checked.line, checked.facts, checked.source
        if line.annotation is None:
            mended = rewrite_line(line.raw, source.delimiter)
            again = read_line(mended, source, line.number) if mended is not None else line
            if again.annotation is None:
                self.changes.append(f"{where}: line left out: {line.findings[0].message}")
                return None
            self.changes.append(f"{where}: wrote it as PATH{source.delimiter!r}JSON")
            line, facts = again, look_at_picture(again.annotation.image, settings.decode, self._index)
        assert line.annotation is not None
        if facts.suggestion is not None:
            name = relative_name(facts.suggestion, source.data_dir)
            self.changes.append(f"{where}: path {line.name!r} -> {name!r}")
            annotation = replace(line.annotation, image=facts.suggestion)
            line = replace(line, name=name, annotation=annotation)
            facts = look_at_picture(facts.suggestion, settings.decode, self._index)
        assert line.annotation is not None
        return line, facts, line.annotation

    def _mend_texts(
        self, line: LabelLine, annotation: Annotation, facts: PictureFacts, checked: CheckedLine, where: str
    ) -> _Line:
        assert facts.size is not None
        changes = [f"text {finding.text}: left out: {finding.message}" for finding in line.findings if finding.text]
        delimiter = checked.source.delimiter
        turned = labels_are_unturned(annotation, facts, self._settings_of(checked.source).decode)
        if turned:
            changes.append(f"labels turned as EXIF orientation {facts.orientation} turns the picture")
        kept: list[tuple[int, Polygon, bool, bool]] = []  # number, outline, is it new, does it become don't-care
        seen = set()
        for number, polygon, ignored, text in zip(
            line.numbers, annotation.polygons, annotation.ignored.tolist(), annotation.texts
        ):
            given = turn_polygon(polygon, facts.orientation, facts.size) if turned else polygon
            mended = mend_text(given, facts.size)
            changes.extend(f"text {number}: {change}" for change in mended.changes)
            if mended.polygon is None:
                continue
            outline = mended.polygon.astype(np.float32)
            if same_outline_key(outline) in seen:
                changes.append(f"text {number}: left out, its outline is there already")
                continue
            seen.add(same_outline_key(outline))
            unclear = mended.unclear or (ignored and text not in DONT_CARE)
            if line.raw and almost_dont_care(text):
                unclear = True
                changes.append(f"text {number}: transcription {text!r} -> '###'")
            kept.append((number, outline, turned or bool(mended.changes), unclear))
        self.changes.extend(f"{where}: {change}" for change in changes)
        outlines = [outline for _, outline, _, _ in kept]
        if line.raw and not changes:
            return _Line(line.name, line.raw, None, outlines)
        entries = []
        given_entries = (
            _raw_entries(line.raw, delimiter) if line.raw else [{"transcription": t} for t in annotation.texts]
        )
        for number, outline, new, unclear in kept:
            entry = dict(given_entries[number - 1])
            if new or not line.raw:
                entry["points"] = _numbers(outline)
            if unclear:
                entry["transcription"] = "###"
            entries.append(entry)
        return _Line(line.name, line.raw, entries, outlines)

    def _merge(self, made: _Line, twin: tuple[str, int], source: LabelSource, where: str) -> None:
        """Give the texts of a repeated picture that its first line lacks to that line."""
        owner, key = self._owners[twin]
        first = self._lines[owner][key]
        known = {same_outline_key(polygon) for polygon in first.polygons}
        entries = made.entries if made.entries is not None else _raw_entries(made.raw, source.delimiter)
        added = 0
        for entry, polygon in zip(entries, made.polygons):
            if same_outline_key(polygon) not in known:
                if first.entries is None:
                    first.entries = _raw_entries(first.raw, owner.delimiter)
                first.entries.append(entry)
                first.polygons.append(polygon)
                added += 1
        gained = f", its {added} other texts moved there" if added else ""
        self.changes.append(f"{where}: line left out, the picture is at {twin[0]}:{twin[1]} already{gained}")

    def write(self, folder: Path) -> list[Path]:
        """Write one label file for each that was read, and ``changes.txt``.

        Raises:
            OSError: if a file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        for source, lines in self._lines.items():
            name = source.labels.name if source.format == "ppocr" else f"{source.labels.stem}.txt"
            file = folder / name
            if file in written:
                file = folder / f"{source.section}_{source.labels.parent.name}_{name}"
            content = "".join(f"{_as_text(line, source.delimiter)}\n" for line in lines.values())
            unfinished = file.with_name(f"{file.name}.part")
            unfinished.write_text(content, encoding="utf-8", newline="\n")
            unfinished.replace(file)
            written.append(file)
        changes = "".join(f"{change}\n" for change in self.changes)
        (folder / "changes.txt").write_text(changes, encoding="utf-8", newline="\n")
        return written


def rewrite_line(raw: str, delimiter: str) -> str | None:
    """Put delimiter and quotes of a line right; None when it cannot be understood.

    Labels with single quotes, as Python prints them, are read as what they are.
    """
    name, found, labels = raw.partition(delimiter)
    if not found:
        parts = PICTURE_THEN_LIST.fullmatch(raw)
        if parts is None:
            return None
        name, labels = parts["name"], parts["json"]
    try:
        json.loads(labels)
    except json.JSONDecodeError:
        try:
            entries = ast.literal_eval(labels.strip())
            labels = json.dumps(entries, ensure_ascii=False)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    return f"{name}{delimiter}{labels}"


def _raw_entries(raw: str, delimiter: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(raw.partition(delimiter)[2])
    return entries


def _numbers(polygon: Polygon) -> list[list[float]]:
    rounded = np.round(polygon.astype(np.float64), 2)
    whole = bool((rounded == np.round(rounded)).all())
    numbers: list[list[float]] = (rounded.astype(int) if whole else rounded).tolist()
    return numbers


def _as_text(line: _Line, delimiter: str) -> str:
    if line.entries is None:
        return f"{line.name}{delimiter}{line.raw.partition(delimiter)[2]}" if line.raw else line.name
    return f"{line.name}{delimiter}{json.dumps(line.entries, ensure_ascii=False)}"
