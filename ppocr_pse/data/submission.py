"""Write result files that others score: the Robust Reading Competition's portal, and two data sets' own scripts."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from ppocr_pse.data.naming import picture_number
from ppocr_pse.polygons import min_area_quad, order_clockwise

IntPolygon = npt.NDArray[np.int64]
LINE_ENDS: Mapping[str, str] = MappingProxyType({"crlf": "\r\n", "lf": "\n"})


class SubmissionError(ValueError):
    """Pictures that a result format cannot name; the message says which, why, and the cure."""


@dataclass(frozen=True)
class SubmissionForm:
    """One format of result files.

    Attributes:
        file_name: picture path -> name of its file; raises SubmissionError.
        outline: polygon (N, 2) -> whole-number points (M, 2) in the order in which they are written.
        line_end: a key of :data:`LINE_ENDS`, what the readers of the format expect.
    """

    file_name: Callable[[str], str]
    outline: Callable[[npt.NDArray[Any]], IntPolygon]
    line_end: str


def rrc_quad(polygon: npt.NDArray[Any]) -> IntPolygon:
    """Four whole-number corners, clockwise with y down: int64 (4, 2).

    The rectangle of least area stands for a polygon with any other number of points and for one that crosses itself.
    Corners that run the other way round, which the portal refuses, are turned; the first one stays the first.
    """
    points = np.asarray(polygon, np.float64)
    if len(points) != 4 or not shapely.LinearRing(points).is_simple:
        points = np.asarray(order_clockwise(min_area_quad(points)), np.float64)
    corners = np.rint(points).astype(np.int64)
    x, y = corners.T
    if np.dot(x, np.roll(y, -1)) < np.dot(np.roll(x, -1), y):
        corners = np.roll(corners[::-1], 1, axis=0)
    return corners


def _rrc_name(picture: str) -> str:
    number = picture_number(picture)
    if number is None:
        raise SubmissionError(
            f"{picture}: its name holds no number, and the portal wants res_img_N.txt with the picture's number N; "
            "name the picture img_N.jpg, or write another form"
        )
    return f"res_img_{number}.txt"


def _own_name(picture: str) -> str:
    return f"{PurePath(picture).stem}.txt"


def _y_first(polygon: npt.NDArray[Any]) -> IntPolygon:
    return np.rint(np.asarray(polygon, np.float64)).astype(np.int64)[:, ::-1]


SUBMISSION_FORMS: Mapping[str, SubmissionForm] = MappingProxyType(
    {
        "rrc": SubmissionForm(_rrc_name, rrc_quad, "crlf"),
        "ctw1500": SubmissionForm(_own_name, _y_first, "lf"),
        "totaltext": SubmissionForm(_own_name, _y_first, "lf"),
    }
)
"""The lines of each are described in :mod:`ppocr_pse.data.results`, which reads them back."""


def submission_names(pictures: Sequence[str], form: str) -> tuple[str, ...]:
    """Names of the result files, one a picture; a check to make before the network runs.

    Args:
        pictures: paths of the pictures.
        form: a key of :data:`SUBMISSION_FORMS`.

    Raises:
        SubmissionError: if a picture has no number where one is needed, or two pictures would share a file.
    """
    if form not in SUBMISSION_FORMS:
        raise SubmissionError(f"form {form!r} is not known, expected one of {', '.join(SUBMISSION_FORMS)}")
    names: dict[str, str] = {}
    for picture in pictures:
        name = SUBMISSION_FORMS[form].file_name(picture)
        if name in names:
            raise SubmissionError(f"{picture}: its results would be {name}, which are those of {names[name]} already")
        names[name] = picture
    return tuple(names)


def check_target(target: Path) -> None:
    """Make sure that nothing but text files would be replaced.

    Args:
        target: ``NAME.zip``, or a folder.

    Raises:
        SubmissionError: if a folder is to be written and something stands there that holds more than text files.
        OSError: if the folder round it cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() == ".zip":
        return
    if target.exists() and (not target.is_dir() or any(file.suffix != ".txt" for file in target.iterdir())):
        raise SubmissionError(f"{target}: stands there and is no folder of text files; name another, or a .zip")


def write_submission(
    target: Path,
    form: str,
    pictures: Sequence[str],
    polygons: Sequence[Sequence[npt.NDArray[Any]]],
    line_end: str | None = None,
) -> None:
    """Write one text file a picture, also for those without text, into a zip without folders, or into a folder.

    The same results always give the same bytes.

    Args:
        target: ``NAME.zip``, or a folder; what stands there is replaced.
        form: a key of :data:`SUBMISSION_FORMS`.
        pictures: paths of the pictures.
        polygons: the outlines found in each, arrays (N, 2), source pixels.
        line_end: a key of :data:`LINE_ENDS`; the form's own when None.

    Raises:
        SubmissionError: as :func:`submission_names` and :func:`check_target`.
        OSError: if it cannot be written.
    """
    names = submission_names(pictures, form)
    end = LINE_ENDS[line_end or SUBMISSION_FORMS[form].line_end]
    outline = SUBMISSION_FORMS[form].outline
    texts = [
        "".join(",".join(map(str, outline(polygon).ravel().tolist())) + end for polygon in found) for found in polygons
    ]
    check_target(target)
    unfinished = target.with_name(target.name + ".part")
    if target.suffix.lower() == ".zip":
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in zip(names, texts):
                entry = zipfile.ZipInfo(name)  # its date is always 1980
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)
        unfinished.replace(target)
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name, text in zip(names, texts):
        (unfinished / name).write_bytes(text.encode("ascii"))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.replace(target)
