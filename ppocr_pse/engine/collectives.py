"""What ranks compute together: small numbers through their guards, tensors through Paddle's collectives.

Every function is called by all ranks, in the same order; alone it does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle

from ppocr_pse.engine.ranks import RankWatch

ALONE = RankWatch()


def largest(ranks: RankWatch, number: int, what: str) -> int:
    """Largest number of all ranks."""
    return max(ranks.gather(number, what))


def sums(ranks: RankWatch, numbers: Sequence[int], what: str) -> list[int]:
    """Sums over the ranks, number by number."""
    return [sum(column) for column in zip(*ranks.gather(list(numbers), what))]


def mean(ranks: RankWatch, tensor: paddle.Tensor) -> paddle.Tensor:
    """Mean over the ranks, element by element."""
    if ranks.world_size == 1:
        return tensor
    total = tensor.detach().clone()
    with ranks.waiting("training: the losses of the others"):
        paddle.distributed.all_reduce(total)
    return total / ranks.world_size


def share_buffers(ranks: RankWatch, network: paddle.nn.Layer) -> None:
    """Give every rank the running statistics of rank 0: those that checkpoints hold."""
    if ranks.world_size > 1:
        with ranks.waiting("evaluation: the running statistics of rank 0"):
            for buffer in network.buffers():
                paddle.distributed.broadcast(buffer, src=0)
