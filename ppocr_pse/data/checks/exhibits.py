"""Which lines are worth looking at on a contact sheet: faulty ones of every kind first, then a random sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.checks.findings import KINDS, NOTE
from ppocr_pse.data.checks.records import CheckedLine
from ppocr_pse.data.preprocess import DecodeImage, ImageError
from ppocr_pse.types import Polygon


@dataclass(frozen=True)
class Exhibit:
    """A line to draw.

    Attributes:
        checked: the line.
        kinds: what was found on it, errors first, notes left out.
        faulty: for each polygon, whether an error or warning is on it.
    """

    checked: CheckedLine
    kinds: tuple[str, ...]
    faulty: tuple[bool, ...]

    @property
    def polygons(self) -> tuple[Polygon, ...]:
        """The outlines."""
        annotation = self.checked.line.annotation
        return annotation.polygons if annotation is not None else ()

    @property
    def ignored(self) -> tuple[bool, ...]:
        """Which outlines are don't-care."""
        annotation = self.checked.line.annotation
        return tuple(annotation.ignored.tolist()) if annotation is not None else ()

    def image(self) -> npt.NDArray[np.uint8] | None:
        """The picture, uint8 (H, W, 3) BGR; None when it cannot be decoded."""
        annotation = self.checked.line.annotation
        if annotation is None:
            return None
        try:
            return DecodeImage("BGR")(annotation.image)
        except ImageError:
            return None


class Gallery:
    """Chooses lines while they go by.

    Args:
        size: how many at most.
        seed: of the random sample.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._by_kind: dict[str, list[CheckedLine]] = {}
        self._others: list[CheckedLine] = []
        self._met = 0
        self._rng = np.random.default_rng(seed)

    def visit(self, checked: CheckedLine) -> None:
        """Look at one line; at most ``size`` of each kind are kept."""
        kinds = {finding.kind for finding in checked.findings if finding.severity != NOTE}
        for kind in kinds:
            shelf = self._by_kind.setdefault(kind, [])
            if len(shelf) < self.size:
                shelf.append(checked)
        if kinds:
            return
        self._met += 1
        if len(self._others) < self.size:
            self._others.append(checked)
        else:
            place = int(self._rng.integers(self._met))
            if place < self.size:
                self._others[place] = checked

    def choose(self) -> list[Exhibit]:
        """One line of each kind, errors first, then a second of each, and so on; then those without a fault."""
        shelves = [self._by_kind[kind] for kind in KINDS if kind in self._by_kind]
        chosen: dict[int, CheckedLine] = {}
        for rank in range(self.size):
            for shelf in shelves:
                if rank < len(shelf) and (rank == 0 or shelf[rank].facts.size is not None):  # one empty field of a kind
                    chosen.setdefault(id(shelf[rank]), shelf[rank])
        lines = [*chosen.values(), *sorted(self._others, key=lambda checked: (checked.line.file, checked.line.number))]
        return [_exhibit(line) for line in lines[: self.size]]


def _exhibit(checked: CheckedLine) -> Exhibit:
    order = list(KINDS)
    kinds = sorted({f.kind for f in checked.findings if f.severity != NOTE}, key=order.index)
    texts = {finding.text for finding in checked.findings if finding.text and finding.severity != NOTE}
    return Exhibit(checked, tuple(kinds), tuple(number in texts for number in checked.line.numbers))
