"""What the writers share: don't-care marks, names and sizes of pictures, whole files or none, and counts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from ppocr_pse.data.formats.records import Text
from ppocr_pse.data.labels import LabelError
from ppocr_pse.types import Annotation, Polygon


@dataclass
class Written:
    """How much was written.

    Attributes:
        pictures: how many.
        texts: of all of them.
        ignored: don't-care texts among them.
        problems: a message for each picture, text or transcription that was left out.
    """

    pictures: int = 0
    texts: int = 0
    ignored: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, texts: Iterable[Text]) -> None:
        """Count one picture."""
        self.pictures += 1
        for text in texts:
            self.texts += 1
            self.ignored += text.ignored


def texts_of(annotation: Annotation) -> list[Text]:
    """The texts of a picture, one by one."""
    return [
        Text(polygon, transcription, bool(ignored))
        for polygon, transcription, ignored in zip(
            annotation.polygons, annotation.texts, annotation.ignored.tolist(), strict=True
        )
    ]


def marked_texts(
    annotation: Annotation, mark: str | None, is_mark: Callable[[str], bool], written: Written
) -> list[Text]:
    """The texts of a picture for a format in which some transcriptions mean don't-care.

    A don't-care text takes the mark, unless it is None (the format has another way to say it). A text that counts but
    reads like a mark (``*`` of ICDAR2015 in PaddleOCR's format) loses its transcription, which is reported: it must not
    become don't-care.
    """
    texts = []
    for number, text in enumerate(texts_of(annotation), 1):
        if text.ignored and mark is not None and not is_mark(text.transcription):
            text = text._replace(transcription=mark)
        elif not text.ignored and is_mark(text.transcription):
            written.problems.append(
                f"{annotation.source}: text {number}: it counts, but {text.transcription!r} means don't-care in the "
                "format to write; its transcription is left out"
            )
            text = text._replace(transcription="")
        texts.append(text)
    return texts


def write_each(
    annotations: Iterable[Annotation],
    target: Path,
    file_name: Callable[[str], str],
    line_of: Callable[[Text], str],
    mark: str,
    is_mark: Callable[[str], bool],
) -> Written:
    """Write one file a picture, one line a text, into a folder or a zip.

    Args:
        annotations: what to write.
        target: a folder, or a file that ends in ``.zip``.
        file_name: makes it of the picture's name without ending.
        line_of: makes a line of a text, or raises LabelError.
        mark: transcription of a don't-care text.
        is_mark: tells such transcriptions.
    """
    written = Written()
    taken: dict[str, str] = {}
    with open_target(target) as put:
        for annotation in annotations:
            stem = annotation.image.stem
            if stem in taken:
                written.problems.append(f"{annotation.source}: {_same_name(stem, taken[stem])}")
                continue
            taken[stem] = annotation.source
            lines, kept = [], []
            for number, text in enumerate(marked_texts(annotation, mark, is_mark, written), 1):
                try:
                    lines.append(line_of(text) + "\n")
                    kept.append(text)
                except LabelError as error:
                    written.problems.append(f"{annotation.source}: text {number}: {error}; this text is left out")
            put(file_name(stem), "".join(lines))
            written.add(kept)
    return written


def _same_name(name: str, first: str) -> str:
    return f"a picture named {name} is there already (of {first}), and the format has names only; it is left out"


def unique_names(annotations: Iterable[Annotation], written: Written) -> Iterator[Annotation]:
    """Leave out pictures whose file name came already, for formats that have file names only."""
    taken: dict[str, str] = {}
    for annotation in annotations:
        name = annotation.image.name
        if name in taken:
            written.problems.append(f"{annotation.source}: {_same_name(name, taken[name])}")
            continue
        taken[name] = annotation.source
        yield annotation


def relative_name(image: Path, data_dir: Path) -> str:
    """The picture's path from the folder of the pictures, with ``/``; absolute when it lies elsewhere."""
    try:
        return image.relative_to(data_dir).as_posix()
    except ValueError:
        return image.absolute().as_posix()


def picture_size(image: Path) -> tuple[int, int]:
    """Height and width of a picture as it is decoded for training, EXIF orientation honoured.

    Raises:
        LabelError: if it cannot be read.
    """
    needed = "the format holds the picture's size"
    try:
        content = np.fromfile(image, np.uint8)
    except OSError as error:
        raise LabelError(f"{needed}, but {image} cannot be read ({error.strerror})") from None
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if decoded is None:
        raise LabelError(f"{needed}, but {image} cannot be decoded")
    return int(decoded.shape[0]), int(decoded.shape[1])


def whole_numbers(polygon: Polygon) -> list[int]:
    """``x1, y1, x2, y2, ...`` rounded to whole pixels."""
    return np.rint(polygon).astype(int).ravel().tolist()


def plain_numbers(polygon: Polygon) -> list[list[float]]:
    """``[[x1, y1], ...]`` for JSON: whole numbers as such, others as short as float32 allows."""
    return [[int(v) if float(v).is_integer() else float(str(v)) for v in point] for point in polygon]


def one_line(transcription: str) -> str:
    """A transcription that fits on a line.

    Raises:
        LabelError: if it holds a line break.
    """
    if "\n" in transcription or "\r" in transcription:
        raise LabelError(f"the transcription {transcription!r} holds a line break")
    return transcription


@contextmanager
def open_target(target: Path) -> Iterator[Callable[[str, str], None]]:
    """A folder or a zip to put text files into; the zip takes its name only when it is complete."""
    if target.suffix.lower() != ".zip":
        target.mkdir(parents=True, exist_ok=True)

        def put_file(name: str, content: str) -> None:
            (target / name).write_text(content, encoding="utf-8", newline="\n")

        yield put_file
        return
    with _unfinished(target) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        yield archive.writestr


@contextmanager
def open_file(target: Path) -> Iterator[TextIO]:
    """A text file that takes its name only when it is complete."""
    with _unfinished(target) as path, path.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A path beside the target; what is written there takes its name at the end, or is removed after an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(target.name + ".part")
    try:
        yield path
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)
