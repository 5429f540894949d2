"""How far an exported form is from its checkpoint on real pictures: logits, probabilities, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import BF16_TOLERANCE
from ppocr_pse.deploy.probe import relative_difference
from ppocr_pse.metrics.overlaps import measure
from ppocr_pse.types import Detections

SAME_BOX = 0.9
"""Intersection over union from which two boxes are the same one."""

LEAST_AGREEMENT = 0.99
LEAST_AGREEMENT_BF16 = 0.9
"""Share of boxes that must be the same; one box may always come or go, its score may lie at box_thresh."""


def same_boxes(mine: Detections, other: Detections) -> int:
    """Count the boxes that two detections of one picture share, each used once."""
    overlaps = measure(list(mine.polygons), list(other.polygons), integer=False)
    return len(overlaps.select(overlaps.iou() >= SAME_BOX).pair_greedily())


@dataclass
class Comparison:
    """One exported form against the checkpoint, over pictures.

    Args:
        name: of the engine that runs it.
        tolerance: allowed difference of the logits, as a share of their largest size in the picture.

    Attributes:
        largest: largest absolute difference of logits.
        relative: the same, as a share of the largest logit of its picture; infinite for another shape or NaN.
        probability: largest difference of the text probability (sigmoid of map 0).
        expected_boxes: boxes by the checkpoint.
        boxes: boxes by this form.
        shared: boxes that both found.
        pictures: pictures compared.
        worst: the picture with the largest relative difference.
    """

    name: str
    tolerance: float
    largest: float = 0.0
    relative: float = 0.0
    probability: float = 0.0
    expected_boxes: int = 0
    boxes: int = 0
    shared: int = 0
    pictures: int = 0
    worst: str = field(default="")

    def add(
        self,
        source: str,
        maps: npt.NDArray[np.float32],
        expected: npt.NDArray[np.float32],
        found: Detections,
        expected_found: Detections,
    ) -> None:
        """Take in one picture.

        Args:
            source: its name.
            maps: logits (K, h, w) of this form.
            expected: logits of the checkpoint.
            found: boxes of this form, decoded as inference.yml says.
            expected_found: boxes of the checkpoint, decoded as the configuration says.
        """
        relative = relative_difference(maps, expected)
        if relative >= self.relative:
            self.relative, self.worst = relative, source
        if np.isfinite(relative):
            self.largest = max(self.largest, float(np.abs(maps - expected).max(initial=0.0)))
            text, expected_text = _sigmoid(maps[0]), _sigmoid(expected[0])
            self.probability = max(self.probability, float(np.abs(text - expected_text).max(initial=0.0)))
        else:
            self.largest = self.probability = float("inf")
        self.expected_boxes += len(expected_found)
        self.boxes += len(found)
        self.shared += same_boxes(expected_found, found)
        self.pictures += 1

    @property
    def agreement(self) -> float:
        """Shared boxes twice over all boxes, 0 to 1; 1 when neither found any."""
        total = self.boxes + self.expected_boxes
        return 2 * self.shared / total if total else 1.0

    @property
    def is_off(self) -> bool:
        """Whether the form may not be used for the checkpoint."""
        least = LEAST_AGREEMENT_BF16 if self.tolerance >= BF16_TOLERANCE else LEAST_AGREEMENT
        several = max(self.boxes, self.expected_boxes) - self.shared > 1
        return not self.relative <= self.tolerance or (several and self.agreement < least)


def _sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60.0, 60.0)))


def format_table(rows: Sequence[Comparison]) -> str:
    """The comparisons as a table, one form a line."""
    lines = [
        f"{'form, by engine':18} {'logits':>9} {'relative':>9} {'allowed':>8} {'probab.':>9} "
        f"{'boxes':>6} {'of':>6} {'same':>6} {'agree':>7}"
    ]
    lines += [
        f"{row.name:18} {row.largest:9.2g} {row.relative:9.2g} {row.tolerance:8.2g} {row.probability:9.2g} "
        f"{row.boxes:6d} {row.expected_boxes:6d} {row.shared:6d} {row.agreement:7.2%}{'  OFF' if row.is_off else ''}"
        for row in rows
    ]
    return "\n".join(lines)
