"""Backgrounds: crops of scikit-image's sample pictures, procedural surfaces, and scenes made of both."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from ppocr_pse.data.synthetic.surfaces import SURFACES
from ppocr_pse.data.synthetic.texture import Image, wall_colour

_WHOLE = (0.0, 0.0, 1.0, 1.0)
SAMPLES: dict[str, tuple[float, float, float, float]] = {
    "astronaut.png": (0.0, 0.0, 1.0, 0.6),  # below: badges with lettering
    "brick.png": _WHOLE,
    "camera.png": _WHOLE,
    "chelsea.png": _WHOLE,
    "coffee.png": _WHOLE,
    "coins.png": _WHOLE,
    "grass.png": _WHOLE,
    "gravel.png": _WHOLE,
    "hubble_deep_field.jpg": _WHOLE,
    "ihc.png": _WHOLE,
    "moon.png": _WHOLE,
    "motorcycle_left.png": (0.0, 0.0, 0.37, 1.0),  # to the right: a maker's name, boxes with print
    "retina.jpg": (0.2, 0.2, 0.8, 0.8),
    "rocket.jpg": _WHOLE,
}
"""Sample pictures, and their part without lettering: left, top, right, bottom as shares of the sides."""


@cache
def _read_sample(path: Path) -> Image:
    with PIL.Image.open(path) as picture:  # cv2 would print a warning about the colour profiles
        return np.ascontiguousarray(np.asarray(picture.convert("RGB"), np.uint8)[:, :, ::-1])


@cache
def sample_paths() -> tuple[Path, ...]:
    """Those of ``SAMPLES`` that lie in the installed package; nothing is ever downloaded.

    scikit-image is located without being imported: its data module may fetch files.
    """
    spec = find_spec("skimage")
    roots = list(spec.submodule_search_locations or []) if spec else []
    found = (Path(root) / "data" / name for root in roots for name in SAMPLES)
    return tuple(path for path in found if path.is_file())


def photo(rng: np.random.Generator, height: int, width: int) -> Image:
    """A random crop of a sample picture, mirrored, recoloured and softened; plaster if none is installed."""
    paths = sample_paths()
    if not paths:
        return SURFACES[0](rng, height, width)
    path = paths[int(rng.integers(len(paths)))]
    picture = _read_sample(path)
    left, top, right, bottom = SAMPLES[path.name]
    rows, columns = picture.shape[:2]
    part = picture[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)]
    rows, columns = part.shape[:2]
    side = rng.uniform(0.35, 1.0) * min(rows / height, columns / width)
    crop_h, crop_w = max(1, int(side * height)), max(1, int(side * width))
    y, x = int(rng.integers(rows - crop_h + 1)), int(rng.integers(columns - crop_w + 1))
    crop = part[y : y + crop_h, x : x + crop_w]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    result = cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:  # the place is known, the season is not
        levels = np.arange(256)[:, None] / 128.0 * (wall_colour(rng) * 0.6 + 50)
        grey = cv2.cvtColor(cv2.cvtColor(result, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        result = cv2.LUT(grey, np.clip(levels, 0, 255).astype(np.uint8)[None])
    else:
        gain = (rng.uniform(0.75, 1.25, 3) if rng.random() < 0.6 else np.ones(3)) * rng.uniform(0.6, 1.2)
        shift = rng.uniform(-15, 25)
        levels = np.clip(np.arange(256)[:, None] * gain + shift, 0, 255).astype(np.uint8)
        result = cv2.LUT(result, levels[None])
    if rng.random() < 0.35:
        result = cv2.GaussianBlur(result, (0, 0), rng.uniform(0.6, 5.0))
    return np.asarray(result, np.uint8)


def _in_perspective(rng: np.random.Generator, picture: Image) -> Image:
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    pulled = corners + (rng.uniform(-0.35, 0.0, (4, 2)) * np.sign(width / 2 - corners) * (width, height)).astype(
        np.float32
    )
    matrix = cv2.getPerspectiveTransform(corners, pulled.astype(np.float32))
    return np.asarray(cv2.warpPerspective(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def plain(rng: np.random.Generator, height: int, width: int, photos: float) -> Image:
    """One sample picture (with probability ``photos``) or one surface, flat or in perspective."""
    if rng.random() < photos:
        return photo(rng, height, width)
    surface = SURFACES[int(rng.integers(len(SURFACES)))](rng, height, width)
    return _in_perspective(rng, surface) if rng.random() < 0.6 else surface


def make_background(rng: np.random.Generator, height: int, width: int, photos: float) -> Image:
    """A whole scene without text: one ground, or several that meet at slanted lines (wall, floor, side wall).

    Args:
        rng: where the random numbers come from.
        height: rows.
        width: columns.
        photos: share of the parts that come from sample pictures.

    Returns:
        uint8 (height, width, 3), BGR.
    """
    scene = plain(rng, height, width, photos)
    for _ in range(int(rng.choice(3, p=[0.5, 0.35, 0.15]))):
        other = plain(rng, height, width, photos)
        start, end = rng.uniform(0.12, 0.88) + rng.uniform(-0.12, 0.12, 2)
        if rng.random() < 0.5:
            region = np.array([[0, start * height], [width, end * height], [width, height], [0, height]])
        else:
            region = np.array([[start * width, 0], [end * width, height], [0, height], [0, 0]])
            region = region if rng.random() < 0.5 else (width, 0) + region * (-1, 1)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [np.round(region).astype(np.int32)], (255,))
        scene = np.asarray(cv2.copyTo(other, mask, scene), np.uint8)
        if rng.random() < 0.6:
            edge = np.round(region[:2]).astype(np.int64).tolist()
            cv2.line(scene, edge[0], edge[1], wall_colour(rng).tolist(), int(rng.integers(1, 12)), cv2.LINE_AA)
    return scene
