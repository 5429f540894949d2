"""`ppocr-pse eval`: score a detector on labelled pictures, report on it, and write result files for others to score."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_pse.cli.common import (
    exit_code_of,
    load_trained,
    make_parser,
    read_config,
    report_problems,
    run_in_words,
    start_run,
)

if TYPE_CHECKING:
    import logging

    from ppocr_pse.config import Config
    from ppocr_pse.engine.evaluator import Evaluation
    from ppocr_pse.engine.predictor import PictureResult
    from ppocr_pse.engine.ranks import RankWatch
    from ppocr_pse.metrics import PictureCounts
    from ppocr_pse.report import Facts
    from ppocr_pse.types import Annotation

EXAMPLES = """\
  ppocr-pse eval -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/best_accuracy

  # other labels, another threshold
  ppocr-pse eval -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/best_accuracy \\
      Eval.dataset.data_dir=train_data/mine Eval.dataset.label_file_list=[train_data/mine/test.txt] \\
      PostProcess.box_thresh=0.8

  # run by Paddle itself instead of the fastest engine that is installed
  ppocr-pse eval -c configs/det/det_mv3_pse.yml \\
      -o Global.checkpoints=output/det_mv3_pse/best_accuracy Global.engine=paddle

  # a page that shows where the score is lost (report/report.html), with the 40 worst pictures
  ppocr-pse eval -c configs/det/det_mv3_pse.yml --report report --gallery 40 \\
      -o Global.checkpoints=output/det_mv3_pse/best_accuracy

  # the pictures shared out over four cards, the same figures
  python3 -m paddle.distributed.launch --gpus 0,1,2,3 tools/eval.py -c configs/det/det_r50_vd_pse.yml \\
      -o Global.checkpoints=output/det_r50_vd_pse/best_accuracy

  # result files for the Robust Reading Competition's portal
  ppocr-pse eval -c configs/det/det_mv3_pse.yml --submission submit.zip \\
      -o Global.checkpoints=output/det_mv3_pse/best_accuracy
"""
SUBMISSION_FORMS = ("rrc", "ctw1500", "totaltext")


def main(argv: Sequence[str]) -> int:
    """Parse arguments and evaluate."""
    parser = make_parser("eval", "Score a detector: precision, recall, hmean, and where the time went.", EXAMPLES)
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.html, report.json and CSV tables to it"
    )
    parser.add_argument(
        "--gallery", type=natural, default=24, metavar="N", help="show the N worst pictures in the report (24)"
    )
    parser.add_argument(
        "--submission",
        type=Path,
        metavar="FILE.zip|DIR",
        help="write result files, one a picture, into a zip or a folder",
    )
    parser.add_argument(
        "--submission-form",
        choices=SUBMISSION_FORMS,
        help="rrc: res_img_N.txt with 4 clockwise corners; ctw1500, totaltext: polygons, y before x, as their scripts "
        "read them (default: by Metric.protocol)",
    )
    parser.add_argument("--submission-line-end", choices=("crlf", "lf"), help="default: crlf for rrc, else lf")
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: evaluate_config(read_config(arguments), arguments))


def natural(text: str) -> int:
    """Parse a whole number from 0 up."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def evaluate_config(config: Config, arguments: argparse.Namespace) -> int:
    """Evaluate as a configuration says, over all ranks; 1 when a picture or a label could not be used."""
    from ppocr_pse.engine import runtime
    from ppocr_pse.engine.ranks import watch_ranks
    from ppocr_pse.schema import ConfigError

    rank, world_size = runtime.rank(), runtime.world_size()
    if world_size > 1 and (arguments.report or arguments.submission):
        raise ConfigError("--report and --submission need all pictures in one process; start it without the launcher")
    logger = start_run(config, None, rank == 0)
    limits = config.settings.rank_timeout, config.settings.stall_timeout
    with watch_ranks(rank, world_size, None, *limits, exit_code_of) as ranks:
        return _evaluate(config, arguments, ranks, logger)


def _evaluate(config: Config, arguments: argparse.Namespace, ranks: RankWatch, logger: logging.Logger) -> int:
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.build_deploy import build_network
    from ppocr_pse.data.submission import SubmissionError, check_target, submission_names, write_submission
    from ppocr_pse.engine.evaluator import evaluate
    from ppocr_pse.report import write_report
    from ppocr_pse.schema import ConfigError

    pool = build.build_annotations(config, "Eval")
    report_problems(pool.problems, "Eval.dataset", logger)
    metric = build.build_metric(config.section("Metric"))
    pictures = [str(annotation.image) for annotation in pool.annotations]
    form = arguments.submission_form or next((f for f in SUBMISSION_FORMS if metric.protocol.startswith(f)), "rrc")
    try:  # whatever the results could not be written for is said before the network runs
        if arguments.report:
            arguments.report.mkdir(parents=True, exist_ok=True)
        if arguments.submission:
            submission_names(pictures, form)
            check_target(arguments.submission)
    except (SubmissionError, OSError) as error:
        raise ConfigError(f"--report or --submission: {error}") from None
    observer = Observer(config, metric.rules, arguments.gallery, arguments.report is not None)
    model = load_trained(config, logger)
    ranks.at("start, opening the engine")
    weights = config.settings.checkpoints or config.settings.pretrained_model or ""
    network = build_network(config, model, weights, lanes=0)
    predictor = build.build_predictor(config, model, network)
    predictor.keep_logits = arguments.report is not None

    def watch(results):  # type: ignore[no-untyped-def]
        total = len(pool.annotations[ranks.rank :: ranks.world_size])
        hidden = None if ranks.rank == 0 else True
        return tqdm(results, total=total, desc="evaluate", unit="picture", disable=hidden)

    workers = min(build.eval_workers(config), 2)
    result = evaluate(predictor, pool.annotations, metric, workers, watch, ranks, observe=observer)
    for fault in result.faults:
        logger.warning(f"{fault} (its texts count as missed)")
    logger.info(
        f"metric, precision: {result.precision:.6f}, recall: {result.recall:.6f}, hmean: {result.hmean:.6f}, "
        f"fps: {result.fps:.2f}"
    )
    counts = result.counts
    logger.info(f"texts: {counts.truths}, detections: {counts.detections}, matched: {counts.recall_hits}")
    logger.info(result.describe_time())
    if observer.collector is not None:
        engine = getattr(network, "name", config.settings.engine)
        facts = describe_run(config, metric.protocol, engine, result, (*pool.problems, *result.faults))
        logger.info(f"report: {write_report(observer.collector.report(facts), arguments.report)}")
    if arguments.submission:
        write_submission(arguments.submission, form, pictures, observer.found, arguments.submission_line_end)
        logger.info(f"submission: {arguments.submission}, {len(pictures)} result files of the form {form}")
    return 1 if result.faults or pool.problems else 0


class Observer:
    """Sees every picture of an evaluation: keeps the outlines that were found, and feeds the report.

    Args:
        config: the configuration.
        rules: the protocol.
        gallery: how many pictures the report shows.
        with_report: whether there is to be one.
    """

    def __init__(self, config: Config, rules: Any, gallery: int, with_report: bool) -> None:
        from ppocr_pse.build import build_decoder, build_preprocess
        from ppocr_pse.report import Collector
        from ppocr_pse.schema import Section

        self.found: list[Sequence[Any]] = []
        self.collector = Collector(rules, gallery) if with_report else None
        self._img_mode = build_preprocess(config).decode.img_mode
        # The curve needs what box_thresh drops; decoding once more costs milliseconds, running the network seconds.
        self._decoder = build_decoder(Section({**config.section("PostProcess"), "box_thresh": 0.0}))

    def __call__(self, annotation: Annotation, result: PictureResult, counts: PictureCounts) -> None:
        """Take in one picture."""
        found = result.detections
        self.found.append(found.polygons)
        if self.collector is None:
            return
        every = found
        if result.logits is not None and result.scale is not None:
            every = self._decoder.decode(result.logits[None], [result.scale])[0]
        self.collector.add(
            annotation,
            counts,
            found.polygons,
            found.scores,
            (every.polygons, every.scores),
            result.bgr,
            result.logits,
            result.scale,
        )


def describe_run(config: Config, protocol: str, engine: str, result: Evaluation, faults: Sequence[str]) -> Facts:
    """What a report says about an evaluation, besides its figures."""
    from dataclasses import astuple

    import paddle

    from ppocr_pse import __version__
    from ppocr_pse.build import build_decoder
    from ppocr_pse.engine.evaluator import STAGES
    from ppocr_pse.report import Facts, describe_machine

    settings, tree = config.settings, config.tree
    dataset = tree["Eval"]["dataset"]
    weights = settings.checkpoints or settings.pretrained_model or ""
    decoder = build_decoder(config.section("PostProcess"))
    resize = [step["DetResizeForTest"] for step in dataset["transforms"] if "DetResizeForTest" in step]
    files = dataset["label_file_list"]
    return Facts(
        title=f"{config.path.stem}: {Path(weights).name}",
        protocol=protocol,
        settings=(
            ("weights", weights),
            ("configuration", str(config.path)),
            ("labels", files if isinstance(files, str) else ", ".join(map(str, files))),
            ("pictures", str(dataset["data_dir"])),
            ("DetResizeForTest", ", ".join(f"{key} {value}" for key, value in (resize[0] or {}).items())),
            *((key, str(getattr(decoder, key))) for key in ("thresh", "box_thresh", "min_area", "box_type", "scale")),
        ),
        machine=(
            ("device", paddle.device.get_device()),
            ("engine", engine),
            *describe_machine(),
            ("Paddle", paddle.__version__),
            ("ppocr_pse", __version__),
        ),
        config=config.dump(),
        stages=tuple(zip(STAGES, astuple(result.timing))),
        seconds=result.seconds,
        threshold=decoder.box_thresh,
        faults=tuple(faults),
    )
