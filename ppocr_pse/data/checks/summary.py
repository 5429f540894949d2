"""Counts and measures of a data set, and their percentiles as a small table."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ppocr_pse import polygons as geometry
from ppocr_pse.data.checks.records import CheckedLine, CheckSettings
from ppocr_pse.data.checks.shapes import vanishes

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
MEASURES = (
    ("picture width (px)", 0),
    ("picture height (px)", 0),
    ("words per picture", 0),
    ("don't-care share per picture", 2),
    ("text height (px)", 1),
    ("text height at the usual scale (px)", 1),
    ("text length / height", 1),
)

SHAPELESS = ("z-order", "self-crossing", "zero-area")


def _measures() -> dict[str, array[float]]:
    return {name: array("f") for name, _ in MEASURES}


@dataclass
class Tally:
    """Counters, and one number a picture or text for each measure (4 bytes each).

    Attributes:
        lines: label lines that are not empty.
        unusable_lines: those that give nothing.
        absent: pictures that do not exist.
        undecodable: pictures that exist but cannot be decoded.
        pictures: those that can be.
        texts: of all usable lines, don't-care too.
        ignored: don't-care texts.
        without_text: pictures without text.
        readable: texts that are not don't-care and have a usable outline, in pictures that can be decoded.
        vanishing: scale factor of the augmentation -> how many of them are nothing at the smallest kernel.
        measures: name -> values.
    """

    lines: int = 0
    unusable_lines: int = 0
    absent: int = 0
    undecodable: int = 0
    pictures: int = 0
    texts: int = 0
    ignored: int = 0
    without_text: int = 0
    readable: int = 0
    vanishing: Counter[float] = field(default_factory=Counter)
    measures: dict[str, array[float]] = field(default_factory=_measures)

    def add(self, checked: CheckedLine, settings: CheckSettings) -> None:
        """Count one line."""
        self.lines += 1
        annotation, facts = checked.line.annotation, checked.facts
        if annotation is None:
            self.unusable_lines += 1
            return
        count, ignored = len(annotation.polygons), int(annotation.ignored.sum())
        self.texts += count
        self.ignored += ignored
        self.without_text += count == 0
        if facts.size is None:
            self.absent += facts.absent
            self.undecodable += not facts.absent
            return
        self.pictures += 1
        height, width = facts.size
        self._note(0, width)
        self._note(1, height)
        self._note(2, count)
        if count:
            self._note(3, ignored / count)
        low, high = settings.scales
        short = settings.targets.size if settings.targets is not None else 0
        factors = (low, min(max(1.0, low), high), high) if settings.targets is not None else ()
        for factor in factors:
            self.vanishing[factor] += 0
        scale = max(min(max(1.0, low), high), short / min(facts.size))
        shapeless = {finding.text for finding in checked.findings if finding.kind in SHAPELESS}
        for number, polygon, skipped in zip(checked.line.numbers, annotation.polygons, annotation.ignored.tolist()):
            if skipped or number in shapeless:
                continue
            inside = geometry.area(polygon)
            self.readable += 1
            for factor in set(factors):
                assert settings.targets is not None
                self.vanishing[factor] += vanishes(polygon, max(factor, short / min(facts.size)), settings.targets)
            thickness, length = band(inside, geometry.perimeter(polygon))
            self._note(4, thickness)
            self._note(5, thickness * scale)
            self._note(6, length / thickness)

    def _note(self, measure: int, value: float) -> None:
        self.measures[MEASURES[measure][0]].append(value)

    def as_dict(self) -> dict[str, Any]:
        """Counters and percentiles, for JSON."""
        counters = ("lines", "unusable_lines", "absent", "undecodable", "pictures", "texts", "ignored", "without_text")
        return {
            **{name: getattr(self, name) for name in counters},
            "readable": self.readable,
            "vanishing": {str(factor): count for factor, count in sorted(self.vanishing.items())},
            "percentiles": {
                name: {str(p): value for p, value in zip(PERCENTILES, row)} for name, _, row in self._rows()
            },
        }

    def _rows(self) -> list[tuple[str, int, list[float]]]:
        return [
            (name, digits, np.percentile(np.frombuffer(values, np.float32), PERCENTILES).round(4).tolist())
            for (name, digits), values in zip(MEASURES, self.measures.values())
            if values
        ]

    def vanishing_lines(self) -> list[str]:
        """How many texts are too small for the smallest kernel, one line for each scale that was looked at."""
        return [
            f"texts that vanish at the smallest kernel, random scale {factor:g}: {count} of {self.readable}"
            for factor, count in sorted(self.vanishing.items())
        ]

    def table(self) -> str:
        """Percentiles, one row a measure."""
        rows = self._rows()
        if not rows:
            return ""
        head = f"{'':36}" + "".join(f"{name:>8}" for name in _heads(PERCENTILES))
        lines = [f"{name:36}" + "".join(f"{value:8.{digits}f}" for value in row) for name, digits, row in rows]
        return "\n".join([head, *lines])


def _heads(percentiles: Sequence[int]) -> list[str]:
    ends = {0: "min", 50: "median", 100: "max"}
    return [ends.get(p, f"{p} %") for p in percentiles]


def band(area: float, perimeter: float) -> tuple[float, float]:
    """Height and length of the rectangle with an outline's area and perimeter.

    It is the height of a straight text, and that of a curved one along its curve.
    """
    half = perimeter / 2
    height = (half - max(0.0, half * half - 4 * area) ** 0.5) / 2
    return height, half - height
