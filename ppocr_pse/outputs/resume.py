"""How a run that was stopped goes on: with which pictures, and whether its results are of the present settings.

A picture is done when its line stands in the file of lines, everything of it stands in all other outputs that are
asked for now, and it is not in the errors file. A file of several pictures is done when all that stand are, and it is
not the last file in the lines, which may lack pages. So an output that was not asked for before, or files that were
removed, are made up for by doing those pictures again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppocr_pse.data.line_names import read_name, written_name
from ppocr_pse.outputs.base import Finished, Output, OutputError, write_whole
from ppocr_pse.outputs.errors import Errors
from ppocr_pse.outputs.streams import Lines

COMPLETE = "complete"
"""Key in the settings of a run: whether it got to its end."""
PAGE = re.compile(r"(.+)#page=([1-9][0-9]*)", re.DOTALL)
CURE = "run with the former ones, or without --resume to begin anew, or give the results another name"


class Listed:
    """Which listed file the name of a picture means.

    Args:
        listing: the files, in their order.
    """

    def __init__(self, listing: Sequence[Path]) -> None:
        self._listing = listing
        self._index = {written_name(path): index for index, path in enumerate(listing)}

    def split(self, name: str) -> tuple[str, int]:
        """The file of a picture, as lines would have it, and the page."""
        found = None if name in self._index else PAGE.fullmatch(read_name(name))
        return (written_name(found[1]), int(found[2])) if found else (name, 0)

    def finished(self, name: str, texts: int) -> Finished:
        """A picture whose line stands."""
        file, page = self.split(name)
        return Finished(self._listing[self._index[file]] if file in self._index else None, page, texts)

    def order(self, name: str) -> int:
        """Place of a picture's file; -1 when it is not listed."""
        return self._index.get(self.split(name)[0], -1)


def find_finished(outputs: Mapping[str, Output], errors: Errors, listed: Listed) -> dict[str, Finished]:
    """Which pictures an earlier run has done.

    Args:
        outputs: all outputs of the present run, the lines among them.
        errors: the errors file.
        listed: the files of the present run. Pictures of other files in the lines are taken for done.
    """
    lines = outputs["lines"]
    assert isinstance(lines, Lines)
    stand = {name: listed.finished(name, texts) for name, texts in lines.file.entries().items()}
    again = {listed.split(name)[0] for name in errors.names()}
    if stand:
        file, page = listed.split(next(reversed(stand)))
        again |= {file} if page else set()
    done = {name: finished for name, finished in stand.items() if listed.split(name)[0] not in again}
    whole = done
    for output in outputs.values():
        whole = dict(output.standing(whole))
    again = {listed.split(name)[0] for name in done if name not in whole}
    return {name: finished for name, finished in whole.items() if listed.split(name)[0] not in again}


def write_settings(file: Path, settings: Mapping[str, Any], complete: bool = False) -> None:
    """Note the settings of a run, and whether it got to its end.

    Raises:
        OSError: if they cannot be written.
    """
    write_whole(file, (json.dumps({**settings, COMPLETE: complete}, indent=1) + "\n").encode("ascii"))


def is_unfinished(file: Path) -> bool:
    """Whether the settings of a run say that it did not get to its end; not when there are none."""
    try:
        noted = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(noted, dict) and noted.get(COMPLETE) is False


def check_settings(file: Path, results: Path, settings: Mapping[str, Any]) -> None:
    """Make sure that results were made with the present settings.

    Args:
        file: what :func:`write_settings` wrote.
        results: the file of lines, for messages.
        settings: the present ones.

    Raises:
        OutputError: if they were not, or nothing tells.
    """
    try:
        former = json.loads(file.read_bytes())
    except (OSError, ValueError):
        former = None
    if not isinstance(former, dict):
        raise OutputError(
            f"{results}: cannot go on with these results: {file}, which tells the settings that they were made with, "
            "cannot be read; run without --resume to begin anew, or give the results another name"
        )
    former.pop(COMPLETE, None)
    present = json.loads(json.dumps(dict(settings)))
    differing = [key for key in {**former, **present} if former.get(key) != present.get(key)]
    if differing:
        shown = ", ".join(
            f"{key} {json.dumps(former.get(key))}, now {json.dumps(present.get(key))}" for key in differing
        )
        raise OutputError(
            f"{results}: cannot go on with these results, made with other settings ({file}): {shown}; {CURE}"
        )
