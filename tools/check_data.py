"""`python3 tools/check_data.py`: the same as `ppocr-pse check-data`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["check-data", *sys.argv[1:]]))
