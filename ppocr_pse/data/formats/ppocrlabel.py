"""PPOCRLabel's files, as they lie in the folder of the pictures.

- ``Label.txt``: PaddleOCR's lines with ``difficult`` added to each text; the path is ``FOLDER/PICTURE``, where FOLDER
  is the one that was opened.
- ``fileState.txt``: ``/absolute/path/PICTURE<TAB>1``: which pictures a person has confirmed.
- ``Cache.cach``: as Label.txt, what the program proposed and nobody has confirmed. Read only when it is named itself.

Don't-care is ``difficult`` true, or ``###`` or ``*`` as in PaddleOCR.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from ppocr_pse.data.formats.picture_folder import first_existing
from ppocr_pse.data.formats.records import Item
from ppocr_pse.data.formats.sources import Source, decode, open_sources
from ppocr_pse.data.formats.writing import Written, marked_texts, open_file, plain_numbers, unique_names
from ppocr_pse.data.labels import DONT_CARE, LabelError, parse_label_line, parse_text
from ppocr_pse.types import Annotation

LABELS, STATES, PROPOSALS = "Label.txt", "fileState.txt", "Cache.cach"
_CONFIRMED = "1"


def stream(labels: Path, data_dir: Path) -> Iterator[Item]:
    """Read labels, picture by picture.

    Args:
        labels: folder or zip with ``Label.txt``, or a file of that form.
        data_dir: the folder that was opened, or the one above it.

    Raises:
        LabelError: if there is nothing of this format.
    """
    with open_sources(labels) as sources:
        if len(sources) == 1 and sources[0].place == str(labels):
            beside = labels.with_name(STATES)
            chosen = [(sources[0], Source(STATES, str(beside), beside.read_bytes) if beside.is_file() else None)]
        else:
            by_path = {source.path: source for source in sources}
            chosen = [
                (source, by_path.get(str(PurePosixPath(source.path).with_name(STATES))))
                for source in sources
                if source.name == LABELS
            ]
            if not chosen:
                proposed = any(source.name == PROPOSALS for source in sources)
                cure = f"; name {PROPOSALS} itself to read what nobody has confirmed" if proposed else ""
                raise LabelError(f"{labels}: no {LABELS} in it{cure}")
        for source, states in chosen:
            yield from _read_file(source, _unconfirmed(states), data_dir)


def _unconfirmed(states: Source | None) -> set[str]:
    """``FOLDER/PICTURE`` of each picture whose state is not 1."""
    found = set()
    for place, line in states.lines() if states is not None else ():
        path, _, state = decode(line, place).partition("\t")
        if state.strip() != _CONFIRMED:
            found.add("/".join(path.replace("\\", "/").split("/")[-2:]))
    return found


def _read_file(source: Source, unconfirmed: set[str], data_dir: Path) -> Iterator[Item]:
    for place, raw in source.lines():
        try:
            line = decode(raw, place)
            annotation, problems = parse_label_line(line, data_dir, place)
        except LabelError as error:
            yield LabelError(str(error))
            continue
        yield from map(LabelError, problems)
        name, _, entries = line.partition("\t")
        if name in unconfirmed:
            yield LabelError(f"{place}: {STATES} does not have {name} as confirmed; this picture is left out")
            continue
        difficult = np.array([bool(e.get("difficult")) for e in json.loads(entries) if _usable(e)], bool)
        image = first_existing([annotation.image, data_dir / PurePosixPath(name).name])
        yield replace(annotation, image=image, ignored=annotation.ignored | difficult)


def _usable(entry: object) -> bool:
    try:
        parse_text(entry)
    except LabelError:
        return False
    return True


def write(annotations: Iterable[Annotation], target: Path, data_dir: Path, fit: bool = False) -> Written:
    """Write ``Label.txt`` and ``fileState.txt``, every picture confirmed; PPOCRLabel wants them beside the pictures.

    Args:
        annotations: what to write; pictures of the first one's folder only, since PPOCRLabel opens one.
        target: a folder for both files, or the path of the label file alone (``.txt``).
        data_dir: not looked at: names hold the last folder only.
        fit: of no consequence here: every polygon fits.
    """
    written = Written()
    label_file = target if target.suffix.lower() == ".txt" else target / LABELS
    folder: Path | None = None
    states = []
    with open_file(label_file) as file:
        for annotation in unique_names(annotations, written):
            image = annotation.image.absolute()
            folder = folder or image.parent
            if image.parent != folder:
                written.problems.append(
                    f"{annotation.source}: {image} is not in {folder}, the one folder that PPOCRLabel opens; "
                    "the picture is left out"
                )
                continue
            texts = marked_texts(annotation, None, DONT_CARE.__contains__, written)
            entries = [
                {"transcription": t.transcription, "points": plain_numbers(t.polygon), "difficult": t.ignored}
                for t in texts
            ]
            file.write(f"{folder.name}/{image.name}\t{json.dumps(entries, ensure_ascii=False)}\n")
            states.append(f"{image}\t{_CONFIRMED}\n")
            written.add(texts)
    if label_file != target:
        with open_file(label_file.with_name(STATES)) as file:
            file.writelines(states)
    return written
