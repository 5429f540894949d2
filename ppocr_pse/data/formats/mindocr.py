"""MindOCR's label files ``*_det_gt.txt``: PaddleOCR's lines with the bare names of the pictures.

Don't-care is exactly ``###`` or ``*``, as MindOCR reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ppocr_pse.data.formats import ppocr
from ppocr_pse.data.formats.picture_folder import PictureFolder
from ppocr_pse.data.formats.records import Item
from ppocr_pse.data.formats.writing import Written, unique_names
from ppocr_pse.data.labels import LabelError, read_labels
from ppocr_pse.types import Annotation


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read a label file, problems first.

    Args:
        labels: the file.
        data_dir: folder of the pictures, or the folder above several of them.

    Raises:
        LabelError: if there is nothing of this format.
    """
    pictures = PictureFolder(data_dir)
    found = read_labels(labels, data_dir)
    yield from map(LabelError, found.problems)
    for annotation in found.annotations:
        if annotation.image.is_file() or annotation.image.parent != data_dir:
            yield annotation
            continue
        try:
            image = pictures.find(annotation.image.stem, annotation.image.suffix)
        except LabelError as error:
            yield LabelError(f"{annotation.source}: {error}; this line is left out")
            continue
        yield replace(annotation, image=image)


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write a label file with bare names; of two pictures of one name the second is left out.

    Args:
        annotations: what to write.
        target: the file.
        data_dir: not looked at: the format has names only.
        fit: of no consequence here: every polygon fits.
    """
    written = Written()
    return ppocr.write_lines(
        unique_names(annotations, written), target, lambda annotation: annotation.image.name, written
    )
