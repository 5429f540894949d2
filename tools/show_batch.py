"""`python3 tools/show_batch.py`: the same as `ppocr-pse show-batch`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["show-batch", *sys.argv[1:]]))
