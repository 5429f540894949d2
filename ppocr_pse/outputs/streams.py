r"""The two files that a run writes picture by picture: PaddleOCR's lines, and JSON Lines.

``lines``: ``PATH<TAB>[{"transcription": "", "points": [[x, y], ...], "score": s}, ...]`` for each picture that could be
read; the path as :mod:`ppocr_pse.data.line_names` writes it.

``jsonl``: one object a picture. ``{"file": "a.jpg", "page": 0, "width": 640, "height": 480, "detections": [{"points":
[[x, y], ...], "score": s}, ...]}``; ``page`` counts from 1 in a file of several pictures. A picture that could not be
read has ``file``, ``page`` and ``error`` only; one that lacks its end has ``error`` beside its detections. Bytes of the
path that are no UTF-8 are ``\udcXX`` (Python's surrogateescape).
"""

from __future__ import annotations

import json
from typing import Any

from ppocr_pse.data.labels import format_label_line
from ppocr_pse.data.line_names import page_name, written_name
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.appended import AppendedFile, Entry
from ppocr_pse.outputs.base import JSON_LINES, Order, Output, OutputOptions, Place, Standing, size_of


class Stream(Output):
    """An output that is one appended file."""

    def __init__(self, file: AppendedFile) -> None:
        self.file = file

    def clear(self) -> None:
        """Begin with an empty file."""
        self.file.clear()

    def standing(self, done: Standing) -> Standing:
        """Those with as many texts here as in the lines."""
        entries = self.file.entries()
        return {name: finished for name, finished in done.items() if entries.get(name) == finished.texts}

    def keep(self, done: Standing, order: Order) -> None:
        """Cut the file."""
        self.file.keep(done, order)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Lines(Stream):
    """PaddleOCR's lines, the file by which a run is known; written last."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        super().__init__(AppendedFile(place.results, parse_line))

    def add(self, result: PictureResult) -> None:
        """Append the line of a picture that could be read."""
        if size_of(result) is not None:
            found = result.detections
            name = written_name(result.name)
            line = format_label_line(name, [""] * len(found), found.polygons, found.scores.tolist())
            self.file.append(line + "\n")


class JsonLines(Stream):
    """JSON Lines, with the sizes of the pictures, and with those that could not be read."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        super().__init__(AppendedFile(place.file(JSON_LINES), parse_record))

    def add(self, result: PictureResult) -> None:
        """Append the object of a picture."""
        record = record_of(result)
        plain = written_name(record["file"]) == record["file"]  # others may hold what UTF-8 or a line cannot
        self.file.append(json.dumps(record, ensure_ascii=not plain) + "\n")


def record_of(result: PictureResult) -> dict[str, Any]:
    """What JSON Lines say about a picture."""
    record: dict[str, Any] = {"file": str(result.path), "page": result.page}
    size = size_of(result)
    if size is not None:
        record |= {"width": size[1], "height": size[0], "detections": texts_of(result)}
    return record | ({"error": one_line(result.error)} if result.error else {})


def texts_of(result: PictureResult) -> list[dict[str, Any]]:
    """``points`` in whole pixels and ``score``, rounded as in lines, of each text."""
    return [
        {"points": polygon.tolist(), "score": round(float(score), 6)}
        for polygon, score in zip(result.detections.polygons, result.detections.scores, strict=True)
    ]


def one_line(text: str) -> str:
    """A message without line breaks, in characters that UTF-8 has."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def parse_line(line: str) -> Entry:
    """The picture of one of PaddleOCR's lines.

    Raises:
        ValueError: if it is no such line.
    """
    name, tab, texts = line.partition("\t")
    found = json.loads(texts)
    if not tab or not isinstance(found, list):
        raise ValueError("expected PATH<TAB>[...]")
    return Entry(name, len(found))


def parse_record(line: str) -> Entry:
    """The picture of a line of JSON Lines.

    Raises:
        ValueError: if it is no such line.
    """
    record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("file"), str):
        raise ValueError('expected an object with "file"')
    name = written_name(page_name(record["file"], int(record.get("page", 0))))
    return Entry(name, len(record["detections"]) if "detections" in record else -1)
