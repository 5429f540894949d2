"""`python3 tools/score.py`: the same as `ppocr-pse score`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
