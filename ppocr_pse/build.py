"""The composition root: sections of a configuration to objects, the only place where they are put together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppocr_pse import components
from ppocr_pse.build_data import (
    build_annotations,
    build_preprocess,
    build_train_chain,
    build_train_loader,
    eval_workers,
)
from ppocr_pse.config import Config, check_architecture, check_optimizer
from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.engine.evaluator import Evaluation
from ppocr_pse.engine.optim import WeightAverage, make_optimizer, regularizer
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.predictor import PaddleNetwork, Predictor
from ppocr_pse.engine.progress import Progress, open_scalars
from ppocr_pse.engine.trainer import Plan, Trainer
from ppocr_pse.losses import PSELoss
from ppocr_pse.metrics import DetMetric
from ppocr_pse.modeling import PSENet
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.schema import choose, construct
from ppocr_pse.types import ImageScale

__all__ = [
    "build_annotations",
    "build_decoder",
    "build_loss",
    "build_metric",
    "build_model",
    "build_optimizer",
    "build_postprocess",
    "build_predictor",
    "build_preprocess",
    "build_train_chain",
    "build_train_loader",
    "build_trainer",
    "eval_workers",
]


def build_model(architecture: Mapping[str, Any]) -> PSENet:
    """Make a network with random weights.

    Args:
        architecture: the Architecture section; channel counts are handed down the chain.

    Returns:
        A layer that maps float32 (B, 3, H, W) to {"maps": (B, K, ceil(H/4), ceil(W/4))}.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    check_architecture(architecture)
    parts: list[Any] = []
    for name, table in (
        ("Backbone", components.BACKBONES),
        ("Neck", components.NECKS),
        ("Head", components.HEADS),
    ):
        component, settings = choose(table, architecture[name], f"Architecture.{name}")
        handed_down = {"in_channels": parts[-1].out_channels} if parts else {}
        parts.append(construct(component, settings, f"Architecture.{name}", handed_down))
    return PSENet(*parts)


def build_loss(loss: Mapping[str, Any]) -> PSELoss:
    """Make the loss: ``loss(outputs, [image, gt_text, gt_kernels, mask])`` gives the terms by name.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    component, settings = choose(components.LOSSES, loss, "Loss")
    return construct(component, settings, "Loss")


def build_decoder(postprocess: Mapping[str, Any]) -> PSEDecoder:
    """Make the decoder: logits and scales to Detections.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    component, settings = choose(components.POSTPROCESSES, postprocess, "PostProcess")
    return construct(component, settings, "PostProcess")


def build_postprocess(postprocess: Mapping[str, Any]) -> Callable[[Any, Any], list[dict[str, Any]]]:
    """Make a post-process with PaddleOCR's call shape.

    Returns:
        A function of ({"maps": tensor or array (B, K, h, w)}, shape_list (B, 4)) where a row is
        [src_h, src_w, ratio_h, ratio_w], giving for each picture {"points": list of int32 (N, 2),
        "scores": list of float}.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    decoder = build_decoder(postprocess)

    def decode(outputs: Any, shape_list: Any) -> list[dict[str, Any]]:
        maps = outputs["maps"] if isinstance(outputs, Mapping) else outputs
        array = np.asarray(maps.numpy() if isinstance(maps, paddle.Tensor) else maps, np.float32)
        rows = np.asarray(shape_list.numpy() if isinstance(shape_list, paddle.Tensor) else shape_list, np.float64)
        scales = [ImageScale(*map(float, row)) for row in rows]
        return [
            {"points": list(found.polygons), "scores": found.scores.tolist()} for found in decoder.decode(array, scales)
        ]

    return decode


def build_metric(metric: Mapping[str, Any]) -> DetMetric:
    """Make the metric.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    component, settings = choose(components.METRICS, metric, "Metric")
    return construct(component, settings, "Metric")


def build_optimizer(
    optimizer: Mapping[str, Any], epochs: int, steps_per_epoch: int, parameters: Sequence[Any]
) -> tuple[Any, Any]:
    """Make an optimizer and its learning-rate schedule.

    Returns:
        (optimizer, schedule).

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    check_optimizer(optimizer)
    factory, rest = choose(components.OPTIMIZERS, optimizer, "Optimizer")
    scheduler, settings = choose(components.SCHEDULES, rest.pop("lr"), "Optimizer.lr")
    run = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    schedule = construct(scheduler, settings, "Optimizer.lr", run)
    penalty = rest.pop("regularizer", None)
    plain_decay = rest.pop("weight_decay", None)
    weight_decay = construct(regularizer, penalty, "Optimizer.regularizer") if penalty is not None else plain_decay
    clips = {key: rest.pop(key, None) for key in ("clip_norm", "clip_norm_global")}
    return make_optimizer(factory, dict(rest), schedule, parameters, weight_decay, **clips), schedule


def build_predictor(config: Config, model: paddle.nn.Layer) -> Predictor:
    """Make the whole way from a picture to polygons."""
    return Predictor(PaddleNetwork(model), build_preprocess(config), build_decoder(config.section("PostProcess")))


def build_trainer(
    config: Config,
    model: paddle.nn.Layer,
    network: PSENet,
    loader: TrainLoader,
    evaluate: Callable[[], Evaluation] | None,
    precision: Precision,
    logger: logging.Logger,
    main: bool = True,
) -> Trainer:
    """Put the training loop together.

    Args:
        config: the whole configuration.
        model: the network as it is trained (wrapped for several processes, or the network itself).
        network: the network that is saved.
        loader: training batches.
        evaluate: scores the network, or None.
        precision: mixed precision or not.
        logger: of the run.
        main: whether this process writes files.
    """
    settings = config.settings
    optimizer, schedule = build_optimizer(
        config.section("Optimizer"), settings.epoch_num, len(loader), network.parameters()
    )
    save_dir = Path(settings.save_model_dir)
    start, every = settings.eval_start_and_every
    plan = Plan(
        epochs=settings.epoch_num,
        eval_start=start,
        eval_every=every,
        eval_every_epochs=settings.eval_batch_epoch or 0,
        save_every_epochs=settings.save_epoch_step,
        keep_last=settings.keep_last,
        max_steps=settings.max_steps,
        main_indicator=build_metric(config.section("Metric")).main_indicator,
    )
    progress = Progress(
        save_dir if main else None,
        settings.epoch_num,
        len(loader),
        settings.print_batch_step,
        settings.log_smooth_window,
        logger,
        scalars=open_scalars(save_dir / "vdl") if settings.use_visualdl and main else None,
        tolerate_non_finite=precision.tolerates_overflow,
        show_bar=None if main else False,
    )
    average = WeightAverage(network, settings.ema_decay) if settings.ema_decay else None
    loss = build_loss(config.section("Loss"))
    return Trainer(
        model,
        network,
        loss,
        optimizer,
        schedule,
        precision,
        loader,
        evaluate,
        save_dir,
        plan,
        progress,
        logger,
        average,
        main,
    )
