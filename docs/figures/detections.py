"""Draw docs/images/detections.jpg, by the detector in the box: ``python docs/figures/detections.py`` from the root."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ppocr_pse import Detector
from ppocr_pse.visualize import draw_detections

ROWS = (("street", "car_park", "page"), ("cafe", "launch", "officer"))
WIDTH, GAP = 1600, 8


def main() -> None:
    """Two rows of pictures of one height each, on white."""
    detector = Detector()
    rows = []
    for names in ROWS:
        drawn = []
        for name in names:
            picture = cv2.imread(str(Path("examples/photos") / f"{name}.jpg"))
            drawn.append(draw_detections(picture, detector.detect(picture)))
        room = WIDTH - GAP * (len(drawn) - 1)
        height = room / sum(picture.shape[1] / picture.shape[0] for picture in drawn)
        widths = [round(height * picture.shape[1] / picture.shape[0]) for picture in drawn]
        widths[-1] += room - sum(widths)
        parts = [np.full((round(height), GAP, 3), 255, np.uint8)] * (2 * len(drawn) - 1)
        parts[::2] = [
            cv2.resize(picture, (width, round(height)), interpolation=cv2.INTER_AREA)
            for picture, width in zip(drawn, widths)
        ]
        rows += [np.hstack(parts), np.full((GAP, WIDTH, 3), 255, np.uint8)]
    cv2.imwrite("docs/images/detections.jpg", np.vstack(rows[:-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
