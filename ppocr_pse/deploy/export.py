"""A trained network to a folder that engines run, compared with the network before anyone sees it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle

from ppocr_pse import __version__
from ppocr_pse.deploy.digests import file_digest, weights_digest
from ppocr_pse.deploy.engines.base import (
    FLOAT32_TOLERANCE,
    DeployError,
    Engine,
    EngineError,
    Exported,
    Place,
    thread_count,
)
from ppocr_pse.deploy.engines.choose import ENGINES
from ppocr_pse.deploy.fold import fold_batch_norm
from ppocr_pse.deploy.probe import SIZE, Probe, probe_input, relative_difference
from ppocr_pse.deploy.spec import Facts, InferenceSpec, write_spec
from ppocr_pse.deploy.to_onnx import convert, paddle2onnx_version

CHECKED_SIZES = (SIZE, (80, 96), (128, 64))
CHECKS = {"paddle": "inference.pdiparams", "paddle_inference": "inference.pdiparams", "onnxruntime": "inference.onnx",
          "openvino": "inference.onnx"}  # fmt: skip
"""Engines that an export is tried on when they are installed, and the file that each reads."""

LOGGER = logging.getLogger("ppocr")


class ExportError(DeployError):
    """An export that came out wrong or could not be written; the message says where it is off."""


@dataclass(frozen=True)
class Forms:
    """What to write.

    Args:
        pdmodel: the program as inference.pdmodel too, which Paddle 2.x reads; the weights serve both.
        onnx: inference.onnx beside it: True, False, or None for when paddle2onnx is installed.
    """

    pdmodel: bool = False
    onnx: bool | None = None


def versions_here() -> dict[str, str]:
    """Versions that decide what an export looks like."""
    return {"ppocr_pse": __version__, "paddle": paddle.__version__, "paddle2onnx": paddle2onnx_version() or "absent"}


def export_model(model: paddle.nn.Layer, spec: InferenceSpec, folder: Path, forms: Forms | None = None) -> Facts:
    """Write a network and its inference.yml, all files at once, after comparing every form with the network.

    Args:
        model: the trained network; it is left as it is.
        spec: what inference.yml is to say; facts and probe are filled in here.
        folder: is made; files of an earlier export in it are replaced, others stay.
        forms: which forms to write.

    Returns:
        What was recorded.

    Raises:
        ExportError: if a form differs from the network by more than its engine's tolerance (an earlier export is
            then unharmed), or the folder cannot be written.
        EngineError: if ONNX is asked for and paddle2onnx is not installed.
        ConversionError: if the network cannot be converted to ONNX.
    """
    forms = forms or Forms()
    versions = versions_here()
    with_onnx = versions["paddle2onnx"] != "absent" if forms.onnx is None else forms.onnx
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    except OSError as error:
        raise ExportError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        exported = Exported(staging)
        with _evaluating(model):
            expected = {size: _maps(model, probe_input(*size)) for size in CHECKED_SIZES}
            folded = _folded(model, expected)
            _save_program(folded, staging)
            if forms.pdmodel and not (staging / "inference.pdmodel").is_file():
                _add_pdmodel(folded, staging, expected)
        if with_onnx:
            convert(exported.program, exported.params, staging / "inference.onnx")
        files = sorted(file for file in staging.iterdir() if file.name.startswith("inference."))
        facts = Facts(
            weights_digest(model.state_dict()),
            versions,
            {file.name: file_digest(file) for file in files},
            compare_forms(exported, expected),
        )
        write_spec(staging, replace(spec, facts=facts, probe=Probe.of(expected[SIZE])))
        _publish(staging, folder)
    except OSError as error:
        raise ExportError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return facts


@contextlib.contextmanager
def _evaluating(model: paddle.nn.Layer) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        if training:
            model.train()


def _maps(model: paddle.nn.Layer, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with paddle.no_grad():
        return model(paddle.to_tensor(images))["maps"].astype("float32").numpy()


def _folded(model: paddle.nn.Layer, expected: Mapping[tuple[int, int], npt.NDArray[np.float32]]) -> paddle.nn.Layer:
    """Fold, and hold the result against the network as it was."""
    folded, count = fold_batch_norm(model, paddle.to_tensor(probe_input(*SIZE)))
    for size, maps in expected.items():
        difference = relative_difference(_maps(folded, probe_input(*size)), maps)
        if not difference <= FLOAT32_TOLERANCE:
            raise ExportError(
                f"folding {count} batch normalisations changes the logits by {difference:.2g} of their largest size "
                f"at {size[0]}x{size[1]}, allowed is {FLOAT32_TOLERANCE:g}: does the network use the output of a "
                "convolution twice, or hold NaN?"
            )
    left = sum(isinstance(layer, paddle.nn.BatchNorm2D) for layer in folded.sublayers())
    LOGGER.info(f"{count} of {count + left} batch normalisations folded into the convolutions before them")
    return folded


def _save_program(model: paddle.nn.Layer, folder: Path, pdmodel: bool = False) -> None:
    """Write the program and inference.pdiparams, for any batch, height and width.

    Args:
        model: the network.
        folder: to write to.
        pdmodel: inference.pdmodel instead of this Paddle's own form.
    """
    picture = paddle.static.InputSpec([None, 3, None, None], "float32", "x")
    old_form = getattr(getattr(paddle, "pir_utils", None), "DygraphOldIrGuard", contextlib.nullcontext)
    with old_form() if pdmodel else contextlib.nullcontext(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found 'dict' in given outputs")  # there is one output
        program = paddle.jit.to_static(model, input_spec=[picture], full_graph=True)
        paddle.jit.save(program, str(folder / "inference"))
    (folder / "inference.pdiparams.info").unlink(missing_ok=True)


def _add_pdmodel(model: paddle.nn.Layer, folder: Path, expected: Mapping[tuple[int, int], Any]) -> None:
    """Put inference.pdmodel beside inference.json, after comparing it with the network by itself."""
    with tempfile.TemporaryDirectory(prefix=".pdmodel-", dir=folder) as home:
        older = Exported(Path(home))
        _save_program(model, older.folder, pdmodel=True)
        compare_forms(older, expected)
        if file_digest(older.params) != file_digest(Exported(folder).params):
            raise ExportError(
                "inference.pdmodel and inference.json do not have the same weights file; export without --pdmodel, "
                "and with Paddle 2.x for Paddle 2.x"
            )
        (older.folder / "inference.pdmodel").replace(folder / "inference.pdmodel")


def compare_forms(exported: Exported, expected: Mapping[tuple[int, int], Any]) -> dict[str, float]:
    """Run every form on generated pictures with the engines that are installed, on Paddle's device where they can.

    Args:
        exported: the files.
        expected: the network's maps by height and width of the generated picture.

    Returns:
        Largest relative difference by engine.

    Raises:
        ExportError: if one is over its engine's tolerance.
    """
    differences: dict[str, float] = {}
    present = {name: file for name, file in CHECKS.items() if (exported.folder / file).is_file()}
    for name, file in present.items():
        engine = _start(name, exported)
        if engine is None:
            continue
        try:
            differences[name] = max(
                relative_difference(engine.run(probe_input(*size)), maps) for size, maps in expected.items()
            )
        except Exception as error:  # each engine has classes of its own, some without another base
            raise ExportError(f"{file} cannot be run by {engine.describe()}: {str(error).strip()[:300]}") from error
        if not differences[name] <= engine.tolerance:
            raise ExportError(
                f"{file}, run by {engine.describe()}, differs from the network by {differences[name]:.2g} of the "
                f"largest logit, allowed is {engine.tolerance:g}; nothing was written"
            )
    for file in sorted(set(present.values())):
        readers = [name for name in present if present[name] == file]
        if not any(name in differences for name in readers):
            LOGGER.warning(f"{file} could not be compared with the network: install {' or '.join(readers)}")
    return differences


def _start(name: str, exported: Exported) -> Engine | None:
    """Open an engine on Paddle's device, else on the cpu; None when it can be used on neither, which is logged."""
    for device in dict.fromkeys((paddle.device.get_device(), "cpu")):
        try:
            return ENGINES[name](exported, Place(device, thread_count(None)))
        except EngineError as error:
            LOGGER.info(f"not compared by {name} on {device}: {error}")
    return None


def _publish(staging: Path, folder: Path) -> None:
    """Move the files into place, inference.yml last; a form that is not part of this export goes."""
    (folder / "inference.yml").unlink(missing_ok=True)  # until the last file is there, there is no export
    written = {file.name for file in staging.iterdir()}
    for name in ("inference.json", "inference.pdmodel", "inference.pdiparams", "inference.onnx"):
        if name not in written:
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tensorrt", ignore_errors=True)  # made from the earlier program
    for name in sorted(written, key=lambda name: name == "inference.yml"):
        (staging / name).replace(folder / name)
