"""The commands: `ppocr-pse train|eval|infer|make-synthetic`, and what `tools/*.py` call."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Sequence

COMMANDS = {
    "train": "train a detector",
    "eval": "score a detector on labelled pictures",
    "score": "score result files of any detector",
    "tune-postprocess": "find thresh, box_thresh and min_area on a validation split",
    "infer": "detect text in pictures and folders",
    "merge": "put results of shards, or of any runs, together",
    "ray-infer": "detect as a job of Ray Data, on one machine or a cluster",
    "export-model": "write a trained detector for inference engines",
    "verify-export": "compare an exported detector with its checkpoint on pictures",
    "predict-det": "detect text with an exported detector, with PaddleOCR's flags",
    "convert-dataset": "convert annotations from one data set's format to another",
    "convert-weights": "convert weights of other programs: PSENet's authors, torchvision, timm, MindOCR, ...",
    "check-data": "say what training would lose of a data set",
    "show-batch": "draw what the network will see in training",
    "make-synthetic": "make pictures with labelled text",
    "doctor": "is this machine ready, and if not, what cures it?",
}

USAGE = """usage: ppocr-pse COMMAND ...

commands:
{commands}

ppocr-pse COMMAND --help describes each, with examples.
"""


def prepare_environment() -> None:
    """Set what must be set before Paddle is imported: threads for every core (its own default is one), less noise."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = int(os.environ.get("PADDLE_LOCAL_SIZE") or os.environ.get("PADDLE_TRAINERS_NUM") or 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // max(1, processes))))
    os.environ.setdefault("GLOG_minloglevel", "2")
    if _paddle_is_2():
        # its zlib takes the place of theirs when they are loaded later, and they crash
        for module in ("cv2", "pyclipper"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
    for noise in ("No ccache found", "When training, we now always track global mean and variance"):
        warnings.filterwarnings("ignore", message=noise)


def _paddle_is_2() -> bool:
    for name in ("paddlepaddle", "paddlepaddle-gpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name).startswith("2.")
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: command name and its arguments; those of the process when None.

    Returns:
        0; 1 when some input could not be used, the rest was done; 2 for a configuration or a file that stops the work.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        listing = "\n".join(f"  {name:16} {text}" for name, text in COMMANDS.items())
        wants_help = bool(arguments) and arguments[0] in ("-h", "--help")
        print(USAGE.format(commands=listing), file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    prepare_environment()
    command = importlib.import_module(f"ppocr_pse.cli.{arguments[0].replace('-', '_')}")
    try:
        return int(command.main(arguments[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
