"""Tell the format of annotations by their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

from ppocr_pse.data.formats import coco_text, ctw1500, icdar2015, mlt2017, msra_td500
from ppocr_pse.data.formats.json_files import load_json
from ppocr_pse.data.formats.mat5 import MatFile
from ppocr_pse.data.formats.ppocrlabel import LABELS, PROPOSALS
from ppocr_pse.data.formats.sources import Source, open_sources
from ppocr_pse.data.labels import LabelError

_FILES, _LINES = 20, 200  # how much is looked at
_JSON_KEYS = (("data_list", "mmocr"), ("shapes", "labelme"), ("anns", "coco_text"))
_MAT_VARIABLES = (("polygt", "totaltext"), ("wordBB", "synthtext"))


def guess_format(labels: Path) -> str:
    """Tell the format of annotations by looking into the first files.

    PaddleOCR's, MindOCR's and PPOCRLabel's lines are told apart by the name of the file and the key ``difficult``.

    Args:
        labels: a file, a folder or a zip.

    Returns:
        A name that ``read_format`` knows.

    Raises:
        LabelError: if it is none that is known, saying what was seen.
    """
    file, _ = coco_text.split_set(labels)
    with open_sources(file) as sources:
        single = len(sources) == 1 and sources[0].place == str(file)
        for kind in (_by_name, _by_xml, _by_json, _by_mat, _by_lines):
            found = kind(sources)
            if found is not None and (single or found not in ("ppocr", "mindocr")):
                return found
        raise LabelError(
            f"{labels}: the format cannot be told; {_what_is_seen(sources)}. Name it: ppocr, icdar2015, mlt2017, "
            "ctw1500, totaltext, msra_td500, synthtext, mindocr, ppocrlabel, labelme, coco_text or mmocr"
        )


def _with_ending(sources: Iterable[Source], ending: str) -> Iterator[Source]:
    return islice((source for source in sources if source.name.lower().endswith(ending)), _FILES)


def _by_name(sources: list[Source]) -> str | None:
    names = {source.name for source in sources}
    if LABELS in names or PROPOSALS in names:
        return "ppocrlabel"
    return None


def _by_xml(sources: list[Source]) -> str | None:
    for source in _with_ending(sources, ".xml"):
        try:
            if b"<segs" in source.content():
                return "ctw1500"
        except LabelError:
            continue
    return None


def _by_json(sources: list[Source]) -> str | None:
    for source in _with_ending(sources, ".json"):
        try:
            keys = load_json(source)
        except LabelError:
            continue
        for key, name in _JSON_KEYS:
            if key in keys:
                return name
    return None


def _by_mat(sources: list[Source]) -> str | None:
    for source in _with_ending(sources, ".mat"):
        try:
            mat = _open_mat(source)
        except LabelError:
            continue
        for variable, name in _MAT_VARIABLES:
            if variable in mat:
                return name
    return None


def _open_mat(source: Source) -> MatFile:
    if Path(source.place).is_file():  # gt.mat of SynthText is too large to be read as a whole
        return MatFile.at(Path(source.place))
    content = source.content()
    return MatFile(lambda: BytesIO(content), source.place)


def _by_lines(sources: list[Source]) -> str | None:
    texts = [*_with_ending(sources, ".gt"), *_with_ending(sources, ".txt")] or sources[:1]
    lines = ((source, line) for source in texts for line in _first_lines(source))
    kinds = [kind for source, line in islice(lines, _LINES) if (kind := _kind_of_line(line, source.name))]
    if "icdar2015" in kinds and set(kinds) == {"icdar2015", "mlt2017"}:
        return "icdar2015"  # a transcription may begin with "Latin,", a language field cannot be missing
    return kinds[0] if kinds else None


def _first_lines(source: Source) -> Iterator[str]:
    try:
        for _, line in islice(source.lines(), _LINES):
            yield line.decode("utf-8", "replace")
    except LabelError:
        return


def _kind_of_line(line: str, file_name: str) -> str | None:
    if "\t[" in line:
        if '"difficult"' in line:
            return "ppocrlabel"
        return "mindocr" if file_name.endswith("det_gt.txt") else "ppocr"
    if line.lstrip().startswith("x:") and "[[" in line:
        return "totaltext"
    parsers = (
        ("ctw1500", ctw1500.parse),
        ("mlt2017", mlt2017.parse),
        ("icdar2015", icdar2015.parse),
        ("msra_td500", msra_td500.parse),
    )
    for name, parse in parsers:
        try:
            parse(line)
        except LabelError:
            continue
        if name == "mlt2017" and line.split(",")[8] not in mlt2017.LANGUAGES:
            continue
        return name
    return None


def _what_is_seen(sources: list[Source]) -> str:
    if not sources:
        return "nothing is there"
    first = next(_first_lines(sources[0]), "")
    return f"{len(sources)} files, the first is {sources[0].name} and begins with {first[:60]!r}"
