"""`ppocr-pse train`: train a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import make_parser, read_config, report_problems, run_in_words, start_run

if TYPE_CHECKING:
    from ppocr_pse.config import Config
    from ppocr_pse.engine.evaluator import Evaluation

EXAMPLES = """\
  # four cards, mixed precision
  python3 -u -m paddle.distributed.launch --gpus 0,1,2,3 tools/train.py -c configs/det/det_r50_vd_pse.yml \\
      -o Global.use_amp=True Global.scale_loss=1024.0 Global.use_dynamic_loss_scaling=True

  # one process, a smaller batch, no pretrained backbone
  ppocr-pse train -c configs/det/det_mv3_pse.yml -o Global.pretrained_model= Train.loader.batch_size_per_card=4

  # go on where a run stopped
  ppocr-pse train -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/latest
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and train."""
    parser = make_parser(
        "train", "Train a detector; checkpoints, log and curves go to Global.save_model_dir.", EXAMPLES
    )
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: train(read_config(arguments)))


def train(config: Config) -> int:
    """Train as a configuration says."""
    import paddle

    from ppocr_pse import build
    from ppocr_pse.engine import runtime
    from ppocr_pse.engine.precision import Precision
    from ppocr_pse.engine.weights import load_pretrained

    settings = config.settings
    rank, world_size = runtime.rank(), runtime.world_size()
    main_process = rank == 0
    save_dir = Path(settings.save_model_dir)
    logger = start_run(config, save_dir / "train.log" if main_process else None, main_process)
    if main_process:
        (save_dir / "config.yml").write_text(config.dump(), encoding="utf-8")

    pool = build.build_annotations(config, "Train")
    report_problems(pool.problems, "Train.dataset", logger)
    loader = build.build_train_loader(config, pool, rank, world_size)
    network = build.build_model(config.section("Architecture"))
    if settings.pretrained_model and not settings.checkpoints:
        logger.info(load_pretrained(network, settings.pretrained_model))
    if world_size > 1:
        paddle.distributed.init_parallel_env()
    if settings.use_sync_bn and paddle.device.get_device() != "cpu":
        network = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(network)
    model = network
    if world_size > 1:
        model = paddle.DataParallel(network, find_unused_parameters=settings.find_unused_parameters)
    precision = Precision(
        paddle.device.get_device(),
        settings.use_amp,
        settings.amp_level,
        settings.amp_dtype,
        settings.scale_loss,
        settings.use_dynamic_loss_scaling,
        settings.amp_custom_black_list,
        settings.amp_custom_white_list,
    )
    if precision.notice:
        logger.warning(precision.notice)
    evaluate = _evaluation(config, network, rank, world_size)
    trainer = build.build_trainer(config, model, network, loader, evaluate, precision, logger, main_process)
    size = sum(int(parameter.size) for parameter in network.parameters() if not parameter.stop_gradient)
    logger.info(
        f"train on {len(pool.annotations)} pictures, {len(loader)} batches an epoch, {settings.epoch_num} epochs, "
        f"{len(network.state_dict())} tensors, {size:,} parameters"
    )
    if settings.checkpoints:
        trainer.resume(settings.checkpoints)
    trainer.fit()
    kept = "best_accuracy" if evaluate is not None else "latest"
    logger.info(f"done: {save_dir / kept}.pdparams, {save_dir / 'metrics.csv'}, {save_dir / 'curves.png'}")
    return 0


def _evaluation(config: Config, network: object, rank: int, world_size: int) -> Callable[[], Evaluation] | None:
    """Make the callable that scores the network; None when the configuration has no Eval section or never evaluates."""
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.engine import runtime
    from ppocr_pse.engine.evaluator import evaluate

    every = config.settings.eval_start_and_every[1]
    if "Eval" not in config.tree or (every == 0 and not config.settings.eval_batch_epoch):
        return None
    pool = build.build_annotations(config, "Eval")
    report_problems(pool.problems, "Eval.dataset", runtime.LOGGER)
    predictor = build.build_predictor(config, network)
    metric = build.build_metric(config.section("Metric"))
    workers = min(build.eval_workers(config), 2)

    def score() -> Evaluation:
        bar = tqdm(
            total=len(pool.annotations) // world_size,
            desc="evaluate",
            unit="picture",
            leave=False,
            disable=None,
        )

        def watch(results):  # type: ignore[no-untyped-def]
            for result in results:
                yield result
                bar.update()
            bar.close()

        return evaluate(predictor, pool.annotations, metric, workers, watch, rank, world_size)

    return score
