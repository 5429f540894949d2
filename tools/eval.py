"""`python3 tools/eval.py`: the same as `ppocr-pse eval`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
