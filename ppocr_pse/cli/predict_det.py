"""`ppocr-pse predict-det`: detect text with an exported detector; the flags are PaddleOCR's."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ppocr_pse.deploy.detector import Detector

EXAMPLES = """\
examples:
  ppocr-pse predict-det --image_dir photos --det_model_dir inference/det_mv3_pse

  # other thresholds than those that were exported, polygons, ONNX Runtime, results elsewhere
  ppocr-pse predict-det --image_dir photos --det_model_dir inference/det_mv3_pse --use_onnx True \\
      --det_pse_box_thresh 0.7 --det_box_type poly --draw_img_save_dir found

How pictures are resized and decoded is taken from the export's inference.yml; a flag that is given overrides it, a
flag that is not given changes nothing. In the folder --draw_img_save_dir there are then
  det_results.txt   PATH<TAB>[{"transcription": "", "points": [[x, y], ...], "score": s}, ...], one line a picture
  det_res_NAME      the picture with its texts outlined
  det_errors.txt    PATH<TAB>what is wrong, for pictures that could not be used (only when there are any)
The exit code is 1 when a picture could not be used.
"""

LOG_FORM = ("[%(asctime)s] %(name)s %(levelname)s: %(message)s", "%Y/%m/%d %H:%M:%S")


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
    add("--image_dir", required=True, type=Path, metavar="PATH", help="a picture or a folder")
    add("--det_model_dir", required=True, type=Path, metavar="DIR", help="made by tools/export_model.py")
    add("--det_algorithm", choices=("PSE",), default="PSE", help="PSE is all there is")
    add("--draw_img_save_dir", type=Path, default=Path("inference_results"), metavar="DIR", help="for all results")
    add("--recursive", action="store_true", help="look into subfolders too")
    one = parser.add_argument_group("override inference.yml")
    one.add_argument("--det_limit_side_len", type=int, metavar="PIXELS")
    one.add_argument("--det_limit_type", choices=("min", "max", "resize_long"))
    one.add_argument("--det_pse_thresh", type=float, metavar="LOGIT")
    one.add_argument("--det_pse_box_thresh", type=float, metavar="PROBABILITY")
    one.add_argument("--det_pse_min_area", type=int, metavar="PIXELS")
    one.add_argument("--det_pse_scale", type=int, choices=(1, 2, 4))
    one.add_argument("--det_box_type", "--det_pse_box_type", choices=("quad", "poly"))
    two = parser.add_argument_group("where and how it runs; by itself the fastest engine that gives the same boxes")
    two.add_argument("--use_gpu", type=yes_or_no, metavar="True|False", help="an accelerator, or the cpu")
    two.add_argument("--gpu_id", type=int, default=0, metavar="N")
    two.add_argument("--engine", default="auto", metavar="NAME", help="see docs/export.md")
    two.add_argument("--use_onnx", type=yes_or_no, default=False, metavar="True|False", help="--engine onnxruntime")
    two.add_argument(
        "--use_tensorrt", type=yes_or_no, default=False, metavar="True|False", help="--engine paddle_tensorrt"
    )
    two.add_argument("--cpu_threads", type=int, metavar="N", help="default: OMP_NUM_THREADS, else all cores")
    return parser


def main(argv: Sequence[str]) -> int:
    """Parse arguments and detect."""
    from ppocr_pse.deploy.engines.base import DeployError
    from ppocr_pse.schema import ConfigError

    arguments = make_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format=LOG_FORM[0], datefmt=LOG_FORM[1], stream=sys.stdout, force=True)
    try:
        return predict(arguments)
    except (ConfigError, DeployError, ImportError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def open_detector(arguments: argparse.Namespace) -> Detector:
    """Make the detector that the flags describe.

    Raises:
        ConfigError, EngineError: if it cannot be made.
    """
    from ppocr_pse.deploy.detector import Detector
    from ppocr_pse.deploy.devices import find_device
    from ppocr_pse.deploy.engines.base import thread_count
    from ppocr_pse.deploy.spec import Overrides
    from ppocr_pse.schema import ConfigError

    asked = {arguments.engine} - {"auto"}
    asked |= {"onnxruntime"} if arguments.use_onnx else set()
    asked |= {"paddle_tensorrt"} if arguments.use_tensorrt else set()
    if len(asked) > 1:
        raise ConfigError(f"the flags ask for several engines, {' and '.join(sorted(asked))}; give one")
    device = "cpu"
    if arguments.use_gpu is not False:
        device = find_device("auto", thread_count(arguments.cpu_threads))
        if device != "cpu":
            device = f"{device.partition(':')[0]}:{arguments.gpu_id}"
        elif arguments.use_gpu:
            raise ConfigError(
                "--use_gpu True: neither Paddle nor ONNX Runtime sees an accelerator here; see docs/export.md"
            )
    folder = arguments.det_model_dir
    overrides = Overrides(
        limit_side_len=arguments.det_limit_side_len,
        limit_type=arguments.det_limit_type,
        thresh=arguments.det_pse_thresh,
        box_thresh=arguments.det_pse_box_thresh,
        min_area=arguments.det_pse_min_area,
        box_type=arguments.det_box_type,
        scale=arguments.det_pse_scale,
    )
    folder = folder.parent if folder.name == "inference.onnx" else folder  # PaddleOCR names the file with --use_onnx
    return Detector(folder, next(iter(asked), "auto"), device, arguments.cpu_threads, overrides)


def predict(arguments: argparse.Namespace) -> int:
    """Detect as the flags say; 1 when a picture could not be used."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from ppocr_pse.cli.infer import DrawnNames
    from ppocr_pse.data.labels import LabelError, format_label_line
    from ppocr_pse.data.picture_files import find_pictures
    from ppocr_pse.visualize import draw_detections, write_image

    logger = logging.getLogger("ppocr")
    place, target = arguments.image_dir, arguments.draw_img_save_dir
    pictures = find_pictures(place, arguments.recursive)
    pictures = [path for path in pictures if not (target in path.parents and path.name.startswith("det_res_"))]
    detector = open_detector(arguments)
    target.mkdir(parents=True, exist_ok=True)
    names = DrawnNames(place if place.is_dir() else place.parent, target)
    errors: list[tuple[Path, str]] = []
    texts = 0
    bar = tqdm(zip(pictures, detector.stream(pictures)), total=len(pictures), unit="picture", disable=None)
    results_file = (target / "det_results.txt").open("w", encoding="utf-8", errors="surrogateescape")
    with results_file as results, logging_redirect_tqdm():
        for path, found in bar:
            try:
                if found.detections is None or found.image is None:
                    raise OSError(found.error)
                count, scores = len(found.detections), found.detections.scores.tolist()
                line = format_label_line(str(path), [""] * count, found.detections.polygons, scores)
                results.write(line + "\n")
                results.flush()
                name = names.of(path)
                write_image(name.with_name(f"det_res_{name.name}"), draw_detections(found.image, found.detections))
                texts += count
            except (LabelError, OSError) as error:
                errors.append((path, str(error)))
                logger.error(str(error))
    write_errors(target / "det_errors.txt", errors)
    logger.info(f"{texts} texts in {len(pictures) - len(errors)} pictures; results: {target / 'det_results.txt'}")
    if errors:
        logger.error(f"{len(errors)} of {len(pictures)} pictures could not be used, see {target / 'det_errors.txt'}")
    return 1 if errors else 0


def write_errors(file: Path, errors: Sequence[tuple[Path, str]]) -> None:
    """List the pictures that could not be used; the file of an earlier run goes when there are none."""
    if not errors:
        file.unlink(missing_ok=True)
        return
    with file.open("w", encoding="utf-8", errors="surrogateescape") as listing:
        for path, error in errors:
            listing.write(f"{' '.join(str(path).split(chr(10)))}\t{' '.join(error.split())}\n")
