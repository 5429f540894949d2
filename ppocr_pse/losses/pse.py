"""The PSENet loss: alpha * text + (1 - alpha) * kernels."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn
from paddle.nn import functional as F

from ppocr_pse.losses.dice import dice_loss, mean_iou
from ppocr_pse.losses.ohem import ohem_mask

TERMS = ("loss_text", "iou_text", "loss_kernels", "iou_kernel", "loss")


class PSELoss(nn.Layer):
    """Dice loss of the text map under OHEM and of the kernels inside text (paper, section 3.5).

    Everything is computed in float32, whatever the maps come in: a dice sum over a 640x640 map does not fit
    into float16. The forward pass never waits for the device.

    Args:
        alpha: weight of the text map.
        ohem_ratio: background pixels per text pixel in the text loss.
        kernel_sample_mask: where kernels are compared: ``pred`` inside predicted text, ``gt`` inside true text.
        reduction: ``none`` gives each term as (B,) (the backward pass then sums over the batch), ``mean`` and
            ``sum`` as a scalar.
        eps: of the dice sums.
        upsample: how logits reach the size of the targets: ``nearest`` (PaddleOCR) or ``bilinear`` (the paper's code).

    Raises:
        ValueError: at construction, for a value outside those named.
    """

    def __init__(
        self,
        alpha: float = 0.7,
        ohem_ratio: float = 3,
        kernel_sample_mask: str = "pred",
        reduction: str = "sum",
        eps: float = 1e-6,
        upsample: str = "nearest",
    ) -> None:
        super().__init__()
        for key, value, allowed in (
            ("kernel_sample_mask", kernel_sample_mask, ("pred", "gt")),
            ("reduction", reduction, ("none", "mean", "sum")),
            ("upsample", upsample, ("nearest", "bilinear")),
        ):
            if value not in allowed:
                raise ValueError(f"PSELoss: {key} is {value!r}, expected one of {list(allowed)}")
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"PSELoss: alpha is {alpha!r}, expected a number from 0 to 1")
        if ohem_ratio <= 0:
            raise ValueError(f"PSELoss: ohem_ratio is {ohem_ratio!r}, expected a number above 0")
        self.alpha = alpha
        self.ohem_ratio = ohem_ratio
        self.kernel_sample_mask = kernel_sample_mask
        self.reduction = reduction
        self.eps = eps
        self.upsample = upsample

    def forward(self, outputs: dict[str, paddle.Tensor], batch: Sequence[paddle.Tensor]) -> dict[str, paddle.Tensor]:
        """Compare maps with targets.

        Args:
            outputs: {"maps": (B, K, h, w)} logits, any float type.
            batch: [image, gt_text, gt_kernels, mask]: image is not used; gt_text (B, H, W), gt_kernels (B, M, H, W)
                with M >= K - 1, mask (B, H, W); 0 and 1, any type. Kernel channel i is paired with kernel map i.

        Returns:
            loss_text, iou_text, loss_kernels, iou_kernel, loss, in this order.
        """
        text, kernels, mask = (target.astype("float32") for target in batch[1:])
        maps = outputs["maps"].astype("float32")
        # parted before they are enlarged: the gradient of a slice is as large as what it was cut from
        text_logits = self._to_target_size(maps[:, :1], text.shape[1:]).squeeze(1)
        kernel_logits = self._to_target_size(maps[:, 1:], text.shape[1:])

        selected = ohem_mask(text_logits.detach(), text, mask, self.ohem_ratio)
        loss_text = dice_loss(text_logits, text, selected, self.eps)
        iou_text = mean_iou((text_logits > 0).astype("float32"), text, mask)

        if self.kernel_sample_mask == "gt":
            inside = text * mask
        else:
            # sigmoid(x) > 0.5 rather than x > 0: in float32 the two differ for 0 < x < 6e-8
            inside = (F.sigmoid(text_logits.detach()) > 0.5).astype("float32") * mask
        pairs = kernels[:, : kernel_logits.shape[1]]
        loss_kernels = dice_loss(kernel_logits, pairs, inside.unsqueeze(1), self.eps).mean(axis=1)
        smallest = (kernel_logits[:, -1] > 0).astype("float32")
        iou_kernel = mean_iou(smallest, kernels[:, -1], mask * text)

        loss = self.alpha * loss_text + (1.0 - self.alpha) * loss_kernels
        terms = dict(zip(TERMS, (loss_text, iou_text, loss_kernels, iou_kernel, loss), strict=False))
        if self.reduction == "mean":
            return {name: term.mean() for name, term in terms.items()}
        if self.reduction == "sum":
            return {name: term.sum() for name, term in terms.items()}
        return terms

    def _to_target_size(self, maps: paddle.Tensor, size: Sequence[int]) -> paddle.Tensor:
        if self.upsample == "bilinear":
            return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
        return F.interpolate(maps, size=size, mode="nearest")
