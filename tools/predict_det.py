"""`python3 tools/predict_det.py`: the same as `ppocr-pse predict-det`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict-det", *sys.argv[1:]]))
