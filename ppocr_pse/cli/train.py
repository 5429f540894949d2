"""`ppocr-pse train`: train a detector."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.cli.common import exit_code_of, make_parser, read_config, report_problems, run_in_words, start_run

if TYPE_CHECKING:
    import logging

    import paddle

    from ppocr_pse.config import Config
    from ppocr_pse.data.dataset import AnnotationPool
    from ppocr_pse.data.loader import TrainLoader
    from ppocr_pse.engine.evaluator import Evaluation
    from ppocr_pse.engine.ranks import RankWatch
    from ppocr_pse.engine.stopping import StopRequest

EXAMPLES = """\
  # four cards, mixed precision
  python3 -u -m paddle.distributed.launch --gpus 0,1,2,3 tools/train.py -c configs/det/det_r50_vd_pse.yml \\
      -o Global.use_amp=True Global.scale_loss=1024.0 Global.use_dynamic_loss_scaling=True

  # one process, a smaller batch, no pretrained backbone
  ppocr-pse train -c configs/det/det_mv3_pse.yml -o Global.pretrained_model= Train.loader.batch_size_per_card=4

  # go on where a run stopped; `auto` does so when there is something to go on from, for jobs that are requeued
  ppocr-pse train -c configs/det/det_mv3_pse.yml -o Global.checkpoints=output/det_mv3_pse/latest
  ppocr-pse train -c configs/det/det_mv3_pse.yml -o Global.checkpoints=auto Global.max_minutes=230
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and train."""
    parser = make_parser(
        "train", "Train a detector; checkpoints, log and curves go to Global.save_model_dir.", EXAMPLES
    )
    arguments = parser.parse_args(argv)
    return run_in_words(lambda: train(read_config(arguments)))


def train(config: Config) -> int:
    """Train as a configuration says.

    Returns:
        0 when the plan is done, 75 (EX_TEMPFAIL) when a signal or the time limit ended the run before: run it again.
    """
    from ppocr_pse.engine import runtime
    from ppocr_pse.engine.ranks import watch_ranks

    settings = config.settings
    rank, world_size = runtime.rank(), runtime.world_size()
    log_file = Path(settings.save_model_dir) / "train.log" if rank == 0 else None
    logger = start_run(config, log_file, rank == 0)
    limits = settings.rank_timeout, settings.stall_timeout
    try:
        with watch_ranks(rank, world_size, log_file, *limits, exit_code_of) as ranks:
            return _train(config, ranks, logger)
    except Exception as error:
        if world_size == 1:  # with several ranks the watch has written it to the log
            logger.error(f"the run ends: {error}")
        raise


def _train(config: Config, ranks: RankWatch, logger: logging.Logger) -> int:
    import paddle

    from ppocr_pse import build
    from ppocr_pse.data.reader.memory import dev_shm_notice
    from ppocr_pse.engine.collectives import largest
    from ppocr_pse.engine.stopping import EXIT_REQUEUE, StopRequest
    from ppocr_pse.engine.weights import load_pretrained

    settings, save_dir = config.settings, Path(config.settings.save_model_dir)
    ranks.at("start, connecting the ranks")
    if ranks.world_size > 1:
        paddle.distributed.init_parallel_env()
    if ranks.rank == 0:
        (save_dir / "config.yml").write_text(config.dump(), encoding="utf-8")
    ranks.at("start, reading labels")
    pool = build.build_annotations(config, "Train")
    report_problems(pool.problems, "Train.dataset", logger)
    loader = build.build_train_loader(config, pool, ranks.rank, ranks.world_size)
    network = build.build_model(config.section("Architecture"))
    ranks.at("start, loading weights")
    resume_from = _resume_from(settings.checkpoints, save_dir)
    if settings.pretrained_model and not resume_from:
        logger.info(load_pretrained(network, settings.pretrained_model))
    device = paddle.device.get_device()
    network = _with_sync_bn(network, settings.use_sync_bn, device, logger)
    precision = build.build_precision(config, device)
    if precision.notice:
        logger.warning(precision.notice)
    notice = "" if device == "cpu" else dev_shm_notice(int(os.environ.get("PADDLE_LOCAL_SIZE", "1")))
    if notice:
        logger.warning(notice)
    # asking the others makes the fastest rank wait for the slowest: on an accelerator only now and then
    check_every = 1 if device == "cpu" or ranks.world_size == 1 else min(10, settings.print_batch_step)
    agree = functools.partial(largest, ranks, what="training: whether to stop")
    with StopRequest(settings.max_minutes, check_every, agree) as stop:
        evaluate = _evaluation(config, network, ranks, stop)
        trainer = build.build_trainer(config, network, loader, evaluate, precision, logger, ranks, stop)
        logger.info(_describe(config, pool, loader, network, ranks))
        if resume_from:
            trainer.resume(resume_from)
        stopped = trainer.fit()
    latest = save_dir / "latest"
    if stopped:
        logger.warning(
            f"stopped by {stopped} after step {trainer.at.global_step}; {latest} is written. To go on: "
            f"-o Global.checkpoints={latest} (or Global.checkpoints=auto); exit code {EXIT_REQUEUE}"
        )
        return EXIT_REQUEUE
    kept = save_dir / "best_accuracy" if evaluate is not None else latest
    logger.info(f"done: {kept}.pdparams, {save_dir / 'metrics.csv'}, {save_dir / 'curves.png'}")
    return 0


def _resume_from(checkpoints: str | None, save_dir: Path) -> str | None:
    """``auto`` is ``latest`` of the folder that is trained into, when there is one: for jobs that are requeued."""
    if checkpoints != "auto":
        return checkpoints
    from ppocr_pse.engine.checkpoint import exists

    return str(save_dir / "latest") if exists(save_dir / "latest") else None


def _with_sync_bn(network: paddle.nn.Layer, wanted: bool, device: str, logger: logging.Logger) -> paddle.nn.Layer:
    import paddle

    if not wanted:
        return network
    if device == "cpu":
        logger.warning(
            "Global.use_sync_bn: Paddle has no SyncBatchNorm on a CPU; each rank normalises by its own batch"
        )
        return network
    return paddle.nn.SyncBatchNorm.convert_sync_batchnorm(network)


def _describe(
    config: Config, pool: AnnotationPool, loader: TrainLoader, network: paddle.nn.Layer, ranks: RankWatch
) -> str:
    from ppocr_pse import build

    size = sum(int(parameter.size) for parameter in network.parameters() if not parameter.stop_gradient)
    accumulated = config.settings.accumulate_steps
    together = f"{loader.sampler.batch_size} a rank x {ranks.world_size} ranks"
    if accumulated > 1:
        together += f" x {accumulated} batches accumulated"
    return (
        f"train on {len(pool.annotations)} pictures, {len(loader)} batches an epoch, "
        f"{config.settings.epoch_num} epochs, {build.total_batch(config, loader, ranks)} samples a step ({together}), "
        f"{len(network.state_dict())} tensors, {size:,} parameters; samples by {loader.dataset.chain.describe()}"
    )


def _evaluation(
    config: Config, network: paddle.nn.Layer, ranks: RankWatch, stop: StopRequest
) -> Callable[[], Evaluation] | None:
    """Make the callable that scores the network; None when the configuration has no Eval section or never evaluates."""
    from tqdm import tqdm

    from ppocr_pse import build
    from ppocr_pse.build_deploy import TrainedNetwork
    from ppocr_pse.engine.collectives import share_buffers
    from ppocr_pse.engine.evaluator import evaluate
    from ppocr_pse.engine.log import LOGGER

    every = config.settings.eval_start_and_every[1]
    if "Eval" not in config.tree or (every == 0 and not config.settings.eval_batch_epoch):
        return None
    pool = build.build_annotations(config, "Eval")
    report_problems(pool.problems, "Eval.dataset", LOGGER)
    ranks.at("start, opening the engine of the evaluations")
    mine = [annotation.image for annotation in pool.annotations[ranks.rank :: ranks.world_size]]
    trained = TrainedNetwork(config, network, mine)
    metric = build.build_metric(config.section("Metric"))
    workers = min(build.eval_workers(config), 2)

    def score() -> Evaluation:
        bar = tqdm(
            total=len(pool.annotations) // ranks.world_size,
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

        share_buffers(ranks, network)  # every rank scores the weights that rank 0 saves
        ranks.at("evaluation, opening its engine")
        with trained.opened() as engine:
            predictor = build.build_predictor(config, network, engine)
            return evaluate(predictor, pool.annotations, metric, workers, watch, ranks, lambda: bool(stop.pending))

    return score
