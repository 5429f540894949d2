"""`python3 tools/ray_infer.py`: the same as `ppocr-pse ray-infer`."""

import sys

from ppocr_pse.cli import main

if __name__ == "__main__":
    sys.exit(main(["ray-infer", *sys.argv[1:]]))
