"""`infer` with a detector that takes what is dark for text: no weights, no Paddle. Run as a program it can be killed.

    python -m tests.fake_detector SECONDS ARGUMENTS...

SECONDS is what the network takes for a picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np

from ppocr_pse.cli import infer
from ppocr_pse.cli.folder import Opened
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.engine.predictor import Predictor
from ppocr_pse.postprocess import PSEDecoder


class DarkIsText:
    """Logits: +8 where the picture is dark, -8 elsewhere, the same for all seven maps."""

    name = "fake"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def run(self, images: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        dark = np.where(images.mean(axis=1)[:, ::4, ::4] < 0.0, 8.0, -8.0)
        return np.repeat(dark[:, None], 7, 1).astype(np.float32)


def make_predictor(seconds: float = 0.0) -> Predictor:
    preprocess = Preprocess(DecodeImage("BGR"), DetResizeForTest(limit_side_len=192), NormalizeImage())
    return Predictor(DarkIsText(seconds), preprocess, PSEDecoder(thresh=0, scale=1))


def main(arguments: Sequence[str]) -> int:
    infer.open_exported = lambda *_: Opened(make_predictor(float(arguments[0])), "fake")  # type: ignore[assignment]
    return infer.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
