"""`python3 tools/export_model.py`: the same as `ppocr-pse export-model`, under PaddleOCR's name."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["export-model", *sys.argv[1:]]))
