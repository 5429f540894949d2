"""Each text as a picture of its own, upright, and a list of them that a recogniser's label file can begin with.

The pictures are ``crops/STEM/0001.png``, ... in the order of the detections. A line of ``NAME_crops.txt`` is
``PATH<TAB>text<TAB>picture<TAB>points<TAB>score``: the path from the folder of the list; the text, which is empty, to
be filled in; then where it comes from. PaddleOCR's recognition data sets read the first two columns.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from ppocr_pse.data.line_names import written_name
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.appended import AppendedFile, Entry
from ppocr_pse.outputs.base import CROPS, Order, Output, OutputOptions, Place, Standing, size_of, write_whole
from ppocr_pse.outputs.rectify import rectify
from ppocr_pse.outputs.streams import texts_of
from ppocr_pse.visualize import encode_image

NUMBERED = re.compile(r"([0-9]{4,})\.png")


class Crops(Output):
    """The pictures of texts, and the list of them."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self.folder = place.folder("crops")
        self.names = place.names
        self.list = AppendedFile(place.file(CROPS), parse_crop)

    def clear(self) -> None:
        """Begin with an empty list; the pictures go when their picture is done again."""
        self.list.clear()

    def standing(self, done: Standing) -> Standing:
        """Those whose texts are all in the list and in the folder."""
        listed = self.list.entries()
        return {
            name: finished
            for name, finished in done.items()
            if listed.get(name, 0) == finished.texts
            and (finished.path is None or self._whole(finished.path, finished.page, finished.texts))
        }

    def keep(self, done: Standing, order: Order) -> None:
        """Cut the list."""
        self.list.keep(done, order)

    def save(self, result: PictureResult) -> None:
        """Write the crops of a picture, and remove those that an earlier run found more."""
        image, folder = result.bgr, self._folder(result.path, result.page)
        assert image is not None
        polygons = result.detections.polygons
        for number, polygon in enumerate(polygons, 1):
            write_whole(folder / crop_name(number), encode_image(".png", rectify(image, polygon)))
        if folder.is_dir():
            numbered = ((NUMBERED.fullmatch(file.name), file) for file in folder.iterdir())
            for found, file in list(numbered):
                if found and int(found[1]) > len(polygons):
                    file.unlink(missing_ok=True)
            if not polygons:
                with contextlib.suppress(OSError):  # something else lies there
                    folder.rmdir()

    def add(self, result: PictureResult) -> None:
        """Append the crops of a picture to the list."""
        if size_of(result) is None:
            return
        folder = Path(self.folder.name, self.names.sidecar(result.path, result.page, ""))
        lines = [
            f"{written_name(folder / crop_name(number))}\t\t{written_name(result.name)}\t{json.dumps(text['points'])}"
            f"\t{text['score']}\n"
            for number, text in enumerate(texts_of(result), 1)
        ]
        self.list.append("".join(lines))

    def close(self) -> None:
        """Close the list."""
        self.list.close()

    def _folder(self, path: Path, page: int) -> Path:
        return self.folder / self.names.sidecar(path, page, "")

    def _whole(self, path: Path, page: int, texts: int) -> bool:
        """Whether all crops of a picture are there."""
        folder = self._folder(path, page)
        there = {file.name for file in folder.iterdir()} if texts and folder.is_dir() else set()
        return all(crop_name(number) in there for number in range(1, texts + 1))


def crop_name(number: int) -> str:
    """File name of a crop, counted from 1."""
    return f"{number:04d}.png"


def parse_crop(line: str) -> Entry:
    """The picture that a line of the list is of.

    Raises:
        ValueError: if it is no such line.
    """
    fields = line.split("\t")
    if len(fields) != 5:
        raise ValueError("expected five columns")
    return Entry(fields[2], 1)
