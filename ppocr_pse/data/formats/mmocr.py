"""MMOCR 1.x annotation files ``textdet_*.json`` (``textspotting_*.json`` too).

``{"metainfo": {...}, "data_list": [{"img_path", "height", "width", "instances": [{"polygon": [x1, y1, ...], "bbox":
[x1, y1, x2, y2], "bbox_label": 0, "ignore": bool, "text": ...}]}]}``. Don't-care is ``ignore``. An instance without a
polygon is its bbox. Transcriptions are in textspotting files only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ppocr_pse.data.formats.json_files import JSON_NAMES, box_corners, field_of, flat_points, load_json, write_list
from ppocr_pse.data.formats.records import Item, Reading, Text, each_picture, make_text, picture_items
from ppocr_pse.data.formats.sources import Source
from ppocr_pse.data.formats.writing import Written, open_file, picture_size, plain_numbers, relative_name, texts_of
from ppocr_pse.data.labels import LabelError
from ppocr_pse.types import Annotation

_HEAD = (
    '{"metainfo": {"dataset_type": "TextDetDataset", "task_name": "textdet", '
    '"category": [{"id": 0, "name": "text"}]},\n"data_list": '
)


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read an annotation file, picture by picture.

    Args:
        labels: the JSON file (or a zip of such files).
        data_dir: MMOCR's data_root, from which ``img_path`` starts.

    Raises:
        LabelError: if there is nothing of this format.
    """

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        for index, picture in enumerate(field_of(load_json(source), "data_list", list)):
            place = f"{source.place}:data_list[{index}]"
            try:
                name = field_of(picture, "img_path", str)
                reading = _read_instances(field_of(picture, "instances", list), place)
            except LabelError as error:
                yield LabelError(f"{place}: {error}; this picture is left out")
                continue
            yield from picture_items(data_dir / name, reading, place)

    return each_picture(labels, JSON_NAMES, "a JSON file", items)


def _read_instances(instances: list[Any], place: str) -> Reading:
    reading = Reading([], [])
    for index, instance in enumerate(instances):
        try:
            reading.texts.append(_read_instance(instance))
        except LabelError as error:
            reading.faults.append(LabelError(f"{place}: instances[{index}]: {error}; this text is left out"))
    return reading


def _read_instance(instance: Any) -> Text:
    ignored = field_of(instance, "ignore", (bool, int))
    transcription = str(instance.get("text", ""))
    if "polygon" in instance:
        return make_text(flat_points(field_of(instance, "polygon", list), "polygon"), transcription, bool(ignored))
    corners = flat_points(field_of(instance, "bbox", list), "bbox").ravel().tolist()
    if len(corners) != 4:
        raise LabelError(f"bbox is {corners}, expected [x1, y1, x2, y2]")
    return make_text(box_corners(*corners), transcription, bool(ignored))


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write a ``textdet_*.json`` file, with transcriptions as ``text``.

    Args:
        annotations: what to write.
        target: the file.
        data_dir: ``img_path`` is relative to it; pictures are opened for their sizes.
        fit: of no consequence here: every polygon fits.
    """
    written = Written()

    def entries() -> Iterator[dict[str, Any]]:
        for annotation in annotations:
            try:
                height, width = picture_size(annotation.image)
            except LabelError as error:
                written.problems.append(f"{annotation.source}: {error}; the picture is left out")
                continue
            texts = texts_of(annotation)
            written.add(texts)
            yield {
                "img_path": relative_name(annotation.image, data_dir),
                "height": height,
                "width": width,
                "instances": [_instance(text) for text in texts],
            }

    with open_file(target) as file:
        file.write(_HEAD)
        write_list(file, entries())
        file.write("}\n")
    return written


def _instance(text: Text) -> dict[str, Any]:
    points = plain_numbers(text.polygon)
    xs, ys = zip(*points)
    return {
        "polygon": [value for point in points for value in point],
        "bbox": [min(xs), min(ys), max(xs), max(ys)],
        "bbox_label": 0,
        "ignore": text.ignored,
        "text": text.transcription,
    }
