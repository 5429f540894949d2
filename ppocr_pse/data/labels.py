"""Read and write PaddleOCR label lines, both directions, with every fault named by file and line.

A line is ``relative/path.jpg<TAB>[{"transcription": str, "points": [[x, y], ...]}, ...]`` in UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.line_names import read_name
from ppocr_pse.types import Annotation, Polygon

DONT_CARE = ("###", "*")


class LabelError(ValueError):
    """A label file or line that cannot be used; the message says where, what and the cure."""


@dataclass(frozen=True)
class LabelFile:
    """What a label file holds.

    Attributes:
        annotations: the usable lines, in file order.
        problems: one message for each line or text that was left out, starting with ``FILE:LINE``.
    """

    annotations: tuple[Annotation, ...]
    problems: tuple[str, ...]


def parse_text(entry: Any) -> tuple[Polygon, str]:
    """Read one text of a label line.

    Args:
        entry: a mapping with ``points`` and optionally ``transcription``; other keys are not looked at.

    Returns:
        float32 (N, 2) polygon in pixels, and the transcription ("" when absent).

    Raises:
        LabelError: if points are missing, not finite number pairs, or fewer than 3.
    """
    if not isinstance(entry, dict) or "points" not in entry:
        raise LabelError(f'got {str(entry)[:60]!r}, expected {{"transcription": ..., "points": [[x, y], ...]}}')
    try:
        polygon = np.array(entry["points"], np.float32)
    except (TypeError, ValueError):
        polygon = np.empty(0, np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2 or not np.isfinite(polygon).all():
        raise LabelError(f"points are {str(entry['points'])[:60]}, expected finite numbers [[x, y], ...]")
    if len(polygon) < 3:
        raise LabelError(f"{len(polygon)} points, expected at least 3")
    return polygon, str(entry.get("transcription", ""))


def parse_label_line(line: str, data_dir: Path, source: str, delimiter: str = "\t") -> tuple[Annotation, list[str]]:
    """Read one label line.

    Args:
        line: without its line end.
        data_dir: folder that relative picture paths start from; absolute paths stay as they are.
        source: ``FILE:LINE``, for messages.
        delimiter: between path and JSON.

    Returns:
        The annotation, and one message for each text of the line that was left out.

    Raises:
        LabelError: if the line as a whole cannot be used.
    """
    name, found, texts_json = line.partition(delimiter)
    if not found:
        raise LabelError(
            f"{source}: no {delimiter!r} between picture path and labels in {line[:60]!r}; "
            "separate them with one TAB (editors may turn TAB into spaces)"
        )
    if not name.strip():
        raise LabelError(f"{source}: the picture path is empty; expected PATH<TAB>JSON")
    try:
        entries = json.loads(texts_json)
    except json.JSONDecodeError as error:
        raise LabelError(
            f"{source}: the labels are not JSON ({error.msg} at character {error.pos} of the JSON part); "
            "expected a list of {transcription, points}, written on one line with double quotes"
        ) from None
    if not isinstance(entries, list):
        raise LabelError(f"{source}: the labels are {type(entries).__name__}, expected a JSON list")
    polygons, texts, problems = [], [], []
    for number, entry in enumerate(entries, 1):
        try:
            polygon, text = parse_text(entry)
        except LabelError as error:
            problems.append(f"{source}: text {number}: {error}; this text is left out")
            continue
        polygons.append(polygon)
        texts.append(text)
    ignored = np.array([text in DONT_CARE for text in texts], bool)
    return Annotation(data_dir / read_name(name), tuple(polygons), ignored, tuple(texts), source), problems


def read_labels(path: Path, data_dir: Path, delimiter: str = "\t") -> LabelFile:
    """Read a label file; a byte order mark, CRLF and empty lines are fine.

    Args:
        path: the label file.
        data_dir: folder that relative picture paths start from.
        delimiter: between path and JSON.

    Raises:
        LabelError: if the file cannot be read or not one of its lines can be used.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabelError(
            f"{path}: cannot read the label file ({error.strerror}); check label_file_list and data_dir"
        ) from None
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        faulty = content.count(b"\n", 0, error.start) + 1
        raise LabelError(
            f"{path}:{faulty}: not UTF-8 (byte 0x{content[error.start]:02x}); "
            f"convert the file, for example: iconv -f GBK -t UTF-8 {path}"
        ) from None
    annotations: list[Annotation] = []
    problems: list[str] = []
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        try:
            annotation, left_out = parse_label_line(line, data_dir, f"{path}:{number}", delimiter)
        except LabelError as error:
            problems.append(str(error))
            continue
        annotations.append(annotation)
        problems.extend(left_out)
    if not annotations:
        first = f"; the first: {problems[0]}" if problems else ""
        raise LabelError(f"{path}: no usable line ({len(problems)} faulty{first}); expected PATH<TAB>JSON lines")
    return LabelFile(tuple(annotations), tuple(problems))


def format_label_line(
    name: str,
    texts: Sequence[str],
    polygons: Sequence[Any],
    scores: Sequence[float] | None = None,
    delimiter: str = "\t",
) -> str:
    """Write one label line, without a line end.

    Args:
        name: picture path as it should stand in the file.
        texts: transcriptions.
        polygons: (N, 2) arrays in pixels; whole numbers are written as such.
        scores: added to each text as ``score`` when given.
        delimiter: between path and JSON.

    Raises:
        LabelError: if the name holds the delimiter or a line break (the line could not be read back).
    """
    if delimiter in name or "\n" in name or "\r" in name:
        raise LabelError(f"{name!r}: a picture path in a label file must not hold {delimiter!r} or a line break")
    entries: list[dict[str, Any]] = []
    for i, (text, polygon) in enumerate(zip(texts, polygons, strict=False)):
        points = np.asarray(polygon)
        if not np.issubdtype(points.dtype, np.integer):
            points = points.astype(np.float64)  # a float32 rounded to 2 digits is not what JSON would show
        whole = np.issubdtype(points.dtype, np.integer) or bool((points == np.round(points)).all())
        entry: dict[str, Any] = {
            "transcription": text,
            "points": points.astype(int).tolist() if whole else np.round(points, 2).tolist(),
        }
        if scores is not None:
            entry["score"] = round(float(scores[i]), 6)
        entries.append(entry)
    return f"{name}{delimiter}{json.dumps(entries, ensure_ascii=False)}"
