"""`python3 tools/infer_det.py`: the same as `ppocr-pse infer`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
