"""Outputs that are one file a picture: drawn pictures, ICDAR text files, labelme's JSON files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ppocr_pse.data.formats.labelme import document, shape
from ppocr_pse.data.submission import LINE_ENDS, SUBMISSION_FORMS
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.base import Output, OutputError, OutputOptions, Place, Standing, size_of, write_whole
from ppocr_pse.visualize import draw_detections, encode_image


class EachPicture(Output):
    """One file a picture; which one and what is in it is said by the kinds below."""

    def file_of(self, path: Path, page: int) -> Path:
        """The file of a picture."""
        raise NotImplementedError

    def content(self, result: PictureResult) -> bytes:
        """What is to stand in it; the picture could be read."""
        raise NotImplementedError

    def standing(self, done: Standing) -> Standing:
        """Those whose file is there."""
        return {
            name: finished
            for name, finished in done.items()
            if finished.path is None or self.file_of(finished.path, finished.page).exists()
        }

    def save(self, result: PictureResult) -> None:
        """Write the file."""
        write_whole(self.file_of(result.path, result.page), self.content(result))


class Drawn(EachPicture):
    """The pictures with their texts outlined, under their own names where such a format can be written."""

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self._folder, self._names = place.results.parent, place.names
        self._prefix, self._scores = options.drawn, options.scores
        if Path(self._folder, self._prefix).resolve() == place.names.root.resolve():
            raise OutputError(
                f"{Path(self._folder, self._prefix)}: the drawn pictures would replace the pictures that are "
                "searched; give the results another folder"
            )

    def file_of(self, path: Path, page: int) -> Path:
        """Its own name, ``NAME.gif.png`` or ``NAME.tif#page=2.png``."""
        return self._folder / self._names.drawn(path, page, self._prefix)

    def content(self, result: PictureResult) -> bytes:
        """The picture, in the format that its name says."""
        assert result.bgr is not None
        ending = self.file_of(result.path, result.page).suffix
        return encode_image(ending, draw_detections(result.bgr, result.detections, self._scores))


class Icdar(EachPicture):
    """``x1,y1,x2,y2,x3,y3,x4,y4[,score]``, a line a text, as the Robust Reading Competition has it.

    Corners run clockwise; a polygon with another number of points becomes the rectangle of least area.
    """

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self._folder, self._names, self._scores = place.folder("icdar"), place.names, options.scores

    def file_of(self, path: Path, page: int) -> Path:
        """``STEM.txt``."""
        return self._folder / self._names.sidecar(path, page, ".txt")

    def content(self, result: PictureResult) -> bytes:
        """The lines; none for a picture without text."""
        form = SUBMISSION_FORMS["rrc"]
        lines = []
        for polygon, score in zip(result.detections.polygons, result.detections.scores.tolist(), strict=True):
            fields = [*map(str, form.outline(polygon).ravel().tolist()), *([f"{score:.6f}"] if self._scores else [])]
            lines.append(",".join(fields) + LINE_ENDS[form.line_end])
        return "".join(lines).encode("ascii")


class Labelme(EachPicture):
    """One JSON file a picture, which labelme opens with the picture: for people who correct the outlines.

    Each text is a polygon labelled ``text``; its ``score`` is a key of the shape, which labelme keeps when it saves.
    ``imagePath`` leads from the JSON file to the picture. The ``page`` of a file of several is a key of the document.
    """

    def __init__(self, place: Place, options: OutputOptions) -> None:
        self._folder, self._names = place.folder("labelme"), place.names

    def file_of(self, path: Path, page: int) -> Path:
        """``STEM.json``."""
        return self._folder / self._names.sidecar(path, page, ".json")

    def content(self, result: PictureResult) -> bytes:
        """The document."""
        size, found = size_of(result), result.detections
        assert size is not None
        shapes = [
            shape("text", polygon.tolist(), {}) | {"score": round(score, 6)}
            for polygon, score in zip(found.polygons, found.scores.tolist(), strict=True)
        ]
        path = Path(os.path.relpath(result.path, self.file_of(result.path, result.page).parent)).as_posix()
        loaded = document(shapes, path, size) | ({"page": result.page} if result.page else {})
        escaped = not path.isprintable()  # bytes that are no UTF-8 among them
        return (json.dumps(loaded, ensure_ascii=escaped, indent=2) + "\n").encode("utf-8")
