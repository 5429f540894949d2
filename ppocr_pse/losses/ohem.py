"""Online hard example mining: which pixels the text loss looks at, for the whole batch at once."""

from __future__ import annotations

import paddle


def ohem_mask(scores: paddle.Tensor, text: paddle.Tensor, mask: paddle.Tensor, ratio: float = 3.0) -> paddle.Tensor:
    """Select all text pixels and the hardest background pixels (Wang et al., CVPR 2019, section 3.5).

    Of each picture, P = text pixels outside ignored areas. The min(ratio * P, N) background pixels with the
    highest scores are kept, pixels tied with the last one too; ignored pixels take part in the ranking but
    are then masked, as in PaddleOCR. A picture with P = 0 or N = 0 keeps its whole training mask.

    Args:
        scores: float32 (B, H, W), logits of the text map; only their order matters.
        text: float32 (B, H, W), 0 and 1.
        mask: float32 (B, H, W), training mask, 0 and 1.
        ratio: negatives per positive.

    Returns:
        float32 (B, H, W), 0 and 1, without gradient.
    """
    batch = scores.shape[0]
    with paddle.no_grad():
        is_text = text > 0.5
        valid = mask > 0.5
        positives = paddle.logical_and(is_text, valid).astype("int32").reshape([batch, -1]).sum(axis=1)
        negatives = paddle.logical_not(is_text).astype("int32").reshape([batch, -1]).sum(axis=1)
        kept = paddle.minimum((positives.astype("float32") * ratio).astype("int32"), negatives.astype("int32"))
        lowest = paddle.full_like(scores, -float("inf"))
        background = paddle.where(is_text, lowest, scores).reshape([batch, -1])
        ranked = paddle.sort(background, axis=1, descending=True)
        last = paddle.clip(kept.astype("int64") - 1, min=0).unsqueeze(1)
        threshold = paddle.take_along_axis(ranked, last, axis=1).unsqueeze(-1)
        selected = paddle.logical_and(paddle.logical_or(scores >= threshold, is_text), valid)
        mined = paddle.logical_and(positives > 0, kept > 0).reshape([batch, 1, 1])
        return paddle.where(mined, selected.astype("float32"), mask.astype("float32"))
