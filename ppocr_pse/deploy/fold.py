"""Batch normalisation folded into the convolution before it: the same function with fewer steps."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import paddle
from paddle import nn


def fold_batch_norm(model: nn.Layer, example: paddle.Tensor) -> tuple[nn.Layer, int]:
    """Copy a network and fold every BatchNorm2D that a Conv2D feeds.

    Which convolution feeds which normalisation is seen from one run, not guessed from names, so that a new backbone
    needs nothing. A convolution whose output is also used elsewhere would come out wrong; the caller compares.

    Args:
        model: in evaluation mode or not; it is left as it is.
        example: float32 (B, 3, H, W), an input to run once.

    Returns:
        The folded copy, in evaluation mode, and how many normalisations were folded.
    """
    folded = copy.deepcopy(model)
    folded.eval()
    pairs = _pairs(folded, example)
    for convolution, (name, normalisation) in pairs:
        _fold(convolution, normalisation)
        parent, _, attribute = name.rpartition(".")
        setattr(_child(folded, parent), attribute, nn.Identity())
    return folded, len(pairs)


def _pairs(model: nn.Layer, example: paddle.Tensor) -> list[tuple[nn.Conv2D, tuple[str, nn.BatchNorm2D]]]:
    """Each convolution with the normalisation that takes its output, by the identity of tensors in one run."""
    made: list[tuple[Any, nn.Conv2D]] = []  # the tensors are held, so that none is taken for another
    pairs: list[tuple[nn.Conv2D, tuple[str, nn.BatchNorm2D]]] = []
    handles = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, nn.Conv2D):

            def note(layer: Any, inputs: Any, output: Any) -> None:
                made.append((output, layer))

            handles.append(layer.register_forward_post_hook(note))
        elif isinstance(layer, nn.BatchNorm2D):

            def match(layer: Any, inputs: Any, name: str = name) -> None:
                source = next((convolution for tensor, convolution in made if tensor is inputs[0]), None)
                if source is not None:
                    pairs.append((source, (name, layer)))

            handles.append(layer.register_forward_pre_hook(match))
    try:
        with paddle.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return pairs


def _fold(convolution: nn.Conv2D, normalisation: nn.BatchNorm2D) -> None:
    """Scale the filters and make the bias so that the convolution alone gives what the two gave."""
    mean, variance = (t.numpy().astype(np.float64) for t in (normalisation._mean, normalisation._variance))
    gain = normalisation.weight.numpy().astype(np.float64) / np.sqrt(variance + normalisation._epsilon)
    bias = normalisation.bias.numpy().astype(np.float64) - mean * gain
    if convolution.bias is not None:
        bias += convolution.bias.numpy().astype(np.float64) * gain
    else:
        convolution.bias = convolution.create_parameter(shape=[len(bias)], is_bias=True)
    filters = convolution.weight.numpy().astype(np.float64) * gain.reshape(-1, 1, 1, 1)
    convolution.weight.set_value(filters.astype(np.float32))
    convolution.bias.set_value(bias.astype(np.float32))


def _child(layer: nn.Layer, path: str) -> nn.Layer:
    for part in path.split(".") if path else ():
        layer = getattr(layer, part)
    return layer
