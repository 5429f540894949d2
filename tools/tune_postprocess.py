"""`python3 tools/tune_postprocess.py`: the same as `ppocr-pse tune-postprocess`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["tune-postprocess", *sys.argv[1:]]))
