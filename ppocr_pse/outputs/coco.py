"""One COCO document of the whole run: ``images``, ``annotations``, ``categories``.

It is a data set as programs that read COCO expect it: to look at detections, or to correct them. Each annotation has
a ``score`` besides, so the list under ``annotations`` is what ``COCO.loadRes`` of pycocotools takes, once ``image_id``
are those of the ground truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.formats.json_files import write_list
from ppocr_pse.data.line_names import page_name
from ppocr_pse.outputs.base import COCO, JSON_LINES, Output, OutputError, OutputOptions, Place, whole_file
from ppocr_pse.polygons import area


class Coco(Output):
    """The document, made of ``NAME.jsonl`` when that is complete."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self.file = place.file(COCO)
        self._records = place.file(JSON_LINES)

    def clear(self) -> None:
        """Remove the document of an earlier run."""
        self.file.unlink(missing_ok=True)

    def close(self) -> None:
        """Make the document."""
        try:
            write_coco(self._records, self.file)
        except OSError as error:
            raise OutputError(
                f"{self.file}: cannot write ({error.strerror or error}); {self._records}, of which it is made, is "
                "complete: make room, then run again with --resume"
            ) from None


def write_coco(records: Path, target: Path) -> None:
    """Make a COCO document of JSON Lines, in memory for one picture at a time.

    ``file_name`` is the path as it was given, ``PATH#page=N`` for pages. Images and annotations are numbered from 1;
    the one category, 1, is ``text``. ``segmentation`` is the outline, ``bbox`` [x, y, width, height], all in pixels.

    Args:
        records: what the output ``jsonl`` wrote; pictures that could not be read are left out.
        target: the document, which takes its name when it is complete.

    Raises:
        OSError: if a file cannot be read or written.
    """
    # a byte that is no UTF-8 is held as a surrogate; with backslashreplace it becomes \udcXX, as JSON writes it
    with (
        whole_file(target) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream,
    ):
        stream.write('{"info": {"description": "text detected by ppocr_pse"},\n"images": ')
        write_list(stream, (_image(number, record) for number, record in _pictures(records)))
        stream.write(',\n"annotations": ')
        write_list(stream, _annotations(records))
        stream.write(',\n"categories": [{"id": 1, "name": "text", "supercategory": "text"}]}\n')


def _pictures(records: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    with records.open("rb") as stream:
        for line in stream:
            record = json.loads(line)
            if "detections" in record:
                number += 1
                yield number, record


def _image(number: int, record: dict[str, Any]) -> dict[str, Any]:
    name = page_name(record["file"], record["page"])
    return {"id": number, "file_name": name, "width": record["width"], "height": record["height"]}


def _annotations(records: Path) -> Iterator[dict[str, Any]]:
    count = 0
    for number, record in _pictures(records):
        for text in record["detections"]:
            count += 1
            points = np.array(text["points"], np.float64)
            low, extent = points.min(axis=0), np.ptp(points, axis=0)
            yield {
                "id": count,
                "image_id": number,
                "category_id": 1,
                "segmentation": [[value for point in text["points"] for value in point]],
                "bbox": [*low.tolist(), *extent.tolist()],
                "area": area(points),
                "iscrowd": 0,
                "score": text["score"],
            }
