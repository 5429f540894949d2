"""Where and how a run takes place: device, ranks, seeds and the log."""

from __future__ import annotations

import logging
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
from tqdm import tqdm

LOGGER = logging.getLogger("ppocr")


@dataclass(frozen=True)
class Device:
    """The device of this process.

    Attributes:
        name: as ``paddle.set_device`` takes it.
        reason: one line that says what was chosen and why.
    """

    name: str
    reason: str


def choose_device(use_gpu: bool = True) -> Device:
    """Find the device that ``Global.use_gpu`` stands for on this machine.

    Order: a CUDA or CoreX build's ``gpu``, a plugin's custom device (``iluvatar_gpu`` first), ``cpu``.
    """
    if not use_gpu:
        return Device("cpu", "device: cpu (Global.use_gpu is false)")
    index = os.environ.get("FLAGS_selected_gpus", "0").split(",")[0]  # noqa: SIM112  the launcher's spelling
    if paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0:
        return Device(f"gpu:{index}", f"device: gpu:{index} (of {paddle.device.cuda.device_count()})")
    custom = sorted(paddle.device.get_all_custom_device_type() or [], key=lambda kind: kind != "iluvatar_gpu")
    if custom:
        index = os.environ.get(f"FLAGS_selected_{custom[0]}s", "0").split(",")[0]
        return Device(f"{custom[0]}:{index}", f"device: {custom[0]}:{index} (custom device plugin)")
    return Device("cpu", "device: cpu (Global.use_gpu is true, but this Paddle sees no gpu and no device plugin)")


def rank() -> int:
    """Number of this process among those that `paddle.distributed.launch` started; 0 alone."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """How many processes `paddle.distributed.launch` started."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and Paddle; weights made after this are the same in every process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  Paddle's DataLoader draws its worker seeds from this stream
    paddle.seed(seed)


class _TerminalHandler(logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def start_log(file: Path | None = None, quiet: bool = False) -> logging.Logger:
    """Set up the log of this run: standard output, and a file when one is given.

    Args:
        file: opened for appending; its folder is made.
        quiet: leave everything below warnings out (ranks other than 0).
    """
    LOGGER.handlers.clear()
    LOGGER.propagate = False
    LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)
    handlers: list[logging.Handler] = [_TerminalHandler()]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(
            logging.Formatter("[%(asctime)s] %(name)s %(levelname)s: %(message)s", "%Y/%m/%d %H:%M:%S")
        )
        LOGGER.addHandler(handler)
    return LOGGER
