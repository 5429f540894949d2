"""The PSENet loss and its parts."""

from ppocr_pse.losses.pse import PSELoss

__all__ = ["PSELoss"]
