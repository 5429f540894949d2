"""`python3 tools/verify_export.py`: the same as `ppocr-pse verify-export`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["verify-export", *sys.argv[1:]]))
