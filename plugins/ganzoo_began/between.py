"""From one latent vector to another."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ganzoo.bounds import PositiveInt


class Between:
    """Points on the straight lines from rows to others: ``B n, B n -> (B count) n``, both ends among them.

    What belongs to one line stays together: in a picture of as many images across it is a row.

    Paper: arXiv:1703.10717 section 4 (interpolations of latent vectors).

    Args:
        count: The number of points on each line.
    """

    def __init__(self, count: PositiveInt = 10):
        self.count = count

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        share = torch.linspace(0, 1, self.count, dtype=x.dtype, device=x.device).view(-1, *[1] * (x.ndim - 1))
        return rearrange(x[:, None].lerp(y[:, None], share), "b count ... -> (b count) ...")
