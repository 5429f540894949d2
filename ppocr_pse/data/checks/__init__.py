"""Checks of a data set before training: what would be lost, what would hurt, what is worth knowing."""

from ppocr_pse.data.checks.exhibits import Exhibit, Gallery
from ppocr_pse.data.checks.findings import ERROR, KINDS, NOTE, WARNING, Finding
from ppocr_pse.data.checks.mend import Mender
from ppocr_pse.data.checks.records import CheckedLine, CheckSettings
from ppocr_pse.data.checks.sources import LabelSource
from ppocr_pse.data.checks.survey import Report, survey

__all__ = [
    "ERROR",
    "KINDS",
    "NOTE",
    "WARNING",
    "CheckSettings",
    "CheckedLine",
    "Exhibit",
    "Finding",
    "Gallery",
    "LabelSource",
    "Mender",
    "Report",
    "survey",
]
