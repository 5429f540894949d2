"""`python -m ppocr_pse.cli`: the same as the `ppocr-pse` command."""

import sys

from ppocr_pse.cli import main

sys.exit(main())
