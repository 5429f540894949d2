"""Detection metrics: one file a protocol, named by the data set that it belongs to."""

from ppocr_pse.metrics.counts import Counts, PictureCounts
from ppocr_pse.metrics.detection import INDICATORS, PROTOCOLS, DetMetric, Protocol, find_protocol

__all__ = ["INDICATORS", "PROTOCOLS", "Counts", "DetMetric", "PictureCounts", "Protocol", "find_protocol"]
