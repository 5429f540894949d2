"""What is checked against, and what checking a line gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from ppocr_pse.data.checks.findings import ERROR, Finding
from ppocr_pse.data.checks.pictures import PictureFacts
from ppocr_pse.data.checks.sources import LabelLine, LabelSource
from ppocr_pse.data.preprocess import DecodeImage
from ppocr_pse.data.targets import MakePseGt


@dataclass(frozen=True)
class CheckSettings:
    """What training does with the data.

    Attributes:
        decode: how pictures are read.
        targets: sizes and rates of the kernels; None (evaluation) looks at no kernel.
        crop: (height, width) of the crop window; None when no window of that kind is cut.
        scales: lowest and highest factor that training draws for a picture.
        workers: threads that decode.
    """

    decode: DecodeImage = field(default_factory=lambda: DecodeImage("BGR"))
    targets: MakePseGt | None = field(default_factory=MakePseGt)
    crop: tuple[int, int] | None = (640, 640)
    scales: tuple[float, float] = (1.0, 1.0)
    workers: int = 2


@dataclass(frozen=True)
class CheckedLine:
    """A line with what was found on it.

    Attributes:
        source: the label file it is of.
        line: as read.
        facts: of its picture.
        findings: on the line, its texts and its picture.
        twin: (file, line) of the first line with the same picture, or None.
    """

    source: LabelSource
    line: LabelLine
    facts: PictureFacts
    findings: tuple[Finding, ...]
    twin: tuple[str, int] | None = None

    @property
    def faulty(self) -> bool:
        """Whether training loses something of it."""
        return any(finding.severity == ERROR for finding in self.findings)
