"""Label files to lines: training's own reader decides what is usable; only what it refuses is diagnosed here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_pse.data.checks.findings import Finding
from ppocr_pse.data.formats import STREAMS
from ppocr_pse.data.labels import LabelError, parse_label_line, parse_text
from ppocr_pse.types import Annotation

BOM = b"\xef\xbb\xbf"
PICTURE_THEN_LIST = re.compile(
    r"(?P<name>.*?\.(?:jpe?g|png|bmp|gif|webp|tiff?))(?P<between>[\s,;:|]*)(?P<json>\[.*)", re.I
)
"""A line whose delimiter is not the expected one, taken apart at the picture's ending."""
WHERE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::\s*|$)(?P<message>.*)", re.S)


@dataclass(frozen=True)
class LabelSource:
    """One label file (or folder or archive) with all that reading it needs.

    Attributes:
        labels: what is read.
        data_dir: folder that relative picture paths start from.
        format: name of the annotation format.
        delimiter: between path and JSON in PaddleOCR's format.
        section: ``Train`` or ``Eval``.
    """

    labels: Path
    data_dir: Path
    format: str = "ppocr"
    delimiter: str = "\t"
    section: str = "Train"


@dataclass(frozen=True)
class LabelLine:
    """One line as read.

    Attributes:
        file: where it stands.
        number: line number, from 1.
        raw: the line without its end; "" in other formats than PaddleOCR's.
        name: picture path as written.
        annotation: what training gets of it; None when that is nothing.
        numbers: for each polygon of the annotation the number of its text in the line, from 1.
        findings: what is wrong with the line as such.
    """

    file: str
    number: int
    raw: str
    name: str
    annotation: Annotation | None
    numbers: tuple[int, ...]
    findings: tuple[Finding, ...]


def read_lines(source: LabelSource, file_findings: list[Finding]) -> Iterator[LabelLine]:
    """Go through a label file; only one line at a time is held in memory (for PaddleOCR's format).

    Args:
        source: what to read.
        file_findings: what concerns the file as a whole is added here.
    """
    if source.format != "ppocr":
        yield from _read_other(source, file_findings)
        return
    file = str(source.labels)
    usable = crlf = number = 0
    first_crlf = 0
    try:
        with source.labels.open("rb") as stream:
            for number, content in enumerate(stream, 1):
                if number == 1 and content.startswith(BOM):
                    content = content[len(BOM) :]
                    file_findings.append(
                        Finding("bom", file, 1, "the file begins with a byte order mark; it is read as if it had none")
                    )
                try:
                    text = content.decode("utf-8").removesuffix("\n")
                except UnicodeDecodeError as error:
                    cure = f"convert the file, for example: iconv -f GBK -t UTF-8 {file}"
                    byte = content[error.start]
                    file_findings.append(
                        Finding("unusable-file", file, number, f"not UTF-8 (byte 0x{byte:02x}); {cure}")
                    )
                    return
                line = text.rstrip("\r")
                if line != text:
                    crlf += 1
                    first_crlf = first_crlf or number
                if not line.strip():
                    continue
                read = read_line(line, source, number)
                usable += read.annotation is not None
                yield read
    except OSError as error:
        file_findings.append(Finding("unusable-file", file, 0, f"cannot read the label file ({error.strerror})"))
        return
    if crlf:
        file_findings.append(Finding("crlf", file, first_crlf, f"{crlf} lines end in CRLF; they are read as if in LF"))
    if not usable:
        message = f"no usable line among {number}; expected PATH{source.delimiter!r}JSON lines"
        file_findings.append(Finding("unusable-file", file, 0, message))


def read_line(line: str, source: LabelSource, number: int) -> LabelLine:
    """Read one line of PaddleOCR's format as training does, and say what it would lose."""
    file = str(source.labels)
    where = f"{file}:{number}"
    name = line.partition(source.delimiter)[0]
    try:
        annotation, left_out = parse_label_line(line, source.data_dir, where, source.delimiter)
    except LabelError as error:
        message = str(error).removeprefix(f"{where}: ")
        return LabelLine(file, number, line, name, None, (), (_diagnose_line(line, source, number, message),))
    if not left_out:
        return LabelLine(file, number, line, name, annotation, tuple(range(1, len(annotation.polygons) + 1)), ())
    findings, numbers = [], []
    for i, entry in enumerate(json.loads(line.partition(source.delimiter)[2]), 1):
        try:
            parse_text(entry)
            numbers.append(i)
        except LabelError as error:
            findings.append(Finding(_kind_of_text(entry), file, number, str(error), i))
    return LabelLine(file, number, line, name, annotation, tuple(numbers), tuple(findings))


def _diagnose_line(line: str, source: LabelSource, number: int, message: str) -> Finding:
    file = str(source.labels)
    if source.delimiter not in line:
        parts = PICTURE_THEN_LIST.fullmatch(line)
        if parts:
            message = (
                f"{parts['between']!r} between picture path and labels, expected {source.delimiter!r} "
                "(editors may turn TAB into spaces)"
            )
        return Finding("no-separator", file, number, message)
    kind = "json" if line.partition(source.delimiter)[0].strip() else "no-path"
    return Finding(kind, file, number, message)


def _kind_of_text(entry: Any) -> str:
    points = entry.get("points") if isinstance(entry, dict) else None
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
        return "bad-points"
    numbers = [value for point in points for value in point]
    if not all(isinstance(value, (int, float)) for value in numbers):
        return "bad-points"
    if not all(math.isfinite(value) and abs(value) < 3e38 for value in numbers):  # as float32
        return "not-finite"
    return "few-points"


def _read_other(source: LabelSource, file_findings: list[Finding]) -> Iterator[LabelLine]:
    """Pictures of another format: its reader names what it leaves out."""
    labels = str(source.labels)
    usable = 0
    try:
        for item in STREAMS[source.format](source.labels, source.data_dir):
            if not isinstance(item, Annotation):
                file, line, message = _split_where(str(item), labels)
                file_findings.append(Finding("label", file, line, message))
                continue
            usable += 1
            where = WHERE.fullmatch(item.source)
            file, line = (where["file"], int(where["line"])) if where else (item.source, 0)
            name = relative_name(item.image, source.data_dir)
            yield LabelLine(file, line, "", name, item, tuple(range(1, len(item.polygons) + 1)), ())
    except LabelError as error:
        file_findings.append(Finding("unusable-file", labels, 0, str(error).removeprefix(f"{labels}: ")))
        return
    if not usable:
        file_findings.append(Finding("unusable-file", labels, 0, f"no usable picture, read as {source.format}"))


def relative_name(picture: Path, data_dir: Path) -> str:
    """The path of a picture as it is to stand in a label file."""
    return (picture.relative_to(data_dir) if picture.is_relative_to(data_dir) else picture).as_posix()


def _split_where(text: str, file: str) -> tuple[str, int, str]:
    found = WHERE.fullmatch(text)
    return (found["file"], int(found["line"]), found["message"]) if found else (file, 0, text.removeprefix(f"{file}: "))
