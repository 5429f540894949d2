"""Pictures that are in a data set more than once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ppocr_pse.data.checks.findings import Finding
from ppocr_pse.data.checks.records import CheckedLine


class TwinFinder:
    """Finds pictures that were there before, by path and by content."""

    def __init__(self) -> None:
        self._by_path: dict[str, tuple[str, str, int]] = {}
        self._by_digest: dict[bytes, tuple[tuple[str, str, int], str]] = {}

    def compare(self, checked: CheckedLine) -> CheckedLine:
        """Look whether the picture was met before, and remember it."""
        line, section = checked.line, checked.source.section
        if line.annotation is None or checked.facts.size is None:
            return checked
        here = (section, line.file, line.number)
        first = self._by_path.setdefault(_normal(line.annotation.image), here)
        if first != here:
            return self._twin(checked, "duplicate-line", first, "the same picture")
        first, name = self._by_digest.setdefault(checked.facts.digest, (here, line.name))
        if first != here:
            return self._twin(checked, "same-content", first, f"the same content as {name}")
        return checked

    @staticmethod
    def _twin(checked: CheckedLine, kind: str, first: tuple[str, str, int], what: str) -> CheckedLine:
        section, file, number = first
        line = checked.line
        if section != checked.source.section:
            message = f"{line.name}: {what} is in {section} too ({file}:{number}); scores on it mean nothing"
            kind, twin = "leak", None
        else:
            message, twin = f"{line.name}: {what} at {file}:{number}; it is taken twice", (file, number)
        finding = Finding(kind, line.file, line.number, message)
        return replace(checked, findings=(*checked.findings, finding), twin=twin)


def _normal(path: Path) -> str:
    return str(path.absolute()) if ".." not in path.parts else str(path.resolve())
