"""labelme: one JSON file a picture, with ``imagePath`` and ``shapes`` of ``label``, ``points``, ``shape_type``.

The label is the transcription. Polygons are read, rectangles (two opposite corners, or four), and the turned rectangles
of labelme's relatives; other shapes are reported. labelme itself has no don't-care: here it is a shape with a flag
named difficult, ignore or illegible, or the label ``###`` or ``*``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from ppocr_pse.data.formats.json_files import JSON_NAMES, box_corners, field_of, load_json
from ppocr_pse.data.formats.picture_folder import first_existing
from ppocr_pse.data.formats.records import Item, Reading, Text, each_picture, make_text, picture_items
from ppocr_pse.data.formats.sources import Source
from ppocr_pse.data.formats.writing import (
    Written,
    marked_texts,
    open_target,
    picture_size,
    plain_numbers,
    relative_name,
)
from ppocr_pse.data.labels import DONT_CARE, LabelError
from ppocr_pse.types import Annotation

IGNORE_FLAGS = ("difficult", "ignore", "illegible")
_POLYGONS = ("polygon", "rotation", "quadrilateral")


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read annotations, picture by picture.

    Args:
        labels: folder or zip of JSON files, or one such file.
        data_dir: where pictures are looked for by ``imagePath``, then by its file name; then beside the JSON file.

    Raises:
        LabelError: if there is nothing of this format.
    """

    def items(source: Source, match: re.Match[str]) -> Iterator[Item]:
        loaded = load_json(source)
        # written on Windows, it holds backslashes
        name = PureWindowsPath(field_of(loaded, "imagePath", str)).as_posix()
        beside = Path(source.place).parent / name
        image = first_existing([data_dir / name, data_dir / Path(name).name, beside])
        reading = Reading([], [])
        for index, shape in enumerate(field_of(loaded, "shapes", list)):
            try:
                reading.texts.append(_read_shape(shape))
            except LabelError as error:
                reading.faults.append(LabelError(f"{source.place}:shapes[{index}]: {error}; this text is left out"))
        return picture_items(image, reading, f"{source.place}:1")

    return each_picture(labels, JSON_NAMES, "NAME.json", items)


def _read_shape(shape: Any) -> Text:
    points = field_of(shape, "points", list)
    label = str(shape.get("label") or "")
    flags = shape.get("flags") or {}
    ignored = label in DONT_CARE or any(isinstance(flags, dict) and flags.get(flag) for flag in IGNORE_FLAGS)
    kind = shape.get("shape_type") or "polygon"  # labelme before version 3.5 knew polygons only
    if kind == "rectangle" and len(points) == 2:
        try:
            corners = np.array(points, np.float64)
        except (TypeError, ValueError):
            corners = np.empty(0)
        if corners.shape != (2, 2):
            raise LabelError(f"points are {str(points)[:60]}, expected [[x1, y1], [x2, y2]]")
        points = box_corners(*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    elif kind not in (*_POLYGONS, "rectangle"):
        raise LabelError(f"shape_type is {kind!r}, expected polygon or rectangle")
    return make_text(points, label, ignored)


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write one JSON file a picture; don't-care texts keep their transcription and take the flag ``difficult``.

    Args:
        annotations: what to write.
        target: a folder, or a file that ends in ``.zip``.
        data_dir: ``imagePath`` is relative to it; pictures are opened for their sizes.
        fit: of no consequence here: every polygon fits.
    """
    written = Written()
    taken: dict[str, str] = {}
    with open_target(target) as put:
        for annotation in annotations:
            stem = annotation.image.stem
            try:
                if stem in taken:
                    raise LabelError(f"a picture named {stem} is there already (of {taken[stem]})")
                height, width = picture_size(annotation.image)
            except LabelError as error:
                written.problems.append(f"{annotation.source}: {error}; the picture is left out")
                continue
            taken[stem] = annotation.source
            texts = marked_texts(annotation, None, DONT_CARE.__contains__, written)
            path = relative_name(annotation.image, data_dir)
            loaded = document([_shape(text) for text in texts], path, (height, width))
            put(f"{stem}.json", json.dumps(loaded, ensure_ascii=False, indent=2) + "\n")
            written.add(texts)
    return written


def document(shapes: Sequence[dict[str, Any]], image_path: str, size: tuple[int, int]) -> dict[str, Any]:
    """The content of a JSON file.

    Args:
        shapes: each as :func:`shape` makes it.
        image_path: of the picture, from the JSON file's folder.
        size: (height, width) of the picture in pixels.
    """
    return {
        "version": "5.0.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }


def shape(label: str, points: list[list[Any]], flags: dict[str, bool]) -> dict[str, Any]:
    """A polygon."""
    return {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": flags}


def _shape(text: Text) -> dict[str, Any]:
    return shape(text.transcription, plain_numbers(text.polygon), {"difficult": text.ignored})
