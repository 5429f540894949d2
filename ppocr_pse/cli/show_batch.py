"""`ppocr-pse show-batch`: draw what the network will see in training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import make_parser, read_config, run_in_words

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  # the first eight samples of the first epoch
  ppocr-pse show-batch -c configs/det/det_mv3_pse.yml --count 8 --output output/show_batch

  # samples 100 to 103 of epoch 20, with the paper's targets
  ppocr-pse show-batch -c configs/det/det_mv3_pse.yml --epoch 20 --first 100 --count 4 \\
      -o Train.dataset.transforms.4.MakePseGt.target=paper

Each PNG holds the crop as it goes to the network (before it is normalised), the text map, the kernels and the training
mask. The same configuration, epoch and number give the same sample here as in training.
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and draw."""
    parser = make_parser("show-batch", "Draw training samples: picture, text map, kernels and mask, as PNG.", EXAMPLES)
    parser.add_argument("--count", type=_at_least(1), default=8, metavar="N", help="samples to draw (default 8)")
    parser.add_argument("--epoch", type=_at_least(1), default=1, metavar="E", help="epoch, from 1 (default 1)")
    parser.add_argument(
        "--first", type=_at_least(0), default=0, metavar="I", help="place in the epoch's order, from 0 (default 0)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("output/show_batch"), metavar="DIR", help="folder (default %(default)s)"
    )
    arguments = parser.parse_args(argv)
    return run_in_words(
        lambda: show(read_config(arguments), arguments.epoch, arguments.first, arguments.count, arguments.output)
    )


def show(config: Config, epoch: int, first: int, count: int, output: Path) -> int:
    """Draw samples of an epoch in the order in which one process trains on them.

    Args:
        config: the whole configuration.
        epoch: from 1.
        first: number of the first sample, from 0.
        count: how many; fewer where the epoch ends.
        output: folder to write to, made if missing.

    Returns:
        0; 1 when a picture or label could not be used; 2 when there is nothing to draw or nowhere to write to.
    """
    import cv2

    from ppocr_pse import build
    from ppocr_pse.data.dataset import SampleFault
    from ppocr_pse.visualize import draw_sample, write_image

    pool = build.build_annotations(config, "Train")
    for problem in pool.problems:
        print(problem, file=sys.stderr)
    loader = build.build_train_loader(config, pool)
    order = loader.sampler.order(epoch)
    if first >= len(order):
        print(f"error: --first is {first}, but epoch {epoch} has {len(order)} samples, from 0", file=sys.stderr)
        return 2
    faults = 0
    for number, index in enumerate(order[first : first + count], first):
        item = loader.dataset[(epoch, index)]
        if isinstance(item, SampleFault):
            print(f"sample {number}: {item.message}", file=sys.stderr)
            faults += 1
            continue
        pixels = item.image.transpose(1, 2, 0)
        image = pixels if loader.dataset.chain.decode.img_mode == "BGR" else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        targets, name = item.targets, loader.dataset.name((epoch, index))
        title = f"epoch {epoch}, sample {number}: {name}"
        file = output / f"epoch{epoch}_{number:05d}_{Path(item.source).stem}.png"
        try:
            write_image(file, draw_sample(image, targets.text, targets.kernels, targets.mask, title))
        except OSError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        print(f"{file}: {name}, text {targets.text.mean():.1%}, ignored {1 - targets.mask.mean():.1%}")
    return 1 if faults or pool.problems else 0


def _at_least(least: int):  # type: ignore[no-untyped-def]
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number
