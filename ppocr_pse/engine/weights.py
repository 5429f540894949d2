"""Weights and optimizer state from files into a model: which tensor goes where, and a verdict in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
from paddle.base.layer_helper import LayerHelper

from ppocr_pse.engine.checkpoint import CheckpointError, load_params, prefix_of

CLASSIFIER = ("fc", "out", "last_conv")
"""First name parts of an ImageNet classifier's own layers, which a detector has no use for."""

ACCUMULATOR = re.compile(r"^(.+)_(moment1|moment2|moment2_max|beta1_pow_acc|beta2_pow_acc|velocity)_\d+$")


def load_into(model: paddle.nn.Layer, params: Mapping[str, Any], source: str) -> None:
    """Put a complete set of weights into a model.

    Raises:
        CheckpointError: if a tensor is missing or has another shape; names are listed.
    """
    own = model.state_dict()
    clean = {_strip(name): tensor for name, tensor in params.items()}
    missing = [name for name in own if name not in clean]
    if missing:
        raise CheckpointError(
            f"{source}: {len(missing)} of {len(own)} tensors are missing: {_few(missing)}. Is Architecture in the "
            "configuration the one that these weights were trained with?"
        )
    _check_shapes(own, clean, source)
    for name, tensor in own.items():
        tensor.set_value(_float32(clean[name]))


def load_pretrained(model: paddle.nn.Layer, path: str) -> str:
    """Start from a backbone or a detector that was trained before.

    Args:
        model: a PSENet; its tensors are named ``backbone.``, ``neck.`` and ``head.``.
        path: weights file, with or without ``.pdparams``; PaddleOCR's names, or bare backbone names (PaddleClas).

    Returns:
        The verdict, one line: how many tensors were loaded from where, what is new.

    Raises:
        CheckpointError: if nothing matches, or a shape differs.
    """
    own = model.state_dict()
    clean: dict[str, Any] = {}
    for raw, tensor in load_params(path).items():
        name = _strip(raw)
        if name not in own and f"backbone.{name}" in own:
            name = f"backbone.{name}"
        clean[name] = tensor
    source = f"{prefix_of(path)}.pdparams"
    matched = [name for name in own if name in clean]
    if not matched:
        raise CheckpointError(
            f"{source}: none of its {len(clean)} tensors has a place in this network. "
            f"In the file: {_few(list(clean))}; in the network: {_few(list(own))}. "
            "Is it the backbone that Architecture.Backbone names?"
        )
    _check_shapes(own, {name: clean[name] for name in matched}, source)
    for name in matched:
        own[name].set_value(_float32(clean[name]))
    return _verdict(list(own), matched, list(clean), source)


def _verdict(own: list[str], matched: list[str], given: list[str], source: str) -> str:
    parts = sorted({name.split(".")[0] for name in matched})
    scope = [name for name in own if name.split(".")[0] in parts]
    kind = f"{parts[0]} " if len(parts) == 1 else ""
    verdict = f"loaded {len(matched)}/{len(scope)} {kind}tensors from {source}"
    fresh = [name for name in own if name not in set(scope)]
    if fresh:
        verdict += f", {len(fresh)} new ({', '.join(dict.fromkeys(name.split('.')[0] for name in fresh))})"
    missing = [name for name in scope if name not in set(matched)]
    if missing:
        verdict += f"; NOT in the file: {_few(missing)}"
    unused = [
        name for name in given if name not in set(own) and name.replace("backbone.", "").split(".")[0] not in CLASSIFIER
    ]
    if unused:
        verdict += f"; not used: {_few(unused)}"
    return verdict


def _strip(name: str) -> str:
    """Drop what wrappers put before a tensor's name."""
    return re.sub(r"^((module|_layers|model)\.)+", "", name)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")


def _check_shapes(own: Mapping[str, Any], given: Mapping[str, Any], source: str) -> None:
    wrong = [
        f"{name}: {tuple(given[name].shape)} in the file, {tuple(own[name].shape)} in the network"
        for name in own
        if name in given and tuple(given[name].shape) != tuple(own[name].shape)
    ]
    if wrong:
        raise CheckpointError(
            f"{source}: {len(wrong)} tensors have another shape: {_few(wrong)}. "
            "Check layers, scale, model_name and out_channels under Architecture"
        )


def _float32(tensor: Any) -> Any:
    if isinstance(tensor, np.ndarray):
        return tensor.astype(np.float32) if np.issubdtype(tensor.dtype, np.floating) else tensor
    return tensor.astype("float32") if tensor.is_floating_point() else tensor


def load_optimizer(optimizer: Any, state: Mapping[str, Any], source: str) -> None:
    """Put saved optimizer state into an optimizer, ours or PaddleOCR's.

    Paddle names accumulators after parameters that are numbered as they are made (``conv2d_0.w_0_moment1_0``), so
    names differ between programs; the order does not. State is matched by order, with a check of every shape.

    Args:
        optimizer: already knows its parameters.
        state: what ``.pdopt`` holds.
        source: for messages.

    Raises:
        CheckpointError: if the number or a shape of the accumulators differs.
    """
    block = paddle.static.default_main_program().global_block()
    trainable = [parameter for parameter in optimizer._parameter_list if not parameter.stop_gradient]
    if optimizer.helper is None:  # Paddle 2.6 makes it in its first step only
        optimizer.helper = LayerHelper(type(optimizer).__name__)
    optimizer._create_accumulators(block, trainable)
    own, given = _by_kind(optimizer.state_dict()), _by_kind(state)
    matched: dict[str, Any] = {}
    for kind, names in own.items():
        saved = given.get(kind, {})
        if len(saved) != len(names):
            raise CheckpointError(
                f"{source}: {len(saved)} accumulators {kind!r}, expected {len(names)}. Was it saved with another "
                "Optimizer.name, Global.freeze or Architecture? To keep only the weights use Global.pretrained_model"
            )
        for (name, tensor), (saved_name, value) in zip(names.items(), saved.items(), strict=False):
            if tuple(value.shape) != tuple(tensor.shape):
                raise CheckpointError(
                    f"{source}: {saved_name} has shape {tuple(value.shape)}, expected {tuple(tensor.shape)} for {name}"
                )
            matched[name] = value
    if "LR_Scheduler" in state:
        matched["LR_Scheduler"] = state["LR_Scheduler"]
    optimizer.set_state_dict(matched)
    if state.get("master_weights"):
        _set_masters(optimizer.state_dict().get("master_weights", {}), state["master_weights"], source)


def _set_masters(own: Mapping[str, Any], saved: Mapping[str, Any], source: str) -> None:
    """Put float32 master weights in place, by order; a run in float32 has none and the weights themselves do."""
    if not own:
        return
    if [tuple(value.shape) for value in saved.values()] != [tuple(value.shape) for value in own.values()]:
        raise CheckpointError(
            f"{source}: its {len(saved)} master weights do not fit the {len(own)} of this network. "
            "Was it saved with another Architecture? To keep only the weights use Global.pretrained_model"
        )
    for master, value in zip(own.values(), saved.values(), strict=False):
        master.set_value(value)


def _by_kind(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        match = ACCUMULATOR.match(name)
        if match:
            kinds.setdefault(match.group(2), {})[name] = value
    return kinds
