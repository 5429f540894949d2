"""`python3 tools/convert_dataset.py`: the same as `ppocr-pse convert-dataset`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["convert-dataset", *sys.argv[1:]]))
