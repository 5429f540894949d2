"""Network maps to text regions: thresholding, progressive scale expansion, rectangles and polygons."""

from ppocr_pse.postprocess.decode import PSEDecoder
from ppocr_pse.postprocess.expand import native, progressive_expand

__all__ = ["PSEDecoder", "native", "progressive_expand"]
