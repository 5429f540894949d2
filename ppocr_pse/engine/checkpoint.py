"""Checkpoints that survive a kill at any moment, in PaddleOCR's file layout.

A checkpoint NAME is the triple NAME.pdparams (weights), NAME.pdopt (optimizer), NAME.states (progress), plus
NAME.pdema when weights are averaged. It is first written as a whole into a folder NAME.pending, which appears by
one rename; then its files are moved over the old ones. Whoever finds NAME.pending finishes the move, so there is
no moment at which old and new files can be mixed up.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.paddle_files import read_pdparams

SUFFIXES = (".pdparams", ".pdopt", ".pdema", ".states")


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message says which file, what is wrong and the cure."""


@dataclass(frozen=True)
class Checkpoint:
    """What is needed to go on training.

    Attributes:
        params: tensors by state-dict name.
        optimizer: accumulators by Paddle's names, and LR_Scheduler; empty when there was no .pdopt.
        states: epoch, global_step, best_model_dict and what else was saved with them.
        average: averaged weights, or None.
    """

    params: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    states: Mapping[str, Any]
    average: Mapping[str, Any] | None = None


def prefix_of(path: str) -> Path:
    """Strip one of the checkpoint suffixes: ``DIR/latest.pdparams`` and ``DIR/latest`` are the same."""
    for suffix in SUFFIXES:
        if path.endswith(suffix):
            return Path(path[: -len(suffix)])
    return Path(path)


def exists(prefix: Path) -> bool:
    """Whether there is a checkpoint ``DIR/NAME``, put in place or still to be."""
    return _with_suffix(prefix, ".pdparams").is_file() or _with_suffix(prefix, ".pending").is_dir()


def _with_suffix(prefix: Path, suffix: str) -> Path:
    return prefix.parent / (prefix.name + suffix)


def save_checkpoint(prefix: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that either the old or the new one can be loaded, whatever happens meanwhile.

    Args:
        prefix: ``DIR/NAME``; the folder is made.
        checkpoint: what to write.

    Raises:
        CheckpointError: if it cannot be written (full disk, no permission); the old one is untouched.
    """
    staging = _with_suffix(prefix, f".writing-{os.getpid()}")
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        finish_pending(prefix)
        for stale in prefix.parent.glob(f"{prefix.name}.writing-*"):
            shutil.rmtree(stale, ignore_errors=True)
        staging.mkdir()
        paddle.save(dict(checkpoint.params), str(staging / ".pdparams"))
        paddle.save(dict(checkpoint.optimizer), str(staging / ".pdopt"))
        if checkpoint.average is not None:
            paddle.save(dict(checkpoint.average), str(staging / ".pdema"))
        (staging / ".states").write_bytes(pickle.dumps(dict(checkpoint.states), protocol=2))
        for file in staging.iterdir():
            _flush(file)
        _flush(staging)
        staging.rename(_with_suffix(prefix, ".pending"))
        _flush(prefix.parent)
        finish_pending(prefix)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise CheckpointError(
            f"{prefix}: cannot write the checkpoint ({error.strerror or error}); the one before it is unharmed. "
            "Free space or mend the permissions of Global.save_model_dir, then resume from `latest`"
        ) from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def finish_pending(prefix: Path) -> None:
    """Move the files of a checkpoint that was written but not yet put in place; no effect when there is none."""
    pending = _with_suffix(prefix, ".pending")
    if not pending.is_dir():
        return
    for suffix in SUFFIXES:
        # another process may be finishing the same checkpoint
        with contextlib.suppress(FileNotFoundError):
            (pending / suffix).replace(_with_suffix(prefix, suffix))
    with contextlib.suppress(FileNotFoundError):
        pending.rmdir()


def remove_old(directory: Path, keep_last: int) -> list[str]:
    """Delete all but the ``keep_last`` newest ``iter_epoch_N`` checkpoints; returns the names deleted."""
    names: dict[int, str] = {}
    for file in directory.glob("iter_epoch_*.pdparams"):
        match = re.fullmatch(r"iter_epoch_(\d+)", file.stem)
        if match:
            names[int(match.group(1))] = file.stem
    old = [names[epoch] for epoch in sorted(names)][: max(0, len(names) - keep_last)]
    for name in old:
        for suffix in SUFFIXES:
            (directory / (name + suffix)).unlink(missing_ok=True)
    return old


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, lists, numbers and strings; a .states file has no business to name code."""

    ALLOWED = frozenset(
        {
            ("collections", "OrderedDict"),
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which a states file never needs")


def load_params(path: str) -> dict[str, Any]:
    """Read a weights file; what it names is not run, so a file from anywhere can be tried.

    Args:
        path: with or without ``.pdparams``.

    Returns:
        Tensors by the names in the file, on the cpu.

    Raises:
        CheckpointError: if it is missing or cannot be read.
    """
    prefix = prefix_of(path)
    finish_pending(prefix)
    file = _with_suffix(prefix, ".pdparams")
    _look_for(file)
    try:
        arrays = read_pdparams(file)
    except (OSError, ConvertError) as error:
        length = file.stat().st_size
        raise CheckpointError(
            f"{file}: cannot be read ({length} bytes): {error}. It may be truncated: copy it again or take another one"
        ) from error
    cpu = paddle.CPUPlace()
    return {
        name: paddle.to_tensor(value, place=cpu) if isinstance(value, np.ndarray) else value
        for name, value in arrays.items()
    }


def _look_for(file: Path) -> None:
    if not file.is_file():
        near = sorted(str(other) for other in file.parent.glob("*.pdparams"))[:5] if file.parent.is_dir() else []
        found = f"; that folder has {', '.join(near)}" if near else ""
        raise CheckpointError(
            f"{file}: no such file{found}. Set Global.pretrained_model or Global.checkpoints to an existing one, "
            "or to nothing (-o Global.pretrained_model=) to start from random weights"
        )


def _load(file: Path) -> Any:
    _look_for(file)
    try:
        if file.suffix == ".states":
            with file.open("rb") as handle:
                return _PlainUnpickler(handle, encoding="latin1").load()
        return paddle.load(str(file))
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{file}: cannot be read ({str(error)[:200] or type(error).__name__}; {file.stat().st_size} bytes). "
            "It may be truncated: copy it again or take another checkpoint"
        ) from error


def load_checkpoint(path: str) -> Checkpoint:
    """Read a whole checkpoint, ours or PaddleOCR's.

    Args:
        path: ``DIR/NAME`` with or without a suffix.

    Raises:
        CheckpointError: if weights or states are missing or cannot be read.
    """
    params = load_params(path)
    prefix = prefix_of(path)
    optimizer = _with_suffix(prefix, ".pdopt")
    average = _with_suffix(prefix, ".pdema")
    return Checkpoint(
        params,
        _load(optimizer) if optimizer.is_file() else {},
        _load(_with_suffix(prefix, ".states")),
        _load(average) if average.is_file() else None,
    )
