"""Dice loss and IoU over a batch, in float32, without a copy to the host."""

from __future__ import annotations

import paddle
from paddle.nn import functional as F


def dice_loss(logits: paddle.Tensor, target: paddle.Tensor, mask: paddle.Tensor, eps: float = 1e-6) -> paddle.Tensor:
    """One minus the dice coefficient of each map (Wang et al., CVPR 2019, equation 6).

    Args:
        logits: float32 (..., H, W).
        target: float32 (..., H, W), 0 and 1.
        mask: float32, broadcastable to logits; pixels with 0 do not count.
        eps: added to both sums of squares.

    Returns:
        float32 (...), 0 for a perfect map.
    """
    shape = logits.shape[:-2]
    mask = mask.expand_as(logits)
    # one row a map: Paddle sums the last axis of a matrix exactly as PaddleOCR's per-map loop does, and Adam
    # blows rounding differences up wherever a gradient is mathematically zero
    rows = [-1, logits.shape[-2] * logits.shape[-1]]
    prediction, target, mask = F.sigmoid(logits).reshape(rows), target.reshape(rows), mask.reshape(rows)
    prediction, target = prediction * mask, target * mask
    overlap = (prediction * target).sum(axis=1)
    predicted = (prediction * prediction).sum(axis=1) + eps
    true = (target * target).sum(axis=1) + eps
    return (1.0 - 2.0 * overlap / (predicted + true)).reshape(shape)


def mean_iou(prediction: paddle.Tensor, target: paddle.Tensor, mask: paddle.Tensor, eps: float = 1e-6) -> paddle.Tensor:
    """Mean of the IoU of text and of background over the unmasked pixels.

    Args:
        prediction: float32 (B, H, W), 0 and 1.
        target: float32 (B, H, W), 0 and 1.
        mask: float32 (B, H, W), 0 and 1.
        eps: added to each union.

    Returns:
        float32 (B,).
    """
    axes = [-2, -1]
    both = (prediction * target * mask).sum(axis=axes)
    predicted = (prediction * mask).sum(axis=axes)
    true = (target * mask).sum(axis=axes)
    union = predicted + true - both
    pixels = mask.sum(axis=axes)
    text = both / (union + eps)
    background = (pixels - union) / (pixels - both + eps)
    return (text + background) / 2.0
