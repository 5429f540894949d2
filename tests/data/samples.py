"""A picture with one bright text, for tests of what moves and cuts it."""

from __future__ import annotations

import numpy as np

from ppocr_pse.types import Sample

BOX = np.array([[10, 20], [50, 20], [50, 40], [10, 40]], np.float32)


def sample(height: int = 80, width: int = 120, box: np.ndarray = BOX) -> Sample:
    image = np.zeros((height, width, 3), np.uint8)
    x0, y0 = box.min(axis=0).astype(int)
    x1, y1 = box.max(axis=0).astype(int)
    image[y0:y1, x0:x1] = 255
    return Sample(image, (box,), np.array([False]), "s")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)
