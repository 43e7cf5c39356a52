"""Self-attention over the places of a map."""

from __future__ import annotations

import torch
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class SelfAttention(nn.Module):
    """Every place of a map reads from all others, with what it reads added: ``B C H W -> B C H W``.

    x + gamma * o(softmax(theta(x)^T phi(x)) g(x)), gamma = 0 at the start; keys and values are pooled by 2, as in the
    authors' code.

    Paper: arXiv:1805.08318 eq. 1-3; the pooling and the width C / 2 of the values are its code's.

    Args:
        channels: Channels of the map; queries and keys have an eighth of them, values a half.
    """

    def __init__(self, channels: int):
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = nn.Conv2d(channels, narrow, 1, bias=False)
        self.phi = nn.Conv2d(channels, narrow, 1, bias=False)
        self.g = nn.Conv2d(channels, half, 1, bias=False)
        self.o = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def weights(self, x: Tensor) -> Tensor:
        """How much each place reads from each pooled one: ``B places keys``, rows that add up to 1."""
        queries = rearrange(self.theta(x), "b c h w -> b (h w) c")
        keys = rearrange(max_pool2d(self.phi(x), 2), "b c h w -> b (h w) c")
        return einsum(queries, keys, "b place c, b key c -> b place key").softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        values = rearrange(max_pool2d(self.g(x), 2), "b c h w -> b (h w) c")
        read = einsum(self.weights(x), values, "b place key, b key c -> b c place")
        return torch.addcmul(x, self.gamma, self.o(rearrange(read, "b c (h w) -> b c h w", h=x.shape[2])))
