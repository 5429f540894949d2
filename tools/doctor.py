"""`python3 tools/doctor.py`: the same as `ppocr-pse doctor`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
