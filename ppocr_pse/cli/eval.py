"""`ppocr-pse eval`: score a detector on labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import (
    load_trained,
    make_parser,
    read_config,
    report_problems,
    run_in_words,
    start_run,
)

if TYPE_CHECKING:
    from ppocr_pse.config import Config

EXAMPLES = """\
  ppocr-pse eval -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/best_accuracy

  # other labels, another threshold
  ppocr-pse eval -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/best_accuracy \\
      Eval.dataset.data_dir=train_data/mine Eval.dataset.label_file_list=[train_data/mine/test.txt] \\
      PostProcess.box_thresh=0.8
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and evaluate."""
    parser = make_parser("eval", "Score a detector: precision, recall, hmean, and where the time went.", EXAMPLES)
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: evaluate_config(read_config(arguments)))


def evaluate_config(config: Config) -> int:
    """Evaluate as a configuration says; 1 when a picture or a label could not be used."""
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.engine.evaluator import evaluate

    logger = start_run(config, None)
    pool = build.build_annotations(config, "Eval")
    report_problems(pool.problems, "Eval.dataset", logger)
    metric = build.build_metric(config.section("Metric"))
    model = load_trained(config, logger)
    predictor = build.build_predictor(config, model)

    def watch(results):  # type: ignore[no-untyped-def]
        return tqdm(results, total=len(pool.annotations), desc="evaluate", unit="picture", disable=None)

    result = evaluate(predictor, pool.annotations, metric, min(build.eval_workers(config), 2), watch)
    for fault in result.faults:
        logger.warning(f"{fault} (its texts count as missed)")
    logger.info(
        f"metric, precision: {result.precision:.6f}, recall: {result.recall:.6f}, hmean: {result.hmean:.6f}, "
        f"fps: {result.fps:.2f}"
    )
    counts = result.counts
    logger.info(f"texts: {counts.truths}, detections: {counts.detections}, matched: {counts.recall_hits}")
    logger.info(result.describe_time())
    return 1 if result.faults or pool.problems else 0
