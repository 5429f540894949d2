"""`python3 tools/train.py`: the same as `ppocr-pse train`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
