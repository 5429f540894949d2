"""`python3 tools/make_synthetic.py`: the same as `ppocr-pse make-synthetic`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["make-synthetic", *sys.argv[1:]]))
