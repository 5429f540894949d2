"""Writes a data set of synthetic text scenes: pictures and PaddleOCR label files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from ppocr_pse.data.labels import format_label_line
from ppocr_pse.data.synthetic import STYLES, UNREADABLE, SceneStyle, make_scene

_TRAIN, _VAL = 0, 1  # second number of the seeds: the two sets never share a scene

_EPILOG = """\
what is written:
  DIR/images/00001.jpg ...      the pictures of the training set
  DIR/label.txt                 their labels, one picture a line; a text that nobody could read is ###
  DIR/images/val_00001.jpg ...  and DIR/val_label.txt, with --val
  In a configuration: data_dir: DIR, label_file_list: [DIR/label.txt]

examples:
  a training set and a held-out set that a small network learns in minutes:
    python3 tools/make_synthetic.py --out train_data/synthetic --count 500 --val 60 --style easy

  as hard as street photographs, with half of the words curved:
    python3 tools/make_synthetic.py --out train_data/curved --count 2000 --curved 0.5

  wide pictures with 1 to 4 large words, always the same ones for the same seed:
    python3 tools/make_synthetic.py --out train_data/wide --count 200 --size 480x960 --words 1 4 \\
        --height 40 120 --seed 7
"""


def _size(text: str) -> tuple[int, int]:
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit() and min(int(height), int(width)) >= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH with sides of at least 64, such as 640x640")
    return int(height), int(width)


def _natural(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-pse make-synthetic",
        description="Make photograph-like pictures with straight, slanted and curved text, and their labels.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to, made if missing")
    parser.add_argument("--count", type=_natural, default=500, metavar="N", help="training pictures (default 500)")
    parser.add_argument("--val", type=_natural, default=0, metavar="N", help="held-out pictures (default 0: none)")
    parser.add_argument("--seed", type=_natural, default=0, metavar="S", help="same seed, same pictures (default 0)")
    parser.add_argument("--size", type=_size, default=(640, 640), metavar="HxW", help="in pixels (default 640x640)")
    parser.add_argument("--style", choices=sorted(STYLES), default="default", help="difficulty (default: default)")
    changes = parser.add_argument_group("changes to the style (each keeps the style's own value when left out)")
    changes.add_argument("--words", type=int, nargs=2, metavar=("MIN", "MAX"), help="words in a picture")
    changes.add_argument("--height", type=float, nargs=2, metavar=("MIN", "MAX"), help="of capital letters, pixels")
    changes.add_argument("--curved", type=float, metavar="P", help="share of the words that are curved, 0 to 1")
    changes.add_argument("--slanted", type=float, metavar="P", help="share of the straight blocks that are turned")
    changes.add_argument("--illegible", type=float, metavar="P", help="share of the words that cannot be read")
    changes.add_argument("--empty", type=float, metavar="P", help="share of the pictures without text")
    parser.add_argument("--quality", type=int, default=92, metavar="Q", help="of the JPEG files, 1 to 100 (default 92)")
    return parser


def _style(args: argparse.Namespace) -> SceneStyle:
    style: SceneStyle = STYLES[args.style]
    return replace(
        style,
        words=style.words if args.words is None else tuple(args.words),
        height=style.height if args.height is None else tuple(args.height),
        curved=style.curved if args.curved is None else args.curved,
        slanted=style.slanted if args.slanted is None else args.slanted,
        illegible=style.illegible if args.illegible is None else args.illegible,
        empty=style.empty if args.empty is None else args.empty,
    )


def _write_set(args: argparse.Namespace, style: SceneStyle, part: int, label_file: str, indices: Iterable[int]) -> str:
    """Write the pictures of one set, then its label file in one piece; returns a summary."""
    lines: list[str] = []
    words = curved = unreadable = empty = 0
    for index in indices:
        name = f"images/{'val_' if part == _VAL else ''}{index + 1:05d}.jpg"
        scene = make_scene((args.seed, part, index), args.size, style)
        path = args.out / name
        encoded = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, args.quality])[1]
        path.write_bytes(encoded.tobytes())
        lines.append(format_label_line(name, scene.texts, scene.polygons))
        words += len(scene.texts)
        curved += sum(len(polygon) > 4 for polygon in scene.polygons)
        unreadable += scene.texts.count(UNREADABLE)
        empty += not scene.texts
    target = args.out / label_file
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    unfinished.replace(target)
    return (
        f"{target}: {len(lines)} pictures, {words} words "
        f"({curved} curved, {unreadable} unreadable), {empty} pictures without text"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; those of the process when None.

    Returns:
        0 when everything was written, 2 when an option or the output folder cannot be used.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if not 1 <= args.quality <= 100:
        parser.error(f"argument --quality: {args.quality} is not between 1 and 100")
    if args.count + args.val == 0:
        parser.error("--count 0 without --val: nothing to make")
    try:
        style = _style(args)
    except ValueError as error:
        parser.error(str(error))
    try:
        (args.out / "images").mkdir(parents=True, exist_ok=True)
        for part, count, label_file in ((_TRAIN, args.count, "label.txt"), (_VAL, args.val, "val_label.txt")):
            if count:
                watched = tqdm(
                    range(count),
                    desc=label_file,
                    unit="picture",
                    file=sys.stderr,
                    disable=not sys.stderr.isatty(),
                )
                print(_write_set(args, style, part, label_file, watched))
    except OSError as error:
        print(f"error: cannot write to {args.out}: {error}", file=sys.stderr)
        return 2
    return 0
