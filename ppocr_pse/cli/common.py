"""What the commands share: arguments, errors in words, the start of a run."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

    import paddle

    from ppocr_pse.config import Config


def make_parser(command: str, description: str, examples: str, required: bool = True) -> argparse.ArgumentParser:
    """Make a parser with ``-c``, which may be left out unless it is required, and ``-o``; help ends in examples."""
    parser = argparse.ArgumentParser(
        prog=f"ppocr-pse {command}",
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", required=required, metavar="FILE", help="configuration (.yml)")
    parser.add_argument(
        "-o",
        "--opt",
        nargs="+",
        action="extend",
        default=[],
        metavar="A.b.c=VALUE",
        help="set a key of the configuration; VALUE is YAML; list items are reached by index",
    )
    return parser


def import_paddle() -> None:
    """Import Paddle without its warning about the number of threads, which was set on purpose."""
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages):
            importlib.import_module("paddle")
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise
        raise ImportError(
            "Paddle is not installed: pip install paddlepaddle (for a gpu see README.md); without it `ppocr-pse infer` "
            "runs the detector in the box, or an exported one (--model DIR)"
        ) from None
    finally:
        for line in messages.getvalue().splitlines():
            if "OMP_NUM_THREADS" not in line:
                print(line, file=sys.stderr)


def run_in_words(work: Callable[[], int], paddle: bool = True) -> int:
    """Run a command's work; faults that a user can mend are told in words, without a traceback.

    Args:
        work: gives the exit code.
        paddle: whether it needs Paddle, which is imported first then.

    Returns:
        What the work returns, or 2 when it was stopped by such a fault.
    """
    try:
        if paddle:
            import_paddle()
        mendable = _mendable(paddle)
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        return work()
    except mendable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def exit_code_of(error: Exception) -> int:
    """Exit code of a command that an exception ends: 2 for what run_in_words tells in words, 1 for a bug."""
    return 2 if isinstance(error, _mendable()) else 1


def _mendable(paddle: bool = True) -> tuple[type[Exception], ...]:
    """Faults that a user can mend; ``paddle``: also those of parts that import Paddle."""
    from ppocr_pse.data.inputs import ListError
    from ppocr_pse.data.labels import LabelError
    from ppocr_pse.deploy.engines.base import DeployError
    from ppocr_pse.outputs.base import OutputError
    from ppocr_pse.schema import ConfigError

    faults = (ConfigError, DeployError, LabelError, ListError, OutputError, FileNotFoundError, ImportError)
    if not paddle:
        return faults
    from ppocr_pse.data.reader.workers import ReaderError
    from ppocr_pse.engine.checkpoint import CheckpointError
    from ppocr_pse.engine.precision import LossScaleCollapse
    from ppocr_pse.engine.progress import NonFiniteLoss
    from ppocr_pse.engine.ranks import RankError
    from ppocr_pse.engine.runtime import DeviceError

    return (*faults, CheckpointError, DeviceError, LossScaleCollapse, NonFiniteLoss, RankError, ReaderError)


def read_config(arguments: Any) -> Config:
    """Load the configuration that the arguments name."""
    from ppocr_pse.config import load_config

    return load_config(arguments.config, arguments.opt)


def start_run(config: Config, log_file: Path | None, main: bool = True) -> logging.Logger:
    """Choose the device, seed everything, open the log; ranks that `Global.log_ranks` leaves out only warn.

    Args:
        config: the configuration.
        log_file: for the log, besides standard output.
        main: whether this is rank 0.
    """
    import paddle

    from ppocr_pse import __version__
    from ppocr_pse.engine import log, runtime

    named = config.settings.log_ranks
    shown = main if named is None else str(runtime.rank()) in str(named).replace(" ", "").split(",")
    logger = log.start_log(log_file, quiet=not shown)
    forced = [kind for kind in ("xpu", "npu", "mlu", "gcu") if getattr(config.settings, f"use_{kind}")]
    device = runtime.choose_device(config.settings.use_gpu, forced)
    runtime.use_device(device.name)
    runtime.seed_everything(config.settings.seed)
    logger.info(f"ppocr_pse {__version__}, Paddle {paddle.__version__}, {device.reason}")
    return logger


def load_trained(config: Config, logger: logging.Logger) -> paddle.nn.Layer:
    """Build the network and load the weights that ``Global.checkpoints`` or ``Global.pretrained_model`` names."""
    from ppocr_pse.build import build_model
    from ppocr_pse.engine.checkpoint import load_params
    from ppocr_pse.engine.weights import load_into
    from ppocr_pse.schema import ConfigError

    path = config.settings.checkpoints or config.settings.pretrained_model
    if not path:
        raise ConfigError(
            f"{config.path}: no weights are named; add -o Global.checkpoints=DIR/best_accuracy "
            "(or Global.pretrained_model=...)"
        )
    model = build_model(config.section("Architecture"))
    load_into(model, load_params(path), path)
    model.eval()
    logger.info(f"loaded {len(model.state_dict())} tensors from {path}")
    return model


def report_problems(problems: Sequence[str], where: str, logger: logging.Logger) -> None:
    """Log the labels and pictures that were left out, each by name."""
    for problem in problems:
        logger.warning(problem)
    if problems:
        logger.warning(f"{where}: {len(problems)} labels or pictures cannot be used, see above")
