"""COCO documents put together: pictures and texts numbered anew, none of the documents loaded as a whole."""

from __future__ import annotations

import json
import mmap
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ppocr_pse.outputs.merge_index import Index, Place, Slices
from ppocr_pse.outputs.merge_records import Record, Report, digest_of, order_of, read_elements


class CocoMerge:
    """Collects what documents hold, then writes one.

    Args:
        index: takes note of where pictures and texts stand.
        slices: reads them.
        report: is told faults.
    """

    def __init__(self, index: Index, slices: Slices, report: Report) -> None:
        self._index = index
        self._slices = slices
        self._report = report
        self._heads: dict[int, tuple[Path, dict[str, Any]]] = {}

    def collect(self, kind: int, run: int, file: Path) -> None:
        """Note what a document holds; one that cannot be used is reported and left out as a whole."""
        head: dict[str, Any] = {"categories": []}
        try:
            with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                for element in read_elements(content):
                    value = json.loads(content[element.start : element.start + element.length])
                    if element.member == "images" and element.number:
                        key, page = order_of(value["file_name"])
                        record = Record(key, page, element.number, element.start, element.length, b"", False)
                        self._index.add(kind, run, record)
                        self._index.add_id(kind, run, str(value["id"]))
                    elif element.member == "annotations" and element.number:
                        self._index.add_text(kind, run, str(value["image_id"]), element.start, element.length)
                    elif element.number:
                        head.setdefault(element.member, []).append(value)
                    elif element.member not in ("images", "annotations", "categories"):
                        head[element.member] = value
            self._add_head(kind, file, head)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self._report(f"{file}: this is no COCO document that can be used: {what}; left out as a whole")
            self._index.forget(kind, run)
            return
        for picture in self._index.strays(kind, run):
            self._report(f"{file}: texts of a picture {picture}, which is not among the images; they are left out")

    def digest(self, kind: int, place: Place, file: Path) -> bytes:
        """What a document says about a picture, whatever the numbers in it."""
        picture, texts = self._read(kind, place, file)
        for text in texts:
            del text["image_id"]
            text.pop("id", None)
        del picture["id"]
        return digest_of([picture, texts])

    def write(
        self, kind: int, chosen: Iterable[tuple[bytes, int, Place]], files: Mapping[int, Path], target: Path
    ) -> int:
        """Write a document.

        Args:
            kind: of the documents.
            chosen: key, page and place of each picture.
            files: run -> document.
            target: for the new one.

        Returns:
            Pictures written.
        """
        pictures = count = 0
        behind = target.with_name(f"{target.name}-texts")
        with target.open("w", encoding="utf-8") as stream, behind.open("w+", encoding="utf-8") as later:
            head = dict(self._heads[kind][1]) if kind in self._heads else {"categories": []}
            stream.write("{" + "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()))
            stream.write('"images": [')
            for _, _, place in chosen:
                picture, texts = self._read(kind, place, files[place.run])
                picture["id"] = pictures + 1
                stream.write(",\n" * (pictures > 0) + json.dumps(picture))
                for text in texts:
                    text["image_id"] = pictures + 1
                    text["id"] = count + 1
                    later.write(",\n" * (count > 0) + json.dumps(text))
                    count += 1
                pictures += 1
            stream.write('],\n"annotations": [')
            later.seek(0)
            shutil.copyfileobj(later, stream)
            stream.write("]}\n")
        return pictures

    def _read(self, kind: int, place: Place, file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A picture and its texts."""
        picture = json.loads(self._slices.read(file, place.start, place.length))
        parts = self._index.texts(kind, place.run, str(picture["id"]))
        return picture, [json.loads(self._slices.read(file, start, length)) for start, length in parts]

    def _add_head(self, kind: int, file: Path, head: dict[str, Any]) -> None:
        """Keep what is neither picture nor text of the first document; categories must be the same in all."""
        first, known = self._heads.setdefault(kind, (file, head))
        if known["categories"] != head["categories"]:
            raise ValueError(f"its categories are not those of {first}")
