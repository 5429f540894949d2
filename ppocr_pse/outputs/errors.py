"""The file of pictures that could not be used, or not whole: ``NAME<TAB>what is wrong``, written as they come."""

from __future__ import annotations

from pathlib import Path

from ppocr_pse.data.line_names import written_name
from ppocr_pse.engine.predictor import PictureResult
from ppocr_pse.outputs.appended import AppendedFile, Entry
from ppocr_pse.outputs.base import ERRORS, Order, Output, Place, Standing
from ppocr_pse.outputs.streams import one_line


class Errors(Output):
    """The errors file; it is there only when something was wrong.

    All that stand in it are done again by a run that is resumed, so it begins without one.
    """

    def __init__(self, place: Place) -> None:
        self._file = AppendedFile(place.file(ERRORS), parse_error)
        self._open = False

    @property
    def file(self) -> Path:
        """Where it is, or would be."""
        return self._file.file

    def names(self) -> list[str]:
        """The pictures in the file of an earlier run."""
        return list(self._file.entries())

    def clear(self) -> None:
        """Remove what an earlier run left."""
        self.file.unlink(missing_ok=True)

    def keep(self, done: Standing, order: Order) -> None:
        """Remove what an earlier run left: all in it are done again."""
        self.clear()

    def add(self, result: PictureResult) -> None:
        """Add a picture with an error.

        Raises:
            OutputError: if it cannot be written.
        """
        if not self._open:
            self._file.clear()
            self._open = True
        self._file.append(f"{written_name(result.name)}\t{one_line(result.error)}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._open = False


def parse_error(line: str) -> Entry:
    """The picture of a line of the errors file.

    Raises:
        ValueError: if it is no such line.
    """
    name, tab, _ = line.partition("\t")
    if not tab:
        raise ValueError("expected NAME<TAB>what is wrong")
    return Entry(name, 0)
