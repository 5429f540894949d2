"""PSENet: backbone, neck and head in a row."""

from __future__ import annotations

import paddle
from paddle import nn


class PSENet(nn.Layer):
    """The whole network (Wang et al., CVPR 2019, figure 3).

    Args:
        backbone: picture -> [c2, c3, c4, c5].
        neck: [c2, c3, c4, c5] -> fused map.
        head: fused map -> {"maps": logits}.
    """

    def __init__(self, backbone: nn.Layer, neck: nn.Layer, head: nn.Layer) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, x: paddle.Tensor) -> dict[str, paddle.Tensor]:
        """Run the network.

        Args:
            x: float32 (B, 3, H, W), normalised; any H and W from 32 up.

        Returns:
            {"maps": float (B, K, ceil(H/4), ceil(W/4))}, logits.
        """
        return self.head(self.neck(self.backbone(x)))
