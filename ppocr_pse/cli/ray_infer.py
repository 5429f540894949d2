"""`ppocr-pse ray-infer`: detect text in pictures as a job of Ray Data, on one machine or a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ppocr_pse.cli.common import run_in_words
from ppocr_pse.cli.folder import LOGGER, Opened, run_folder
from ppocr_pse.cli.folder_options import HELP_ON_RESULTS, kinds, size, whole, worded

OUTPUT = Path("output/infer")
FORMATS = ("lines", "jsonl", "coco")

EPILOG = f"""\
examples:
  # four detectors on this machine
  ppocr-pse ray-infer photos --recursive --model inference/det_mv3_pse --output found --workers 4

  # on the cluster that this machine belongs to, one detector a GPU; every machine sees the same files
  ppocr-pse ray-infer /data/photos -r --model /data/det_mv3_pse --output /data/found \\
      --address auto --engine onnxruntime --num_gpus 1 --num_cpus 4 --formats jsonl,coco

  # go on with a run that was stopped
  ppocr-pse ray-infer photos -r --model inference/det_mv3_pse --output found --workers 4 --resume

Every machine needs ppocr_pse with Ray (pip install 'ppocr-pse[ray]') and sees pictures and export under the same paths.
Blocks of a worker or machine that ends are computed again; each picture stands in the results once. Files are those
of `ppocr-pse infer`, apart from what is drawn or cut out: for that, use infer --shard I/N.

{HELP_ON_RESULTS}"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and detect."""
    arguments = make_parser().parse_args(argv)
    return run_in_words(lambda: detect(arguments), paddle=False)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; options that `infer` has, too, are called and mean the same, but for --workers and --batch."""
    parser = argparse.ArgumentParser(
        prog="ppocr-pse ray-infer",
        description="Detect text in pictures as a job of Ray Data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(shard=None, no_draw=True, scores=False)
    add = parser.add_argument_group("pictures").add_argument
    add("places", nargs="*", type=Path, metavar="PICTURE_OR_FOLDER", help="or a quoted pattern")
    add("-r", "--recursive", action="store_true", help="look into subfolders too")
    add(
        "--list", action="append", default=[], metavar="FILE", dest="lists", help="names, one a line; -: standard input"
    )
    add("-0", "--null", action="store_true", help="NUL, not line breaks, is between the names of lists")
    add("--max_pixels", "--max-pixels", type=whole(0), metavar="N", help="height x width allowed; 0: no limit")
    add = parser.add_argument_group("results").add_argument
    add("--output", type=Path, default=OUTPUT, metavar="DIR", help=f"folder for all results; default: {OUTPUT}")
    add("--formats", type=worded(formats), default=("lines",), metavar="A,B", help=f"of {', '.join(FORMATS)}")
    add("--resume", action="store_true", help="go on with what an earlier run left; what failed is tried again")
    add = parser.add_argument_group("detectors").add_argument
    add("--model", type=Path, metavar="DIR", help="made by tools/export_model.py; default: the detector in the box")
    add("--engine", default="auto", metavar="NAME", help="see docs/export.md; auto: each worker takes its fastest")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, gpu:0, ...")
    add(
        "--threads",
        "--cpu_threads",
        type=whole(1),
        metavar="N",
        help="of each network; default: num_cpus, rounded down",
    )
    add("--max_memory", "--max-memory", type=size, default=0, metavar="SIZE", help="of each worker's pictures, as 4G")
    add = parser.add_argument_group("Ray").add_argument
    add("--address", default="local", help="local: start Ray here; auto: the cluster of this machine; ray://HOST:PORT")
    add(
        "--workers", type=whole(1), metavar="N", help="detectors, a process each; default: as many as there is room for"
    )
    add("--batch", type=whole(1), default=8, metavar="N", help="pictures given to a worker at a time; default: 8")
    add("--num_cpus", "--num-cpus", type=float, default=1.0, metavar="N", help="that a worker takes; default: 1")
    add("--num_gpus", "--num-gpus", type=float, default=0.0, metavar="N", help="that a worker takes; default: 0")
    return parser


def formats(text: str) -> tuple[str, ...]:
    """A type for argparse: names of outputs that need no pixels.

    Raises:
        ValueError: for others.
    """
    names = kinds(text)
    wrong = [name for name in names if name not in FORMATS]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is none of {', '.join(FORMATS)}; for other files use infer --shard I/N")
    return names


def detect(arguments: argparse.Namespace) -> int:
    """Detect as the arguments say; 1 when a picture could not be used."""
    from ppocr_pse.deploy.box import box_folder
    from ppocr_pse.deploy.ray_job import RayPredictor, start_ray, stop_ray
    from ppocr_pse.deploy.ray_worker import RayJob
    from ppocr_pse.deploy.spec import read_spec
    from ppocr_pse.engine.log import start_log
    from ppocr_pse.schema import ConfigError

    if not arguments.places and not arguments.lists:
        raise ConfigError("no pictures are named; name files or folders, or --list FILE (see --help)")
    folder = arguments.model or box_folder()
    try:
        job = RayJob(
            folder,
            arguments.engine,
            arguments.device,
            arguments.threads,
            max_pixels=arguments.max_pixels,
            memory=arguments.max_memory,
            address=arguments.address,
            workers=arguments.workers,
            batch=arguments.batch,
            num_cpus=arguments.num_cpus,
            num_gpus=arguments.num_gpus,
            folder=str(Path.cwd()),
        )
    except ValueError as error:
        raise ConfigError(f"--{error}") from None
    start_log()
    spec = read_spec(folder)

    def make(count: int) -> Opened:
        start_ray(job)
        started.callback(stop_ray)
        return Opened(RayPredictor(spec, job, LOGGER.warning), spec.facts.weights)

    with ExitStack() as started:
        return run_folder(arguments.places, arguments.output / "results.txt", arguments, make)
