"""The deployment part of the composition root: a configuration and a checkpoint to a description and an engine."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import paddle

from ppocr_pse.build_data import build_preprocess
from ppocr_pse.components import POSTPROCESSES
from ppocr_pse.config import Config
from ppocr_pse.deploy.cache import cache_key, cached, is_whole
from ppocr_pse.deploy.digests import weights_digest
from ppocr_pse.deploy.engines.base import DeployError, Engine, EngineError, Exported, Place, thread_count
from ppocr_pse.deploy.engines.choose import open_engine
from ppocr_pse.deploy.export import export_model, versions_here
from ppocr_pse.deploy.spec import FILE_NAME, InferenceSpec, read_spec
from ppocr_pse.engine.checkpoint import prefix_of
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.engine.predictor import Network
from ppocr_pse.schema import choose, construct

LEAST_PICTURES = 20
"""From how many pictures of an evaluation in training ``auto`` exports: that takes 5 to 10 seconds."""

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

    An export of the same weights that lies beside the checkpoint is used. Otherwise the first use of a checkpoint with
    an engine other than ``paddle`` exports it and keeps the export beside it, see `ppocr_pse.deploy.cache`.

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
        prefix = prefix_of(checkpoint)
        beside = prefix.parent if _is_export_of(prefix.parent, model) else None
        return _open(beside or _export(config, model, prefix), engine, threads)
    except (DeployError, OSError) as error:
        if engine != "auto":
            raise EngineError(f"Global.engine is {engine}: {error}") from error
        LOGGER.warning(f"engine: paddle, the slow one, for lack of a faster one: {error}")
        return PaddleNetwork(model)


def _is_export_of(folder: Path, model: paddle.nn.Layer) -> bool:
    if not (folder / FILE_NAME).is_file() or not is_whole(folder):
        return False
    return read_spec(folder).facts.weights == weights_digest(model.state_dict())


def _export(config: Config, model: paddle.nn.Layer, prefix: Path) -> Path:
    """A folder of the cache with an export of the model."""
    spec = build_spec(config)
    key = cache_key(weights_digest(model.state_dict()), spec.architecture, versions_here())
    return cached(prefix, key, lambda folder: export_model(model, spec, folder))


def _open(folder: Path, engine: str, threads: int | None = None) -> Engine:
    place = Place(paddle.device.get_device(), thread_count(threads))
    return open_engine(Exported(folder), engine, place, read_spec(folder).probe)


class TrainedNetwork:
    """A network in training, as its evaluations run it: by Paddle, or exported anew each time and run by an engine.

    With ``Global.engine: auto`` an engine is taken on a cpu, where it saves most of the time, when an evaluation has
    pictures enough to make up for the export; elsewhere Paddle runs the network as it is.

    Args:
        config: its ``Global.engine``; exports go to ``Global.save_model_dir`` for as long as an evaluation lasts.
        model: its weights are other ones at every evaluation.
        pictures: of one evaluation, on this process.

    Raises:
        EngineError: if the engine that is named cannot be used.
    """

    def __init__(self, config: Config, model: paddle.nn.Layer, pictures: int) -> None:
        self._config, self._model = config, model
        self.engine = config.settings.engine
        if self.engine == "auto":
            if paddle.device.get_device() != "cpu" or pictures < LEAST_PICTURES:
                self.engine = "paddle"
        elif self.engine != "paddle":  # what cannot work is said before hours of training
            try:
                with self._engine_opened():
                    pass
            except (DeployError, OSError) as error:
                raise EngineError(f"Global.engine is {self.engine}: {error}") from error

    @contextlib.contextmanager
    def opened(self) -> Iterator[Network]:
        """The network with its weights of now; by Paddle, with a warning, when the export of these weights fails."""
        with contextlib.ExitStack() as stack:
            network: Network = PaddleNetwork(self._model)
            if self.engine != "paddle":
                try:
                    network = stack.enter_context(self._engine_opened())
                except (DeployError, OSError) as error:  # no reason to end a training run
                    LOGGER.warning(f"this evaluation is run by paddle, the slow engine: {error}")
            yield network

    @contextlib.contextmanager
    def _engine_opened(self) -> Iterator[Engine]:
        """Export, and delete the export afterwards; of several processes of a machine one exports."""
        device = paddle.device.get_device()
        folder = None
        try:
            folder = _export(self._config, self._model, Path(self._config.settings.save_model_dir) / "evaluation")
            engine = _open(folder, self.engine)
            self.engine = engine.name  # auto chooses once
            yield engine
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if paddle.device.get_device() != device:
                paddle.set_device(device)
