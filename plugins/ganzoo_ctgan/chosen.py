"""Whether a made row has the category that was asked for."""

from __future__ import annotations

from torch import Tensor

from ganzoo.bounds import PositiveInt


class Chosen:
    """Cross-entropy of the value that a condition marks: ``B d, B K``, of the last K logits of a row.

    -1/B sum_i sum_k cond_ik log softmax(logits_i's block of k)_k

    Paper: arXiv:1907.00503 section 4.3.

    Args:
        out_blocks: How many values each category has: blocks of the condition, `like: cond`; none for one block.
    """

    def __init__(self, out_blocks: tuple[PositiveInt, ...] = ()):
        self.blocks = tuple(out_blocks)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        marks = y.flatten(1)
        logits = x.flatten(1)[:, -marks.shape[1] :]
        sizes = list(self.blocks) or [marks.shape[1]]
        pairs = zip(logits.split(sizes, 1), marks.split(sizes, 1), strict=True)
        return -sum(((mark * logit.log_softmax(1)).sum(1) for logit, mark in pairs), marks.new_zeros(len(x))).mean()
