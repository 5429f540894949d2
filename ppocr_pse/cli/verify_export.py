"""`ppocr-pse verify-export`: compare every form of an exported detector with its checkpoint on real pictures."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import load_trained, make_parser, read_config, run_in_words, start_run

if TYPE_CHECKING:
    import logging

    import paddle

    from ppocr_pse.config import Config
    from ppocr_pse.deploy.engines.base import Engine
    from ppocr_pse.deploy.spec import InferenceSpec
    from ppocr_pse.deploy.verify import Comparison

EXAMPLES = """\
  # on the first 10 pictures of the validation split
  ppocr-pse verify-export -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.save_inference_dir=inference/det_mv3_pse

  # on all pictures of a folder, with two of the engines
  ppocr-pse verify-export --images photos --count 0 --engines onnxruntime openvino_bf16 \\
      -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.save_inference_dir=inference/det_mv3_pse

A form is off when its logits differ from the checkpoint's by more than the share of their largest size that its
engine is allowed, or when fewer than 99 % of the boxes (90 % in bfloat16) are the same. The exit code is 1 when a form
is off, when inference.yml and the configuration disagree, or when files or weights were changed since the export.
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and compare."""
    parser = make_parser("verify-export", "Compare an exported detector with its checkpoint on pictures.", EXAMPLES)
    parser.add_argument("--images", type=Path, metavar="PATH", help="a picture or a folder; default: the Eval split")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="pictures to compare on (10; 0 for all)")
    parser.add_argument("--engines", nargs="+", metavar="NAME", help="default: all that can run here")
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: verify(read_config(arguments), arguments))


def verify(config: Config, arguments: argparse.Namespace) -> int:
    """Compare; 1 when something is off."""
    from ppocr_pse.build_deploy import build_spec
    from ppocr_pse.deploy.spec import read_spec
    from ppocr_pse.deploy.verify import format_table
    from ppocr_pse.schema import ConfigError

    if not config.settings.save_inference_dir:
        raise ConfigError(f"{config.path}: no export is named; add -o Global.save_inference_dir=DIR")
    folder = Path(config.settings.save_inference_dir)
    spec, own = read_spec(folder), build_spec(config)
    pictures = choose_pictures(config, arguments.images, arguments.count)
    logger = start_run(config, None)
    model = load_trained(config, logger)
    problems = [*changed_settings(own, spec), *changed_files(folder, spec, model)]
    engines = open_engines(folder, arguments.engines, logger)
    rows, faults = compare(pictures, own, spec, model, engines)
    print(format_table(rows))
    problems += [f"{row.name} is off, most of all on {row.worst}" for row in rows if row.is_off]
    for problem in (*problems, *faults):
        logger.error(problem)
    if not any(row.pictures for row in rows):
        logger.error("not one picture could be read, nothing was compared")
    elif not problems:
        logger.info(f"{folder} gives what the checkpoint gives, on {rows[0].pictures} pictures")
    return 1 if problems or faults else 0


def choose_pictures(config: Config, place: Path | None, count: int) -> list[Path]:
    """The first pictures of a place, else of the validation split; a count of 0 means all."""
    from ppocr_pse.build import build_annotations
    from ppocr_pse.data.picture_files import find_pictures

    if place is not None:
        paths = find_pictures(place)
    else:
        paths = [annotation.image for annotation in build_annotations(config, "Eval").annotations]
    return list(itertools.islice(paths, count or None))


def changed_settings(own: InferenceSpec, spec: InferenceSpec) -> list[str]:
    """Say where inference.yml and the configuration disagree."""
    from ppocr_pse.deploy.spec import describe_decoder, describe_preprocess

    def settings(of: InferenceSpec) -> dict[str, object]:
        steps = {name: values for step in describe_preprocess(of.preprocess) for name, values in step.items()}
        return {**steps, "PostProcess": describe_decoder(of.decoder)}

    mine, exported = settings(own), settings(spec)
    return [
        f"{name}: inference.yml has {exported.get(name)}, the configuration {value}"
        for name, value in mine.items()
        if exported.get(name) != value
    ]


def changed_files(folder: Path, spec: InferenceSpec, model: paddle.nn.Layer) -> list[str]:
    """Say which files are not what was exported, and whether the checkpoint is another one."""
    from ppocr_pse.deploy.digests import file_digest, weights_digest

    problems = [
        f"{folder / name} is missing or was changed after the export"
        for name, digest in spec.facts.files.items()
        if not (folder / name).is_file() or file_digest(folder / name) != digest
    ]
    if spec.facts.weights and spec.facts.weights != weights_digest(model.state_dict()):
        problems.append(f"{folder} was exported from other weights than these; export again")
    return problems


def open_engines(folder: Path, names: Sequence[str] | None, logger: logging.Logger) -> list[Engine]:
    """Start the engines that are asked for, or all that can run here.

    Raises:
        EngineError: if one that is asked for, or every one, cannot be used.
    """
    import paddle

    from ppocr_pse.deploy.engines.base import EngineError, Exported, Place, thread_count
    from ppocr_pse.deploy.engines.choose import ENGINES

    place = Place(paddle.device.get_device(), thread_count(None))
    opened: list[Engine] = []
    for name in names or ENGINES:
        if name not in ENGINES:
            raise EngineError(f"--engines: unknown engine {name!r}, expected {', '.join(ENGINES)}")
        try:
            opened.append(ENGINES[name](Exported(folder), place))
        except EngineError as error:
            if names:
                raise
            logger.info(f"without {name}: {error}")
    if not opened:
        raise EngineError(f"{folder}: no engine can run it, see above")
    return opened


def compare(
    pictures: Sequence[Path],
    own: InferenceSpec,
    spec: InferenceSpec,
    model: paddle.nn.Layer,
    engines: Sequence[Engine],
) -> tuple[list[Comparison], list[str]]:
    """Run checkpoint and engines on every picture.

    Returns:
        One comparison an engine, and what is wrong with pictures that could not be read.
    """
    from tqdm import tqdm

    from ppocr_pse.data.preprocess import ImageError
    from ppocr_pse.deploy.verify import Comparison
    from ppocr_pse.engine.paddle_network import PaddleNetwork

    reference = PaddleNetwork(model)
    rows = [Comparison(engine.name, engine.tolerance) for engine in engines]
    faults: list[str] = []
    for path in tqdm(pictures, desc="compare", unit="picture", disable=None):
        try:
            mine = own.preprocess.prepare(own.preprocess.decode(path))
            theirs = spec.preprocess.prepare(spec.preprocess.decode(path))
        except ImageError as error:
            faults.append(str(error))
            continue
        expected = reference.run(mine.image[None])
        expected_found = own.decoder.decode(expected, [mine.scale])[0]
        for row, engine in zip(rows, engines):
            maps = engine.run(theirs.image[None])
            row.add(str(path), maps[0], expected[0], spec.decoder.decode(maps, [theirs.scale])[0], expected_found)
    return rows, faults
