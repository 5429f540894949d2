"""Random changes of colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.types import Sample

Image = npt.NDArray[np.uint8]
ColourStep = tuple[str, float]


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue by random factors, in random order.

    Args:
        brightness: b: factor from U(max(0, 1 - b), 1 + b).
        contrast: as brightness; the distance of every value from the picture's mean grey is multiplied.
        saturation: as brightness.
        hue: turn of the colour circle from U(-hue, hue), in whole turns, at most 0.5.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for key, limit in (("brightness", np.inf), ("contrast", np.inf), ("saturation", np.inf), ("hue", 0.5)):
            if not 0 <= getattr(self, key) <= limit:
                raise ValueError(f"ColorJitter: {key} is {getattr(self, key)!r}, expected 0 to {limit}")

    def draw(self, rng: np.random.Generator) -> list[ColourStep]:
        """Draw the steps in the order in which they are to be applied."""
        steps = [
            (key, float(rng.uniform(max(0.0, 1.0 - spread), 1.0 + spread)))
            for key, spread in (
                ("brightness", self.brightness),
                ("contrast", self.contrast),
                ("saturation", self.saturation),
            )
            if spread
        ]
        if self.hue:
            steps.append(("hue", float(rng.uniform(-self.hue, self.hue))))
        return [steps[i] for i in rng.permutation(len(steps))]

    @staticmethod
    def apply(image: Image, steps: Sequence[ColourStep], whole: Image | None = None) -> Image:
        """Apply drawn steps.

        Args:
            image: uint8 (H, W, 3) BGR.
            steps: name and factor of each.
            whole: the picture that ``image`` is a part of, or a small copy of it; contrast takes the mean grey from
                there, so that a part is changed as the whole would be. ``image`` itself when absent.
        """
        for i, (key, factor) in enumerate(steps):
            if key == "contrast":
                before = image if whole is None else ColorJitter.apply(whole, steps[:i])
                image = _apply_contrast(image, factor, _mean_grey(before))
            else:
                image = _APPLY[key](image, factor)
        return image

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Draw and apply."""
        return replace(sample, image=self.apply(sample.image, self.draw(rng)))


def _mean_grey(image: Image) -> int:
    return round(float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0]))


def _apply_contrast(image: Image, factor: float, grey: int) -> Image:
    return cv2.addWeighted(image, factor, np.full_like(image, grey), 1.0 - factor, 0.0)


def _apply_brightness(image: Image, factor: float) -> Image:
    return cv2.convertScaleAbs(image, alpha=factor)


def _apply_saturation(image: Image, factor: float) -> Image:
    dull = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, factor, dull, 1.0 - factor, 0.0)


def _apply_hue(image: Image, turn: float) -> Image:
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turn * 256) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


_APPLY = {"brightness": _apply_brightness, "saturation": _apply_saturation, "hue": _apply_hue}
