"""Arithmetic with codes."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.bounds import NonNegativeInt


class Attribute:
    """Codes moved by what two classes differ in: ``B n, B -> B n``, z + m_target - m_source.

    m_k is the mean of the batch's codes of class k; a class that is absent has the mean of all.

    Paper: arXiv:1512.09300 section 4.2 (visual attribute vectors).

    Args:
        source: The class that is taken away, by number.
        target: The class that is added.
    """

    def __init__(self, source: NonNegativeInt = 0, target: NonNegativeInt = 1):
        self.source, self.target = source, target

    def __call__(self, z: Tensor, label: Tensor) -> Tensor:
        wanted = torch.stack([label == self.target, label == self.source]).to(z.dtype)
        count = wanted.sum(1, keepdim=True)
        means = torch.where(count > 0, wanted @ z / count.clamp(min=1), z.mean(0))
        return z + means[0] - means[1]
