"""Weights of other programs: read without running code of theirs, renamed, compared with a network of ours."""

from ppocr_pse.convert.architecture import describe, differences
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.fit import Fit, check, fit
from ppocr_pse.convert.read import read_weights
from ppocr_pse.convert.translate import FORMATS, Translation, translate

__all__ = [
    "FORMATS",
    "ConvertError",
    "Fit",
    "Translation",
    "check",
    "describe",
    "differences",
    "fit",
    "read_weights",
    "translate",
]
