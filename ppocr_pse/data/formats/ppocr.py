"""PaddleOCR's own label file, as a format among the others; its lines are read by ``ppocr_pse.data.labels``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ppocr_pse.data.formats.records import Item
from ppocr_pse.data.formats.writing import Written, marked_texts, open_file, relative_name
from ppocr_pse.data.labels import DONT_CARE, LabelError, LabelFile, format_label_line, read_labels
from ppocr_pse.types import Annotation

NameOf = Callable[[Annotation], str]


def read(labels: Path, data_dir: Path, delimiter: str = "\t") -> LabelFile:
    """Read ``PATH<TAB>JSON`` lines; don't-care is a transcription of exactly ``###`` or ``*``.

    Raises:
        LabelError: if nothing of the file can be used.
    """
    return read_labels(labels, data_dir, delimiter)


def stream(labels: Path, data_dir: Path, delimiter: str = "\t") -> Iterator[Item]:
    """The same as ``read``, problems first."""
    found = read_labels(labels, data_dir, delimiter)
    yield from map(LabelError, found.problems)
    yield from found.annotations


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write a label file; paths are relative to ``data_dir``, don't-care texts become ``###``.

    Args:
        annotations: what to write.
        target: the file.
        data_dir: folder of the pictures.
        fit: of no consequence here: every polygon fits.
    """
    return write_lines(annotations, target, lambda annotation: relative_name(annotation.image, data_dir), Written())


def write_lines(annotations: Iterable[Annotation], target: Path, name_of: NameOf, written: Written) -> Written:
    """Write label lines with names of another kind; counts go to ``written``."""
    with open_file(target) as file:
        for annotation in annotations:
            texts = marked_texts(annotation, DONT_CARE[0], DONT_CARE.__contains__, written)
            try:
                line = format_label_line(
                    name_of(annotation), [text.transcription for text in texts], [text.polygon for text in texts]
                )
            except LabelError as error:
                written.problems.append(f"{annotation.source}: {error}; the picture is left out")
                continue
            file.write(line + "\n")
            written.add(texts)
    return written
