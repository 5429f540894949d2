"""The options of commands that detect text in pictures."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppocr_pse.data.shards import Shard

KINDS = ("lines", "jsonl", "icdar", "labelme", "coco", "drawn", "crops", "sheet")
UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}

HELP_ON_RESULTS = """\
The results file has a line for every picture that could be read, for every page of a TIFF and frame of a GIF:
PATH<TAB>[{"transcription": "", "points": [[x, y], ...], "score": s}, ...]
where PATH is FILE, or FILE#page=N (N from 1) when the file holds several pictures, or that as a JSON string when it
holds a TAB, a line break or bytes that are no UTF-8. What could not be used stands in NAME_errors.txt beside it,
PATH<TAB>what is wrong. Exit codes: 0; 1 when anything could not be used; 2 when nothing was done; 130 and 143 when
Ctrl-C or SIGTERM stopped it: the same command with --resume goes on.
"""


def add_options(parser: argparse.ArgumentParser, output: str) -> None:
    """Declare the options that these commands have in common.

    Args:
        parser: of the command; how pictures are named beside --list is its matter.
        output: what --output is by itself, in words.
    """
    add = parser.add_argument_group("pictures").add_argument
    add("-r", "--recursive", action="store_true", help="look into subfolders too")
    add(
        "--list",
        action="append",
        default=[],
        metavar="FILE",
        dest="lists",
        help="names of pictures, one a line, or the first field of PaddleOCR's label lines; -: standard input",
    )
    add("-0", "--null", action="store_true", help="NUL, not line breaks, is between the names of lists")
    add("--shard", type=worded(Shard.parse), metavar="I/N", help="only part I of N, from 0; for job arrays")
    add("--max_pixels", "--max-pixels", type=whole(0), metavar="N", help="height x width allowed; 0: no limit")
    add = parser.add_argument_group("results").add_argument
    add("--output", "--draw_img_save_dir", type=Path, metavar="DIR", help=f"folder for all results; default: {output}")
    add("--formats", type=kinds, metavar="A,B", help=f"of {', '.join(KINDS)}; default: lines,drawn")
    add("--no-draw", "--no_draw", action="store_true", help="no drawn pictures")
    add("--scores", action="store_true", help="write the score beside each drawn text")
    add("--resume", action="store_true", help="go on with what an earlier run left; what failed is tried again")
    add = parser.add_argument_group("speed and memory").add_argument
    add("--engine", metavar="NAME", help="see docs/export.md; default: auto, the fastest that gives the same boxes")
    add("--device", metavar="NAME", help="auto, cpu, gpu:0, ...")
    add(
        "--threads",
        "--cpu_threads",
        type=int,
        metavar="N",
        help="of the network; default: OMP_NUM_THREADS, or all cores",
    )
    add("--workers", type=whole(0), default=2, metavar="N", help="threads that read and write pictures; default: 2")
    add("--batch", type=whole(1), default=1, metavar="N", help="pictures of one size in one call of the network")
    words = "of pictures and network, such as 4G; default: three quarters of what is free; 0: no limit"
    add("--max_memory", "--max-memory", type=size, metavar="SIZE", help=words)


def worded(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for argparse whose own words are shown when it refuses a value."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def whole(least: int) -> Callable[[str], int]:
    """A type for argparse: a whole number from ``least`` up."""

    def parsed(text: str) -> int:
        if not re.fullmatch(r"[0-9]+", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from {least} up")
        return int(text)

    return parsed


def size(text: str) -> int:
    """A type for argparse: bytes, such as 4G or 500M (K is 1024)."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a size such as 4G or 500M")
    return int(float(found[1]) * 2 ** UNITS[found[2].upper()])


def kinds(text: str) -> tuple[str, ...]:
    """A type for argparse: names of outputs with commas between them; the lines are always among them."""
    names = tuple(dict.fromkeys(["lines", *(name.strip() for name in text.split(",") if name.strip())]))
    wrong = [name for name in names if name not in KINDS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(KINDS)}")
    return names
