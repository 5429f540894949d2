"""`ppocr-pse predict-det`: detect text with an exported detector; the flags are PaddleOCR's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import run_in_words
from ppocr_pse.cli.folder import Opened, open_exported, run_folder
from ppocr_pse.cli.folder_options import HELP_ON_RESULTS, add_options

if TYPE_CHECKING:
    from ppocr_pse.deploy.spec import Overrides

OUTPUT = Path("inference_results")

EXAMPLES = f"""\
examples:
  ppocr-pse predict-det --image_dir photos --det_model_dir inference/det_mv3_pse

  # other thresholds than those that were exported, polygons, ONNX Runtime, results elsewhere
  ppocr-pse predict-det --image_dir photos --det_model_dir inference/det_mv3_pse --use_onnx True \\
      --det_pse_box_thresh 0.7 --det_box_type poly --draw_img_save_dir found

  # subfolders too, word pictures for a recogniser; goes on where it was stopped
  ppocr-pse predict-det --image_dir photos -r --det_model_dir inference/det_mv3_pse --formats drawn,crops --resume

How pictures are resized and decoded is taken from the export's inference.yml; a flag that is given overrides it, a
flag that is not given changes nothing. In the folder --draw_img_save_dir there are then det_results.txt and, for each
picture, det_res_NAME with its texts outlined.

{HELP_ON_RESULTS}"""


def yes_or_no(text: str) -> bool:
    """Parse PaddleOCR's ``True`` and ``False``."""
    if text.lower() in ("true", "t", "1", "yes"):
        return True
    if text.lower() in ("false", "f", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")


def make_parser() -> argparse.ArgumentParser:
    """Declare the flags; those without a default leave inference.yml, or the automatic choice, as it is."""
    parser = argparse.ArgumentParser(
        prog="ppocr-pse predict-det",
        description="Detect text with an exported detector.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--image_dir", nargs="+", type=Path, default=[], metavar="PATH", help="pictures, folders, quoted patterns")
    add("--det_model_dir", required=True, type=Path, metavar="DIR", help="made by tools/export_model.py")
    add("--det_algorithm", choices=("PSE",), default="PSE", help="PSE is all there is")
    one = parser.add_argument_group("override inference.yml")
    one.add_argument("--det_limit_side_len", type=int, metavar="PIXELS")
    one.add_argument("--det_limit_type", choices=("min", "max", "resize_long"))
    one.add_argument("--det_pse_thresh", type=float, metavar="LOGIT")
    one.add_argument("--det_pse_box_thresh", type=float, metavar="PROBABILITY")
    one.add_argument("--det_pse_min_area", type=int, metavar="PIXELS")
    one.add_argument("--det_pse_scale", type=int, choices=(1, 2, 4))
    one.add_argument("--det_box_type", "--det_pse_box_type", choices=("quad", "poly"))
    two = parser.add_argument_group("PaddleOCR's ways to name engine and device")
    two.add_argument("--use_gpu", type=yes_or_no, metavar="True|False", help="an accelerator, or the cpu")
    two.add_argument("--gpu_id", type=int, default=0, metavar="N")
    two.add_argument("--use_onnx", type=yes_or_no, default=False, metavar="True|False", help="--engine onnxruntime")
    two.add_argument(
        "--use_tensorrt", type=yes_or_no, default=False, metavar="True|False", help="--engine paddle_tensorrt"
    )
    add_options(parser, str(OUTPUT))
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse arguments and detect."""
    arguments = make_parser().parse_args(argv)
    return run_in_words(lambda: predict(arguments), paddle=False)


def predict(arguments: argparse.Namespace) -> int:
    """Detect as the flags say."""
    from ppocr_pse.engine.log import start_log
    from ppocr_pse.schema import ConfigError

    if not arguments.image_dir and not arguments.lists:
        raise ConfigError("no pictures are named; give --image_dir PATH, or --list FILE")
    start_log()
    results = (arguments.output or OUTPUT) / "det_results.txt"
    make = partial(open_detector, arguments)
    return run_folder(arguments.image_dir, results, arguments, make, drawn="det_res_")


def open_detector(arguments: argparse.Namespace, count: int) -> Opened:
    """Open the detector that the flags describe, for a number of pictures.

    Raises:
        ConfigError, EngineError: if it cannot be opened.
    """
    folder = arguments.det_model_dir
    folder = folder.parent if folder.name == "inference.onnx" else folder  # PaddleOCR names the file with --use_onnx
    return open_exported(folder, engine_of(arguments), device_of(arguments), arguments, count, overrides_of(arguments))


def overrides_of(arguments: argparse.Namespace) -> Overrides:
    """What is to differ from inference.yml."""
    from ppocr_pse.deploy.spec import Overrides

    return Overrides(
        limit_side_len=arguments.det_limit_side_len,
        limit_type=arguments.det_limit_type,
        thresh=arguments.det_pse_thresh,
        box_thresh=arguments.det_pse_box_thresh,
        min_area=arguments.det_pse_min_area,
        box_type=arguments.det_box_type,
        scale=arguments.det_pse_scale,
    )


def engine_of(arguments: argparse.Namespace) -> str:
    """The one engine that is asked for.

    Raises:
        ConfigError: if there are several.
    """
    from ppocr_pse.schema import ConfigError

    asked = {arguments.engine or "auto"} - {"auto"}
    asked |= {"onnxruntime"} if arguments.use_onnx else set()
    asked |= {"paddle_tensorrt"} if arguments.use_tensorrt else set()
    if len(asked) > 1:
        raise ConfigError(f"the flags ask for several engines, {' and '.join(sorted(asked))}; give one")
    return next(iter(asked), "auto")


def device_of(arguments: argparse.Namespace) -> str:
    """The device that is asked for, or what there is.

    Raises:
        ConfigError: if it is asked for in two ways, or an accelerator is and there is none.
    """
    from ppocr_pse.deploy.devices import find_device
    from ppocr_pse.deploy.engines.base import thread_count
    from ppocr_pse.schema import ConfigError

    if arguments.device is not None:
        if arguments.use_gpu is not None:
            raise ConfigError(f"--use_gpu and --device {arguments.device} say the same; give one of them")
        return arguments.device
    if arguments.use_gpu is False:
        return "cpu"
    device = find_device("auto", thread_count(arguments.threads))
    if device != "cpu":
        return f"{device.partition(':')[0]}:{arguments.gpu_id}"
    if arguments.use_gpu:
        raise ConfigError(
            "--use_gpu True: neither Paddle nor ONNX Runtime sees an accelerator here; see docs/export.md"
        )
    return "cpu"
