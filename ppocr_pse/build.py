"""The composition root: sections of a configuration to objects, the only place where they are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from ppocr_pse.build_training import build_optimizer, build_precision, build_trainer, total_batch
from ppocr_pse.config import Config, check_architecture
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.engine.predictor import Network, Predictor
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
    "build_precision",
    "build_predictor",
    "build_preprocess",
    "build_train_chain",
    "build_train_loader",
    "build_trainer",
    "eval_workers",
    "total_batch",
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


def build_predictor(config: Config, model: paddle.nn.Layer, network: Network | None = None) -> Predictor:
    """Make the whole way from a picture to polygons.

    Args:
        config: its preprocessing and decoder.
        model: the network.
        network: an engine that runs it instead of Paddle, see `ppocr_pse.build_deploy.build_network`.
    """
    decoder = build_decoder(config.section("PostProcess"))
    return Predictor(network or PaddleNetwork(model), build_preprocess(config), decoder)
