"""PSENet text detection (progressive scale expansion, arbitrary shapes) on PaddlePaddle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppocr_pse.deploy.detector import Detector
    from ppocr_pse.types import Detections

__version__ = "0.1.0"
__all__ = ["Detections", "Detector", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the library's two names when they are first used, so that importing the package costs nothing."""
    if name == "Detector":
        from ppocr_pse.deploy.detector import Detector

        return Detector
    if name == "Detections":
        from ppocr_pse.types import Detections

        return Detections
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
