"""`ppocr-pse infer`: detect text in pictures, with the detector in the box, an exported one or a checkpoint."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import load_trained, make_parser, read_config, run_in_words, start_run
from ppocr_pse.cli.folder import Opened, memory_for, open_exported, run_folder
from ppocr_pse.cli.folder_options import HELP_ON_RESULTS, add_options

if TYPE_CHECKING:
    from ppocr_pse.config import Config

OUTPUT = Path("output/infer")

EXAMPLES = f"""\
  # with the detector in the box: results in {OUTPUT}/results.txt, drawn pictures in {OUTPUT}/det_results/
  ppocr-pse infer street.jpg

  # with a detector that tools/export_model.py wrote: a folder with its subfolders, word pictures for a recogniser
  ppocr-pse infer photos --recursive --model inference/det_mv3_pse --output found --formats jsonl,drawn,crops

  # outlines that follow curved text, fewer detections
  ppocr-pse infer street.jpg --box_type poly --box_thresh 0.93

  # with a checkpoint
  ppocr-pse infer photos -c configs/det/det_mv3_pse.yml -o Global.pretrained_model=output/det_mv3_pse/best_accuracy
  ppocr-pse infer -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.infer_img=photos/street.jpg

  # patterns, names from another program, larger scans than the limit against decompression bombs allows
  ppocr-pse infer 'scans/**/*.tif' --max_pixels 0 --max_memory 4G
  find photos -newer yesterday -name '*.jpg' -print0 | ppocr-pse infer --list - -0

  # part 2 of 8 of a job array, which goes on where it was stopped; then all parts together
  ppocr-pse infer photos -r --output found --resume --shard $SLURM_ARRAY_TASK_ID/8
  ppocr-pse merge found

{HELP_ON_RESULTS}"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and detect."""
    parser = make_parser("infer", "Detect text in pictures, folders, patterns and lists of them.", EXAMPLES, False)
    parser.add_argument("places", nargs="*", type=Path, metavar="PICTURE_OR_FOLDER", help="or a quoted pattern")
    parser.add_argument("--model", type=Path, metavar="DIR", help="made by tools/export_model.py; not with -c")
    add = parser.add_argument_group("instead of what the export's inference.yml says; not with -c").add_argument
    add("--box_thresh", type=float, metavar="P", help="fewer detections the higher it is, 0 to 1")
    add("--box_type", choices=("quad", "poly"), help="rectangles, or outlines that follow curved text")
    add("--thresh", type=float, metavar="LOGIT")
    add("--min_area", type=int, metavar="PIXELS")
    add("--scale", type=int, choices=(1, 2, 4), help="1 is the finest, 4 the fastest")
    add("--limit_side_len", type=int, metavar="PIXELS", help="size at which the network sees pictures")
    add("--limit_type", choices=("min", "max", "resize_long"), help="which side that is")
    add_options(parser, f"{OUTPUT}, with -c the folder of Global.save_res_path")
    end = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_intermixed_args(argv[:end])
    arguments.places += map(Path, argv[end + 1 :])  # intermixed parsing would forget the -- before a dash
    if arguments.config:
        if arguments.threads:
            os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # read by Paddle once, when it is imported
        return run_in_words(lambda: infer_with_checkpoint(arguments))
    return run_in_words(lambda: infer_with_export(arguments), paddle=False)


def infer_with_export(arguments: argparse.Namespace) -> int:
    """Detect with an exported detector, or the one in the box."""
    from ppocr_pse.deploy.spec import Overrides
    from ppocr_pse.engine.log import start_log
    from ppocr_pse.schema import ConfigError

    if arguments.opt:
        raise ConfigError(f"-o {arguments.opt[0]}: -o changes a configuration, and none is named; add -c FILE")
    if not arguments.places and not arguments.lists:
        raise ConfigError("no pictures are named; name files, folders or patterns, or --list FILE (see --help)")
    start_log()
    engine, device = arguments.engine or "auto", arguments.device or "auto"
    overrides = Overrides(**{field.name: getattr(arguments, field.name) for field in fields(Overrides)})
    return run_folder(
        arguments.places,
        (arguments.output or OUTPUT) / "results.txt",
        arguments,
        lambda count: open_exported(arguments.model, engine, device, arguments, count, overrides),
    )


def infer_with_checkpoint(arguments: argparse.Namespace) -> int:
    """Detect with a configuration and a checkpoint, run by the engine that ``Global.engine`` names."""
    from ppocr_pse.schema import ConfigError

    keys = {"model": None, "device": "Global.use_gpu"}
    keys |= {name: f"PostProcess.{name}" for name in ("box_thresh", "box_type", "thresh", "min_area", "scale")}
    keys |= {name: f"Eval.dataset.transforms.N.DetResizeForTest.{name}" for name in ("limit_side_len", "limit_type")}
    for option, key in keys.items():
        if getattr(arguments, option) is not None:
            cure = f"give -o {key}=..." if key else "give one of the two"
            raise ConfigError(f"--{option} goes with an exported detector and -c with a checkpoint; {cure}")
    misplaced = [opt for opt in arguments.opt if "=" not in opt]
    if misplaced:
        raise ConfigError(
            f"-o {misplaced[0]}: expected A.b.c=VALUE; pictures stand before -o, or behind -- ({misplaced[0]!r} is "
            "taken for a key)"
        )
    given = {"engine": arguments.engine, "max_pixels": arguments.max_pixels}
    arguments.opt += [f"Global.{key}={value}" for key, value in given.items() if value is not None]
    config = read_config(arguments)
    settings = config.settings
    places = arguments.places
    if not places and not arguments.lists:
        if not settings.infer_img:
            raise ConfigError(
                f"{config.path}: no pictures are named; name them, or add -o Global.infer_img=FILE_OR_FOLDER"
            )
        places = [Path(settings.infer_img)]
    results = arguments.output / "results.txt" if arguments.output else Path(settings.save_res_path)
    return run_folder(places, results, arguments, lambda count: open_checkpoint(config, arguments, count))


def open_checkpoint(config: Config, arguments: argparse.Namespace, count: int) -> Opened:
    """Build the network, load its weights and start the engine of ``Global.engine``, for a number of pictures."""
    from ppocr_pse import build, build_deploy
    from ppocr_pse.deploy.detector import limits_for
    from ppocr_pse.deploy.digests import weights_digest

    logger = start_run(config, None)
    model = load_trained(config, logger)
    checkpoint = config.settings.checkpoints or config.settings.pretrained_model or ""
    network = build_deploy.build_network(config, model, checkpoint, arguments.threads, 1 if count < 2 else 0)
    predictor = build.build_predictor(config, model, network)
    decode = predictor.preprocess.decode
    if config.settings.max_pixels is not None:
        decode = replace(decode, max_pixels=config.settings.max_pixels)
    predictor.preprocess = replace(predictor.preprocess, decode=decode)
    architecture = config.section("Architecture")
    predictor.limits = limits_for(memory_for(arguments), network, arguments.batch, architecture)
    return Opened(predictor, weights_digest(model.state_dict()))
