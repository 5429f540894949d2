"""The post-processing in plain Python, word for word as docs/postprocess.md tells it; for tests only."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np


def expand(kernels: np.ndarray, min_area: int) -> np.ndarray:
    """Label map of uint8 or bool (K, H, W)."""
    height, width = kernels.shape[1:]
    label = np.zeros((height, width), np.int32)
    count = 0
    for start in map(tuple, np.argwhere(kernels[-1])):
        if label[start]:
            continue
        count += 1
        label[start] = count
        waiting = deque([start])
        while waiting:
            for n in neighbours(*waiting.popleft(), height, width):
                if kernels[-1][n] and not label[n]:
                    label[n] = count
                    waiting.append(n)
    areas = np.bincount(label.ravel(), minlength=count + 1)
    label[areas[label] < min_area] = 0
    queue = deque(map(tuple, np.argwhere(label)))
    for kernel in kernels[-2::-1] if len(kernels) > 1 else []:
        carried: deque[tuple[int, int]] = deque()
        while queue:
            pixel = queue.popleft()
            taken = [n for n in neighbours(*pixel, height, width) if kernel[n] and not label[n]]
            for n in taken:
                label[n] = label[pixel]
            queue.extend(taken)
            if not taken:
                carried.append(pixel)
        queue = carried
    return label


def neighbours(y: int, x: int, height: int, width: int) -> list[tuple[int, int]]:
    """Up, down, left, right, as far as they are inside."""
    around = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
    return [(a, b) for a, b in around if 0 <= a < height and 0 <= b < width]


def upsample(plane: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear with half-pixel centres, float32, kept within the range of the four corners."""
    if factor == 1:
        return plane

    def taps(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        source = (np.arange(count * factor) + 0.5) / factor - 0.5
        low = np.maximum(np.floor(source).astype(int), 0)
        high = np.where(source < 0, 0, np.minimum(low + 1, count - 1))
        return low, high, np.where(source < 0, 0, source - low).astype(np.float32)

    (y0, y1, wy), (x0, x1, wx) = taps(plane.shape[0]), taps(plane.shape[1])
    wy = wy[:, None]
    corners = [plane[np.ix_(a, b)] for a, b in ((y0, x0), (y1, x0), (y0, x1), (y1, x1))]
    weights = [(1 - wy, 1 - wx), (wy, 1 - wx), (1 - wy, wx), (wy, wx)]
    value = np.zeros((len(y0), len(x0)), np.float32)
    with np.errstate(all="ignore"):
        for corner, (a, b) in zip(corners, weights):
            value = value + np.where((a == 0) | (b == 0), np.float32(0), corner * a * b)
        return np.clip(value, np.minimum.reduce(corners), np.maximum.reduce(corners))


def binarize(maps: np.ndarray, thresh: float, scale: int) -> np.ndarray:
    """Kernels bool (K, H, W) of logits (K, h, w)."""
    full = np.stack([upsample(plane, 4 // scale) for plane in maps])
    return (full > np.float32(thresh)) & (full[0] > np.float32(thresh))


def decode(
    maps: np.ndarray, thresh: float, box_thresh: float, min_area: int, box_type: str, scale: int
) -> list[tuple[int, int, float, np.ndarray]]:
    """Label, area, score and outline in map pixels (float32 quad or int32 polygon) of each region of a picture."""
    label = expand(binarize(maps, thresh, scale), min_area)
    with np.errstate(all="ignore"):
        score = 1 / (1 + np.exp(-upsample(maps[0], 4 // scale).astype(np.float64)))
    regions = []
    for i in range(1, label.max(initial=0) + 1):
        inside = label == i
        area = int(inside.sum())
        if area == 0 or area < min_area or score[inside].mean() < box_thresh:
            continue
        outline: np.ndarray = cv2.boxPoints(cv2.minAreaRect(np.argwhere(inside)[:, ::-1].astype(np.int32)))
        if box_type == "poly":
            found, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            contour = found[0][:, 0]
            if len(np.unique(contour, axis=0)) >= 3:
                outline = contour
        regions.append((i, area, float(score[inside].mean()), outline))
    return regions
