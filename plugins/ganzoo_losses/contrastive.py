"""Rows that belong together, among rows that do not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from ganzoo.bounds import PositiveFloat
from ganzoo.parallel.distributed import batch_rows, rank


class Contrastive:
    """Row i of `x` should be nearest to row i of `y` among all rows of the batch, and the other way round.

    s_ij = cos(x_i, y_j) / temperature;  -1/2 E log softmax_j(s_ij)[i] - 1/2 E log softmax_i(s_ij)[j]

    The batch is that of all processes. What has more than two dimensions is flattened.

    Paper: arXiv:2103.00020 figure 3 (InfoNCE, arXiv:1807.03748 eq. 4).

    Args:
        temperature: Divides the cosines.
    """

    def __init__(self, temperature: PositiveFloat = 0.1):
        self.temperature = temperature

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = normalize(x.flatten(1), dim=1), normalize(y.flatten(1), dim=1)
        every_x, every_y = batch_rows(x), batch_rows(y)
        first = rank() * len(x)
        own = torch.arange(first, first + len(x), device=x.device)
        there = cross_entropy(x @ every_y.T / self.temperature, own)
        back = cross_entropy(y @ every_x.T / self.temperature, own)
        return (there + back) / 2
