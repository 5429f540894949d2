"""`python3 tools/merge.py`: the same as `ppocr-pse merge`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["merge", *sys.argv[1:]]))
