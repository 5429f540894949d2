"""The data sets' own annotation formats: one module each, all read into the same records; some are written too.

``labels`` is what the format has: a file, a folder or a zip. Each module's docstring says what its fields mean, how
don't-care is marked, and which picture is meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ppocr_pse.data.formats import (
    coco_text,
    ctw1500,
    icdar2015,
    labelme,
    mindocr,
    mlt2017,
    mmocr,
    msra_td500,
    ppocr,
    ppocrlabel,
    synthtext,
    totaltext,
)
from ppocr_pse.data.formats.guess import guess_format
from ppocr_pse.data.formats.records import Item, collect
from ppocr_pse.data.formats.writing import Written
from ppocr_pse.data.labels import LabelError, LabelFile
from ppocr_pse.types import Annotation

__all__ = ["FORMATS", "STREAMS", "WRITERS", "Item", "Written", "guess_format", "read_format"]

Reader = Callable[[Path, Path], LabelFile]
"""``read(labels, data_dir)``; raises LabelError if nothing can be used."""
Streamer = Callable[[Path, Path], Iterator[Item]]
"""``stream(labels, data_dir)``: annotations as they are read, and a LabelError for each thing left out."""
Writer = Callable[[Iterable[Annotation], Path, Path, bool], Written]
"""``write(annotations, target, data_dir, fit)``; ``fit`` lets polygons be changed to what the format can hold."""

STREAMS: Mapping[str, Streamer] = MappingProxyType(
    {
        "ppocr": ppocr.stream,
        "icdar2015": icdar2015.stream,
        "mlt2017": mlt2017.stream,
        "ctw1500": ctw1500.stream,
        "totaltext": totaltext.stream,
        "msra_td500": msra_td500.stream,
        "synthtext": synthtext.stream,
        "mindocr": mindocr.stream,
        "ppocrlabel": ppocrlabel.stream,
        "labelme": labelme.stream,
        "coco_text": coco_text.stream,
        "mmocr": mmocr.stream,
    }
)


def _reader_of(stream: Streamer) -> Reader:
    return lambda labels, data_dir: collect(stream(labels, data_dir), labels)


FORMATS: Mapping[str, Reader] = MappingProxyType(
    {**{name: _reader_of(stream) for name, stream in STREAMS.items()}, "ppocr": ppocr.read}
)

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "ppocr": ppocr.write,
        "icdar2015": icdar2015.write,
        "ctw1500": ctw1500.write,
        "totaltext": totaltext.write,
        "mindocr": mindocr.write,
        "ppocrlabel": ppocrlabel.write,
        "labelme": labelme.write,
        "coco_text": coco_text.write,
        "mmocr": mmocr.write,
    }
)


def read_format(name: str, labels: Path, data_dir: Path, delimiter: str = "\t") -> LabelFile:
    """Read labels of a named format.

    Args:
        name: a key of ``FORMATS``.
        labels: a file, a folder or a zip, as the format has it.
        data_dir: folder of the pictures; it need not exist (a scoring tool compares names only).
        delimiter: between path and JSON; for ``ppocr`` only.

    Raises:
        LabelError: if the name is not known or nothing can be used.
    """
    if name == "ppocr":
        return ppocr.read(labels, data_dir, delimiter)
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise LabelError(f"unknown format {name!r}; {hint}Known: {', '.join(sorted(FORMATS))}")
    return FORMATS[name](labels, data_dir)
