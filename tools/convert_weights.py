"""`python3 tools/convert_weights.py`: the same as `ppocr-pse convert-weights`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["convert-weights", *sys.argv[1:]]))
