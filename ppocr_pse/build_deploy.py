"""The deployment part of the composition root: a configuration and a checkpoint to a description and an engine."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import paddle

from ppocr_pse.build_data import build_preprocess
from ppocr_pse.components import POSTPROCESSES
from ppocr_pse.config import Config
from ppocr_pse.data.preprocess import ImageError
from ppocr_pse.deploy.cache import cache_key, cached, is_whole
from ppocr_pse.deploy.detector import MOST_LANES
from ppocr_pse.deploy.digests import weights_digest
from ppocr_pse.deploy.engines.base import DeployError, Engine, EngineError, Exported, Place, thread_count
from ppocr_pse.deploy.engines.choose import open_engine
from ppocr_pse.deploy.export import export_model, versions_here
from ppocr_pse.deploy.spec import FILE_NAME, InferenceSpec, read_spec
from ppocr_pse.engine.checkpoint import prefix_of
from ppocr_pse.engine.paddle_network import PaddleNetwork
from ppocr_pse.engine.predictor import Network
from ppocr_pse.schema import choose, construct

LEAST_SECONDS = 30.0
"""Paddle's time for one evaluation from which ``auto`` exports in training; exporting takes 5 to 15 seconds."""

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


def build_network(
    config: Config, model: paddle.nn.Layer, checkpoint: str, threads: int | None = None, lanes: int = 1
) -> Network:
    """Put a trained model behind the engine that ``Global.engine`` names, on the device that Paddle is set to.

    An export of the same weights that lies beside the checkpoint is used. Otherwise the first use of a checkpoint with
    an engine other than ``paddle`` exports it and keeps the export beside it, see `ppocr_pse.deploy.cache`.

    Args:
        config: its ``Global.engine``, and what the cached export's inference.yml is to say.
        model: with the checkpoint's weights.
        checkpoint: ``DIR/NAME``, with or without ``.pdparams``.
        threads: on a cpu; None for OMP_NUM_THREADS, else all cores.
        lanes: on a cpu, pictures that go through an engine at once; 0 for one a thread, at most 4.

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
        return _open(beside or _export(config, model, prefix), engine, threads, lanes)
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


def _open(folder: Path, engine: str, threads: int | None = None, lanes: int = 1) -> Engine:
    count = thread_count(threads)
    place = Place(paddle.device.get_device(), count, lanes or min(count, MOST_LANES))
    return open_engine(Exported(folder), engine, place, read_spec(folder).probe)


class TrainedNetwork:
    """A network in training, as its evaluations run it: by Paddle, or exported anew each time and run by an engine.

    With ``Global.engine: auto`` an engine is taken on a cpu, where it saves most of the time, when Paddle would need
    more than `LEAST_SECONDS` for an evaluation, judged by one picture; otherwise Paddle runs the network as it is.

    Args:
        config: its ``Global.engine``; exports go to ``Global.save_model_dir`` for as long as an evaluation lasts.
        model: its weights are other ones at every evaluation.
        pictures: files of one evaluation, on this process.

    Raises:
        EngineError: if the engine that is named cannot be used.
    """

    def __init__(self, config: Config, model: paddle.nn.Layer, pictures: Sequence[Path]) -> None:
        self._config, self._model = config, model
        self.engine = config.settings.engine
        if self.engine == "auto":
            if paddle.device.get_device() != "cpu" or self._paddle_seconds(pictures) < LEAST_SECONDS:
                self.engine = "paddle"
        elif self.engine != "paddle":  # what cannot work is said before hours of training
            try:
                with self._engine_opened():
                    pass
            except (DeployError, OSError) as error:
                raise EngineError(f"Global.engine is {self.engine}: {error}") from error

    def _paddle_seconds(self, pictures: Sequence[Path]) -> float:
        """How long Paddle would take for all pictures, by the first one that can be read."""
        preprocess = build_preprocess(self._config)
        for path in pictures:
            try:
                images = preprocess.prepare(preprocess.decode(path)).image[None]
            except ImageError:
                continue
            start = time.perf_counter()
            PaddleNetwork(self._model).run(images)
            return (time.perf_counter() - start) * len(pictures)
        return 0.0

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
