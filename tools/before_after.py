"""Put labels and what two detectors found side by side, a row a picture: `make demo` shows with it what it trained."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from ppocr_pse.data.labels import LabelError, read_labels
from ppocr_pse.data.results import PictureResults, ResultError, read_results
from ppocr_pse.types import Detections
from ppocr_pse.visualize import Image, caption, contact_sheet, draw_detections, draw_labels, write_image

EXAMPLES = """\
example:
  python3 tools/before_after.py --data demo/data --labels demo/data/val_label.txt \\
      --before demo/before/results.txt --after demo/after/results.txt --out demo/before_after.jpg
"""
CELL = (300, 400)


def main() -> int:
    """Parse arguments and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the labelled pictures")
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="labels, PaddleOCR lines")
    parser.add_argument("--before", type=Path, required=True, metavar="FILE", help="result lines of one detector")
    parser.add_argument("--after", type=Path, required=True, metavar="FILE", help="result lines of the other")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture to write")
    parser.add_argument("--rows", type=int, default=6, metavar="N", help="pictures to show (6)")
    arguments = parser.parse_args()
    try:
        before, after = (by_name(file) for file in (arguments.before, arguments.after))
        annotations = read_labels(arguments.labels, arguments.data).annotations
    except (LabelError, ResultError) as error:
        parser.error(str(error))
    shown = [a for a in annotations if a.image.name in before and a.image.name in after][: arguments.rows]
    if not shown:
        parser.error("no picture of --labels stands in both result files")
    cells: list[Image] = []
    for annotation in shown:
        image = cv2.imread(str(annotation.image))
        if image is None:
            parser.error(f"{annotation.source}: no picture at {annotation.image}")
        labelled = draw_labels(image, annotation.polygons, annotation.ignored, [False] * len(annotation.polygons))
        cells.append(caption(labelled, [f"{(~annotation.ignored).sum()} texts labelled"], CELL))
        for title, found in (("before", before), ("after", after)):
            result = found[annotation.image.name]
            polygons = tuple(polygon.round().astype(np.int32) for polygon in result.polygons)
            drawn = draw_detections(image, Detections(polygons, result.scores.astype(np.float32)))
            cells.append(caption(drawn, [f"{title}: {len(polygons)} found"], CELL))
    write_image(arguments.out, contact_sheet(cells, columns=3, cell=CELL))
    print(arguments.out)
    return 0


def by_name(file: Path) -> dict[str, PictureResults]:
    """Results by the file name of their picture."""
    return {Path(picture.name).name: picture for picture in read_results(file, "lines").pictures}


if __name__ == "__main__":
    sys.exit(main())
