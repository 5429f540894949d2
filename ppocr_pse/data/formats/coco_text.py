"""COCO-Text: one JSON file with ``imgs``, ``anns`` and ``imgToAnns`` (version 1 and 2).

The outline is ``mask`` (version 2) or ``polygon`` (version 1), flat; an annotation with neither is its ``bbox``, which
is [x, y, width, height]. Don't-care is ``legibility`` illegible, whatever the text; ``utf8_string`` may be missing.
The file holds all sets: ``FILE.json#train``, ``#val`` or ``#test`` reads the pictures of one, ``FILE.json`` of all.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_pse.data.formats.json_files import JSON_NAMES, box_corners, field_of, flat_points, load_json
from ppocr_pse.data.formats.records import Item, Reading, Text, each_picture, make_text, picture_items
from ppocr_pse.data.formats.sources import Source
from ppocr_pse.data.formats.writing import Written, open_file, picture_size, plain_numbers, relative_name, texts_of
from ppocr_pse.data.labels import LabelError
from ppocr_pse.polygons import area
from ppocr_pse.types import Annotation

SETS = ("train", "val", "test")
LEGIBILITY = {"legible": False, "illegible": True}


def split_set(labels: Path) -> tuple[Path, str | None]:
    """``FILE.json#val`` as file and set; the set is None when there is none.

    Raises:
        LabelError: if there is no such set.
    """
    name, mark, chosen = labels.name.rpartition("#")
    if not mark or labels.exists():
        return labels, None
    if chosen not in SETS:
        raise LabelError(f"{labels}: unknown set {chosen!r}, expected one of {', '.join(SETS)} after #")
    return labels.with_name(name), chosen


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read an annotation file, picture by picture; the file itself is loaded as a whole.

    Args:
        labels: the JSON file (or a zip with it); ``#SET`` after it chooses a set.
        data_dir: folder of the pictures (COCO's train2014: all sets are in it).

    Raises:
        LabelError: if there is nothing of this format.
    """
    file, chosen = split_set(labels)

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        loaded = load_json(source)
        annotations = _by_picture(field_of(loaded, "anns", dict))
        for key, picture in field_of(loaded, "imgs", dict).items():
            place = f"{source.place}:imgs[{key}]"
            try:
                name = field_of(picture, "file_name", str)
                if chosen is not None and field_of(picture, "set", str) != chosen:
                    continue
            except LabelError as error:
                yield LabelError(f"{place}: {error}; this picture is left out")
                continue
            yield from picture_items(data_dir / name, _read_texts(annotations.pop(key, []), source.place), place)
        for key, strays in annotations.items() if chosen is None else ():
            yield LabelError(f"{source.place}:imgs: no picture {key}; its {len(strays)} texts are left out")

    return each_picture(file, JSON_NAMES, "a JSON file", items)


def _by_picture(annotations: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Annotations of each picture, in file order; ``imgToAnns`` says the same, but is not in every version."""
    found = defaultdict(list)
    for key, entry in annotations.items():
        picture = entry.get("image_id") if isinstance(entry, dict) else None
        found[str(picture)].append((key, entry))
    return dict(found)


def _read_texts(entries: list[tuple[str, Any]], place: str) -> Reading:
    reading = Reading([], [])
    for key, entry in entries:
        try:
            reading.texts.append(_read_text(entry))
        except LabelError as error:
            reading.faults.append(LabelError(f"{place}:anns[{key}]: {error}; this text is left out"))
    return reading


def _read_text(entry: dict[str, Any]) -> Text:
    legibility = field_of(entry, "legibility", str)
    if legibility not in LEGIBILITY:
        raise LabelError(f"legibility is {legibility!r}, expected legible or illegible")
    outline = next((key for key in ("mask", "polygon") if key in entry), None)
    if outline is not None:
        points: Any = flat_points(field_of(entry, outline, list), outline)
    else:
        box = flat_points(field_of(entry, "bbox", list), "bbox").ravel().tolist()
        if len(box) != 4:
            raise LabelError(f"bbox is {box}, expected [x, y, width, height]")
        points = box_corners(box[0], box[1], box[0] + box[2], box[1] + box[3])
    return make_text(points, str(entry.get("utf8_string", "")), LEGIBILITY[legibility])


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write a file of version 2; don't-care texts keep their transcription and become illegible.

    Args:
        annotations: what to write.
        target: the file; ``#SET`` after it says which set the pictures are of, train if it is left out.
        data_dir: ``file_name`` is relative to it; pictures are opened for their sizes.
        fit: of no consequence here: every polygon fits.
    """
    file, chosen = split_set(target)
    written = Written()
    pictures: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    of_picture: dict[str, list[int]] = {}
    for annotation in annotations:
        try:
            height, width = picture_size(annotation.image)
        except LabelError as error:
            written.problems.append(f"{annotation.source}: {error}; the picture is left out")
            continue
        number = len(pictures) + 1
        pictures[str(number)] = {
            "id": number,
            "set": chosen or "train",
            "width": width,
            "height": height,
            "file_name": relative_name(annotation.image, data_dir),
        }
        of_picture[str(number)] = []
        kept = texts_of(annotation)
        written.add(kept)
        for text in kept:
            texts[str(len(texts) + 1)] = _entry(text, number, len(texts) + 1)
            of_picture[str(number)].append(len(texts))
    with open_file(file) as stream:
        document = {"cats": {}, "anns": texts, "imgs": pictures, "imgToAnns": of_picture, "info": {"version": "2"}}
        json.dump(document, stream, ensure_ascii=False)
        stream.write("\n")
    return written


def _entry(text: Text, picture: int, number: int) -> dict[str, Any]:
    points = plain_numbers(text.polygon)
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    return {
        "id": number,
        "image_id": picture,
        "mask": [value for point in points for value in point],
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": area(text.polygon),
        "legibility": "illegible" if text.ignored else "legible",
        "utf8_string": text.transcription,
    }
