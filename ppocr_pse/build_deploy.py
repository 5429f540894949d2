"""The deployment part of the composition root: a configuration and a checkpoint to a description and an engine."""

from __future__ import annotations

import logging

import paddle

from ppocr_pse.build_data import build_preprocess
from ppocr_pse.components import POSTPROCESSES
from ppocr_pse.config import Config
from ppocr_pse.deploy.cache import cache_key, cached
from ppocr_pse.deploy.digests import weights_digest
from ppocr_pse.deploy.engines.base import DeployError, EngineError, Exported, Place, thread_count
from ppocr_pse.deploy.engines.choose import open_engine
from ppocr_pse.deploy.export import export_model, versions_here
from ppocr_pse.deploy.spec import InferenceSpec, read_spec
from ppocr_pse.engine.checkpoint import prefix_of
from ppocr_pse.engine.predictor import Network, PaddleNetwork
from ppocr_pse.schema import choose, construct

LOGGER = logging.getLogger("ppocr")


def build_spec(config: Config) -> InferenceSpec:
    """Describe a configuration for inference: preprocessing, decoder and architecture.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    decoder, settings = choose(POSTPROCESSES, config.section("PostProcess"), "PostProcess")
    return InferenceSpec(
        build_preprocess(config), construct(decoder, settings, "PostProcess"), config.section("Architecture")
    )


def build_network(config: Config, model: paddle.nn.Layer, checkpoint: str, threads: int | None = None) -> Network:
    """Put a trained model behind the engine that ``Global.engine`` names, on the device that Paddle is set to.

    The first use of a checkpoint with an engine other than ``paddle`` exports it and keeps the export beside it, see
    `ppocr_pse.deploy.cache`.

    Args:
        config: its ``Global.engine``, and what the cached export's inference.yml is to say.
        model: with the checkpoint's weights.
        checkpoint: ``DIR/NAME``, with or without ``.pdparams``.
        threads: on a cpu; None for OMP_NUM_THREADS, else all cores.

    Returns:
        The network; with ``auto`` the model itself when no engine works, which is logged with the reason.

    Raises:
        EngineError: if the engine that is named cannot be used.
    """
    engine = config.settings.engine
    if engine == "paddle":
        return PaddleNetwork(model)
    try:
        spec = build_spec(config)
        key = cache_key(weights_digest(model.state_dict()), spec.architecture, versions_here())
        folder = cached(prefix_of(checkpoint), key, lambda folder: export_model(model, spec, folder))
        place = Place(paddle.device.get_device(), thread_count(threads))
        return open_engine(Exported(folder), engine, place, read_spec(folder).probe)
    except (DeployError, OSError) as error:
        if engine != "auto":
            raise EngineError(f"Global.engine is {engine}: {error}") from error
        LOGGER.warning(f"engine: paddle, the slow one, for lack of a faster one: {error}")
        return PaddleNetwork(model)
