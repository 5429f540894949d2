"""What light and camera do to a scene: uneven light, shadows, blur, sensor noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from ppocr_pse.data.synthetic.texture import Image, clouds, grain, to_image

_COARSE = 8


def light(rng: np.random.Generator, picture: Image) -> Image:
    """Uneven, tinted light, sometimes with a cast shadow or darker corners."""
    height, width = picture.shape[:2]
    rows, columns = (
        height // _COARSE + 1,
        width // _COARSE + 1,
    )  # light is smooth: an eighth of the size will do
    field = 1 + rng.uniform(0.02, 0.14) * clouds(rng, rows, columns, 600 / _COARSE, 1)
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    if rng.random() < 0.5:  # a lamp to one side
        field = field + rng.uniform(-0.25, 0.25) * y + rng.uniform(-0.25, 0.25) * x
    if rng.random() < 0.2:
        field = field * (1 - rng.uniform(0.1, 0.3) * (x * x + y * y))
    if rng.random() < 0.25:  # something out of sight stands between sun and wall
        corners = rng.uniform(-0.2, 1.2, (int(rng.integers(3, 6)), 2)) * (columns, rows)
        mask = np.zeros((rows, columns), np.float32)
        cv2.fillPoly(mask, [cv2.convexHull(np.round(corners).astype(np.int32))], (1.0,))
        field = field * (1 - rng.uniform(0.2, 0.5) * cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.8, 2.5)))
    gain = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
    tinted = (np.clip(field, 0.35, 1.6)[:, :, None] * gain).astype(np.float32)
    return np.asarray(cv2.multiply(picture, cv2.resize(tinted, (width, height)), dtype=cv2.CV_8U), np.uint8)


def lens(rng: np.random.Generator, picture: Image, blur: float) -> Image:
    """Slight defocus, motion or a coarse sensor, none stronger than a Gaussian of sigma ``blur`` pixels."""
    sigma = blur * rng.beta(1.0, 2.0)
    kind = rng.random()
    if sigma < 0.25:
        return picture
    if kind < 0.65:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    if kind < 0.85:  # a shake: a line has the variance length^2 / 12
        length = max(2.0, sigma * np.sqrt(12.0))
        side = 2 * int(np.ceil(length / 2)) + 1
        angle = rng.uniform(0, np.pi)
        reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        kernel = np.zeros((side, side), np.float32)
        ends = np.round((np.stack([-reach, reach]) + side // 2) * 16).astype(np.int64).tolist()
        cv2.line(kernel, ends[0], ends[1], (1.0,), 1, cv2.LINE_AA, 4)
        return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)
    height, width = picture.shape[:2]
    share = 1.0 / (1.0 + 0.8 * sigma)
    small = cv2.resize(picture, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def sensor(rng: np.random.Generator, picture: Image, noise: float) -> Image:
    """Gaussian noise, partly common to the channels, with a deviation of up to ``noise`` grey levels."""
    strength = noise * rng.beta(1.0, 2.0)
    if strength < 0.5:
        return picture
    height, width = picture.shape[:2]
    colour = rng.uniform(0.0, 0.7)
    share = strength / np.sqrt(1 + colour * colour)
    common = cv2.multiply(grain(rng, height, width), share)
    planes = [
        cv2.scaleAdd(grain(rng, height, width), share * colour, cv2.add(plane, common, dtype=cv2.CV_32F))
        for plane in cv2.split(picture)
    ]
    return to_image(np.asarray(cv2.merge(planes), np.float32))


def compress(picture: Image, quality: int) -> Image:
    """Encode as JPEG and decode: block and ringing artefacts."""
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
