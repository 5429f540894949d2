"""The training half of the composition root: optimizer, mixed precision and the trainer itself."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import paddle

from ppocr_pse import components
from ppocr_pse.config import Config, check_optimizer
from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.engine.collectives import ALONE
from ppocr_pse.engine.evaluator import Evaluation
from ppocr_pse.engine.optim import WeightAverage, make_optimizer, regularizer
from ppocr_pse.engine.parts import BATCH_NORMS, freeze, scale_rates
from ppocr_pse.engine.plan import Plan
from ppocr_pse.engine.precision import Precision, float32_state
from ppocr_pse.engine.progress import Progress, open_scalars
from ppocr_pse.engine.ranks import RankWatch
from ppocr_pse.engine.run_state import RunState
from ppocr_pse.engine.stopping import Patience, StopRequest
from ppocr_pse.engine.trainer import Trainer
from ppocr_pse.modeling import PSENet
from ppocr_pse.schema import ConfigError, Section, choose, construct, place_of


def build_precision(config: Config, device: str) -> Precision:
    """Make the mixed precision that Global asks for on a device, as ``paddle.device.get_device()`` names it."""
    settings = config.settings
    return Precision(
        device,
        settings.use_amp,
        settings.amp_level,
        settings.amp_dtype,
        settings.scale_loss,
        settings.use_dynamic_loss_scaling,
        settings.amp_custom_black_list,
        settings.amp_custom_white_list,
        settings.incr_every_n_steps,
        settings.incr_ratio,
        settings.decr_every_n_nan_or_inf,
        settings.decr_ratio,
        settings.max_skipped_steps,
    )


def total_batch(config: Config, loader: TrainLoader, ranks: RankWatch = ALONE) -> int:
    """Samples that go into one optimizer step, over all ranks."""
    return loader.sampler.batch_size * ranks.world_size * config.settings.accumulate_steps


def build_optimizer(
    optimizer: Mapping[str, Any],
    epochs: int,
    steps_per_epoch: int,
    parameters: Sequence[Any] | Mapping[str, Any],
    total_batch: int = 0,
) -> tuple[Any, Any]:
    """Make an optimizer and its learning-rate schedule.

    Args:
        optimizer: the Optimizer section.
        epochs: of the run.
        steps_per_epoch: optimizer steps an epoch.
        parameters: of the network; by their names in its state dict where ``lr_mult`` is to find them.
        total_batch: samples that go into one optimizer step, over all ranks; what ``lr_base_batch_size`` is
            compared with.

    Returns:
        (optimizer, schedule).

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    check_optimizer(optimizer)
    factory, rest = choose(components.OPTIMIZERS, optimizer, "Optimizer")
    scheduler, settings = choose(components.SCHEDULES, rest.pop("lr"), "Optimizer.lr")
    base = rest.pop("lr_base_batch_size", None)
    if base is not None:
        settings = _scaled_rates(settings, base, total_batch)
    run = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    schedule = construct(scheduler, settings, "Optimizer.lr", run)
    penalty = rest.pop("regularizer", None)
    plain_decay = rest.pop("weight_decay", None)
    weight_decay = construct(regularizer, penalty, "Optimizer.regularizer") if penalty is not None else plain_decay
    named = parameters if isinstance(parameters, Mapping) else {str(p.name): p for p in parameters}
    try:
        scale_rates(named, rest.pop("lr_mult", None) or {})
    except ValueError as error:
        raise ConfigError(f"{place_of(optimizer, 'lr_mult')}Optimizer.lr_mult: {error}") from None
    clips = {key: rest.pop(key, None) for key in ("clip_norm", "clip_norm_global")}
    return make_optimizer(factory, dict(rest), schedule, list(named.values()), weight_decay, **clips), schedule


def _scaled_rates(schedule: Section, base: Any, total_batch: int) -> Section:
    """Multiply all learning rates of a schedule by total_batch / base (Goyal et al. 2017, linear scaling rule)."""
    if not isinstance(base, int) or base < 1 or not total_batch:
        raise ConfigError(
            f"Optimizer.lr_base_batch_size: got {base!r}, expected the total batch that lr was chosen for"
        )
    factor = total_batch / base
    scaled = Section(dict(schedule), schedule.places)
    for key in ("learning_rate", "max_lr", "end_lr"):
        if key in scaled:
            scaled[key] = float(scaled[key]) * factor
    if "values" in scaled:
        scaled["values"] = [float(value) * factor for value in scaled["values"]]
    return scaled


def build_trainer(
    config: Config,
    network: PSENet,
    loader: TrainLoader,
    evaluate: Callable[[], Evaluation] | None,
    precision: Precision,
    logger: logging.Logger,
    ranks: RankWatch = ALONE,
    stop: StopRequest | None = None,
) -> Trainer:
    """Put the training loop together.

    Args:
        config: the whole configuration.
        network: is trained and saved; wrapped for several processes when its weights are in place.
        loader: training batches.
        evaluate: scores the network, or None.
        precision: mixed precision or not.
        logger: of the run.
        ranks: the processes that train together.
        stop: asked after every step whether to end.
    """
    settings = config.settings
    loss = construct(*choose(components.LOSSES, config.section("Loss"), "Loss"), "Loss")
    norms = _frozen_norms(config, network, logger)
    steps_per_epoch = -(-len(loader) // settings.accumulate_steps)
    optimizer, schedule = build_optimizer(
        config.section("Optimizer"),
        settings.epoch_num,
        steps_per_epoch,
        dict(network.named_parameters()),
        total_batch(config, loader, ranks),
    )
    save_dir = Path(settings.save_model_dir)
    start, every = settings.eval_start_and_every
    metric = construct(*choose(components.METRICS, config.section("Metric"), "Metric"), "Metric")
    plan = Plan(
        epochs=settings.epoch_num,
        eval_start=start,
        eval_every=every,
        eval_every_epochs=settings.eval_batch_epoch or 0,
        save_every_epochs=settings.save_epoch_step,
        save_every_steps=settings.save_latest_step,
        keep_last=settings.keep_last,
        max_steps=settings.max_steps,
        main_indicator=metric.main_indicator,
        accumulate_steps=settings.accumulate_steps,
        loss_is_mean=loss.reduction == "mean",
        evaluate_raw=settings.ema_evaluate == "both",
        seed=settings.seed,
    )
    progress = Progress(
        save_dir if ranks.rank == 0 else None,
        settings.epoch_num,
        steps_per_epoch,
        settings.print_batch_step,
        settings.log_smooth_window,
        logger,
        scalars=open_scalars(save_dir / "vdl") if settings.use_visualdl and ranks.rank == 0 else None,
        precision=precision,
        show_bar=None if ranks.rank == 0 else False,
        ranks=ranks,
    )
    average = None
    if settings.ema_decay:
        average = WeightAverage(
            network, settings.ema_decay, lambda: float32_state(network, optimizer, precision.frozen)
        )
    state = RunState(
        network,
        optimizer,
        precision,
        average,
        Patience(settings.early_stop, settings.early_stop_min_delta),
        loader.sampler.batch_size * ranks.world_size,
    )
    return Trainer(
        loss,
        schedule,
        state,
        loader,
        evaluate,
        save_dir,
        plan,
        progress,
        logger,
        stop,
        ranks,
        norms,
        functools.partial(_for_ranks, ranks=ranks, find_unused_parameters=settings.find_unused_parameters),
    )


def _frozen_norms(config: Config, network: PSENet, logger: logging.Logger) -> list[paddle.nn.Layer]:
    """Freeze what Global.freeze names; the normalisation layers that keep their running statistics."""
    settings = config.settings
    norms = []
    if settings.frozen_parts:
        before = _trained_size(network)
        try:
            norms = freeze(network, settings.frozen_parts)
        except ValueError as error:
            raise ConfigError(f"{place_of(config.section('Global'), 'freeze')}Global.freeze: {error}") from None
        logger.info(
            f"frozen: {', '.join(settings.frozen_parts)}, {before - _trained_size(network):,} of {before:,} parameters "
            f"and the statistics of {len(norms)} normalisation layers"
        )
    scope = {"none": None, "backbone": network.backbone, "all": network}[settings.freeze_bn]
    if scope is not None:
        known = set(map(id, norms))
        norms += [layer for layer in scope.sublayers() if isinstance(layer, BATCH_NORMS) and id(layer) not in known]
    return norms


def _trained_size(network: paddle.nn.Layer) -> int:
    return sum(int(parameter.size) for parameter in network.parameters() if not parameter.stop_gradient)


def _for_ranks(network: paddle.nn.Layer, ranks: RankWatch, find_unused_parameters: bool) -> paddle.nn.Layer:
    if ranks.world_size == 1:
        return network
    return paddle.DataParallel(network, find_unused_parameters=find_unused_parameters)
