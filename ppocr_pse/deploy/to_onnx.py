"""An exported Paddle program to ONNX, by paddle2onnx."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ppocr_pse.deploy.engines.base import DeployError, EngineError, load_module

OPSET = 14  # the first with all that the networks use; every onnxruntime since 1.10 and OpenVINO read it


class ConversionError(DeployError):
    """A network that paddle2onnx cannot convert; the message holds what it said."""


def paddle2onnx_version() -> str | None:
    """Version of paddle2onnx, or None when it cannot be used."""
    try:
        return str(load_module("paddle2onnx").__version__)
    except EngineError:
        return None


def convert(program: Path, params: Path, target: Path) -> None:
    """Write an ONNX file.

    Args:
        program: inference.json or inference.pdmodel.
        params: inference.pdiparams.
        target: the .onnx file.

    Raises:
        EngineError: if paddle2onnx is not installed.
        ConversionError: if the conversion fails.
    """
    paddle2onnx = load_module("paddle2onnx")
    problem: BaseException | None = None
    with tempfile.TemporaryDirectory(prefix="paddle2onnx-") as folder:
        said = Path(folder) / "said.txt"
        with _printing_into(said):
            try:
                # the default optimize_tool installs packages by pip while it runs, and then gives up on dynamic shapes
                paddle2onnx.export(str(program), str(params), str(target), opset_version=OPSET, optimize_tool="none")
            except (Exception, SystemExit) as error:  # it ends the process itself when it fails
                problem = error
        words = " ".join(said.read_text(encoding="utf-8", errors="replace").split())[-600:]
    if problem is not None or not target.is_file():
        raise ConversionError(f"paddle2onnx {paddle2onnx.__version__} cannot convert {program}: {words}") from problem


@contextlib.contextmanager
def _printing_into(target: Path) -> Iterator[None]:
    """Send what this process prints, from C++ too, into a file."""
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    with target.open("w", encoding="utf-8") as file:
        try:
            for stream in kept:
                os.dup2(file.fileno(), stream)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for stream, copy in kept.items():
                os.dup2(copy, stream)
                os.close(copy)
