"""`ppocr-pse export-model`: write a trained detector for inference engines, compared with the checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import load_trained, make_parser, read_config, run_in_words, start_run

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  ppocr-pse export-model -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.save_inference_dir=inference/det_mv3_pse

  # for Paddle 2.x too, without ONNX
  ppocr-pse export-model --pdmodel --no-onnx -c configs/det/det_mv3_pse.yml \\
      -o Global.pretrained_model=output/det_mv3_pse/best_accuracy Global.save_inference_dir=inference/det_mv3_pse

The folder gets inference.json (from Paddle 2.x .pdmodel), inference.pdiparams, inference.onnx and inference.yml, which
has all that a predictor needs to know: how pictures are read and resized, and the thresholds, as this configuration
with its -o has them. Every form is compared with the checkpoint first; when one is off, nothing is written.
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and export."""
    parser = make_parser("export-model", "Write a trained detector for inference engines.", EXAMPLES)
    parser.add_argument("--pdmodel", action="store_true", help="write inference.pdmodel too, which Paddle 2.x reads")
    parser.add_argument(
        "--onnx",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write inference.onnx or leave it out (default: when paddle2onnx is installed)",
    )
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: export(read_config(arguments), arguments))


def export(config: Config, arguments: argparse.Namespace) -> int:
    """Export as a configuration says."""
    from ppocr_pse.build_deploy import build_spec
    from ppocr_pse.deploy.export import Forms, export_model
    from ppocr_pse.schema import ConfigError

    if not config.settings.save_inference_dir:
        raise ConfigError(f"{config.path}: no folder is named; add -o Global.save_inference_dir=DIR")
    spec = build_spec(config)
    logger = start_run(config, None)
    model = load_trained(config, logger)
    folder = Path(config.settings.save_inference_dir)
    facts = export_model(model, spec, folder, Forms(arguments.pdmodel, arguments.onnx))
    for engine, difference in facts.differences.items():
        logger.info(f"{engine}: logits differ from the checkpoint's by {difference:.2g} of their largest size at most")
    if "inference.onnx" not in facts.files and arguments.onnx is None:
        logger.warning("without inference.onnx, for lack of paddle2onnx: pip install paddle2onnx, then export again")
    logger.info(f"exported to {folder}: {', '.join(facts.files)}, inference.yml")
    return 0
