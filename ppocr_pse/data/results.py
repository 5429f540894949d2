"""Read the files in which this package and others write what they detected.

``lines``: one text file, ``path<TAB>JSON`` a picture. JSON is a list of ``{"points": [[x, y], ...], "score": s}``, as
this package and PaddleOCR's ``predicts_*.txt`` have it, or of bare ``[[x, y], ...]``, as ``det_results.txt`` of MindOCR
and PaddleOCR has it. The other formats are a folder or a zip with one text file a picture, one line a text:

- ``rrc``: ``x1,y1,...,x4,y4[,score][,transcription]``, files ``res_NAME.txt``: Robust Reading Competition.
- ``ctw1500``, ``totaltext``: ``y1,x1,y2,x2,...`` (y comes first), files ``NAME.txt``: what the script that PSENet
  reports SCUT-CTW1500 with and Total-Text's own script read.
- ``xy``: ``x1,y1,x2,y2,...``, files ``NAME.txt``.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.line_names import read_name

FloatPolygon = npt.NDArray[np.float64]
Detection = tuple[FloatPolygon, float]
"""Outline and score; the score is NaN when there is none."""
RRC_PREFIX = "res_"


@dataclass(frozen=True)
class PictureResults:
    """What a results file says about one picture.

    Attributes:
        name: of the picture, as the file has it: a path, or a name without an ending.
        polygons: float64 (N, 2) each, in source pixels.
        scores: float64 (len(polygons),), NaN where the file gives none.
        source: ``FILE:LINE`` or ``FILE``, for messages.
    """

    name: str
    polygons: tuple[FloatPolygon, ...]
    scores: npt.NDArray[np.float64]
    source: str


@dataclass(frozen=True)
class ResultFile:
    """All pictures of a results file, in its order.

    Attributes:
        pictures: one record a picture.
        problems: one message for each line or detection that was left out, starting with ``FILE:LINE``.
    """

    pictures: tuple[PictureResults, ...]
    problems: tuple[str, ...]


class ResultError(ValueError):
    """A results file, line or detection that cannot be used; the message says where, what and the cure."""


def guess_results_format(path: Path, otherwise: str) -> str:
    """Tell the format of results: ``lines`` for a file that is no zip, ``rrc`` when all files are called ``res_...``.

    Args:
        path: a text file, a zip, or a folder of text files.
        otherwise: what other folders and zips are taken for; x and y cannot be told apart by looking.

    Raises:
        ResultError: if there is nothing to look at.
    """
    if _is_plain_file(path):
        return "lines"
    names = [PurePath(name).name for name, _ in _texts(path)]
    return "rrc" if all(name.startswith(RRC_PREFIX) for name in names) else otherwise


def read_results(path: Path, form: str) -> ResultFile:
    """Read the detections of many pictures.

    Args:
        path: for ``lines`` a text file, else a zip or a folder of text files.
        form: a member of :data:`RESULT_FORMATS`.

    Raises:
        ResultError: if nothing can be read, or the format is not known or not that of such a place.
    """
    if form not in RESULT_FORMATS:
        raise ResultError(f"results format {form!r} is not known, expected one of {', '.join(RESULT_FORMATS)}")
    if _is_plain_file(path) != (form == "lines"):
        wanted = "one text file with a line a picture" if form == "lines" else "a folder or a zip of text files"
        raise ResultError(f"{path}: results of the format {form} are {wanted}")
    problems: list[str] = []
    pictures = _read_lines(path, problems) if form == "lines" else _read_texts(path, _PARSERS[form], problems)
    kept: dict[str, PictureResults] = {}
    for picture in pictures:
        first = kept.setdefault(picture.name, picture)
        if first is not picture:
            problems.append(f"{picture.source}: {picture.name} stands at {first.source} already; left out")
    if not kept and problems:
        raise ResultError(f"{path}: no usable line ({len(problems)} faulty; the first: {problems[0]})")
    return ResultFile(tuple(kept.values()), tuple(problems))


def _read_lines(path: Path, problems: list[str]) -> Iterator[PictureResults]:
    for number, raw in enumerate(_decode(path.read_bytes(), str(path)).split("\n"), 1):
        line, source = raw.rstrip("\r"), f"{path}:{number}"
        if not line.strip():
            continue
        name, found, entries_json = line.partition("\t")
        try:
            entries = json.loads(entries_json) if found else None
        except json.JSONDecodeError as error:
            problems.append(
                f"{source}: what follows the TAB is not JSON ({error.msg} at character {error.pos}); left out"
            )
            continue
        if not isinstance(entries, list) or not name.strip():
            problems.append(f"{source}: got {line[:60]!r}, expected PATH<TAB>[...] with a JSON list of texts; left out")
            continue
        yield _picture(read_name(name), enumerate(entries, 1), _parse_json, source, ": text ", problems)


def _parse_json(entry: Any) -> Detection:
    if isinstance(entry, dict) and "points" not in entry:
        raise ResultError(f'got {str(entry)[:60]!r}, expected "points"')
    points, score = (entry["points"], entry.get("score")) if isinstance(entry, dict) else (entry, None)
    try:
        polygon = np.array(points, np.float64)
        value = math.nan if score is None else float(score)
    except (TypeError, ValueError):
        raise ResultError(f"got {str(entry)[:60]!r}, expected numbers [[x, y], ...]") from None
    return polygon, value


def _read_texts(path: Path, parse: Callable[[str], Detection], problems: list[str]) -> Iterator[PictureResults]:
    for name, text in sorted(_texts(path)):
        source = f"{path}{'!' if path.is_file() else '/'}{name}"
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        yield _picture(PurePath(name).stem.removeprefix(RRC_PREFIX), lines, parse, source, ":", problems)


def _picture(
    name: str,
    entries: Iterable[tuple[int, Any]],
    parse: Callable[[Any], Detection],
    source: str,
    mark: str,
    problems: list[str],
) -> PictureResults:
    """Make the detections of one picture; what is wrong with one of them does not touch the others."""
    polygons, scores = [], []
    for number, entry in entries:
        try:
            polygon, score = parse(entry)
            if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
                raise ResultError(
                    f"got an outline {str(polygon.tolist())[:60]}, expected at least 3 points of finite x, y"
                )
        except ResultError as error:
            problems.append(f"{source}{mark}{number}: {error}; left out")
            continue
        polygons.append(polygon)
        scores.append(score)
    return PictureResults(name, tuple(polygons), np.array(scores, np.float64), source)


def _numbers(fields: list[str], line: str) -> npt.NDArray[np.float64]:
    try:
        return np.array([float(field) for field in fields], np.float64)
    except ValueError:
        raise ResultError(f"got {line[:60]!r}, expected numbers with commas between them") from None


def _parse_quad(line: str) -> Detection:
    fields = line.rstrip(",").split(",")
    if len(fields) < 8:
        raise ResultError(f"got {line[:60]!r}, expected 8 numbers x1,y1,...,x4,y4")
    try:
        score = float(fields[8]) if len(fields) > 8 else math.nan
    except ValueError:
        score = math.nan
    # A ninth field is a confidence only when it can be one; else it is the transcription of an end-to-end result.
    return _numbers(fields[:8], line).reshape(4, 2), score if 0.0 <= score <= 1.0 else math.nan


def _parse_xy(line: str) -> Detection:
    numbers = _numbers(line.rstrip(",").split(","), line)
    if len(numbers) % 2:
        raise ResultError(f"got {len(numbers)} numbers, expected an even number of coordinates")
    return numbers.reshape(-1, 2), math.nan


def _parse_yx(line: str) -> Detection:
    polygon, score = _parse_xy(line)
    return polygon[:, ::-1], score


_PARSERS: Mapping[str, Callable[[str], Detection]] = MappingProxyType(
    {"rrc": _parse_quad, "ctw1500": _parse_yx, "totaltext": _parse_yx, "xy": _parse_xy}
)
RESULT_FORMATS = ("lines", *_PARSERS)


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ResultError(f"{name}:{line}: not UTF-8 (byte 0x{content[error.start]:02x})") from None


def _is_plain_file(path: Path) -> bool:
    if not path.exists():
        raise ResultError(f"{path}: there is no such file or folder of results")
    return path.is_file() and not zipfile.is_zipfile(path)


def _texts(path: Path) -> list[tuple[str, str]]:
    """Name and content of every text file in a zip or a folder."""
    if path.is_dir():
        found = [(file.name, file.read_bytes()) for file in path.glob("*.txt")]
    else:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".txt") and not name.startswith("__MACOSX/")]
            found = [(name, archive.read(name)) for name in names]
    if not found:
        raise ResultError(f"{path}: holds no .txt file, expected one a picture, such as res_img_1.txt")
    return [(name, _decode(content, f"{path}!{name}")) for name, content in found]
