"""`ppocr-pse train` with the 16-bit kernels that Paddle has for cards only: python -m tests.plugin.train -c ..."""

import sys

from ppocr_pse.cli import main, prepare_environment

if __name__ == "__main__":
    prepare_environment()
    from tests.plugin import half_kernels

    half_kernels.install()
    sys.exit(main(["train", *sys.argv[1:]]))
