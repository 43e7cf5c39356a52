"""A pool of what a generator made before, for a discriminator that shall not forget it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt
from ganzoo.parallel import distributed, draw


class History(nn.Module):
    """Samples of now and of before: ``B … -> B …``, without gradient.

    Until the pool is full, each sample is stored and returned. Then, one by one, each is with probability 1/2 returned
    as it is, and otherwise exchanged for a stored one drawn at random. All processes keep the same pool, that of the
    whole batch. In evaluation samples pass, and nothing is stored.

    Paper: arXiv:1612.07828 section 2.3; arXiv:1703.10593 section 4 (size 50, as in its code).

    Args:
        in_shape: Shape of a sample.
        size: How many are kept; 0 for none.
    """

    stored: Tensor
    count: Tensor

    def __init__(self, in_shape: tuple[int, ...], size: NonNegativeInt = 50):
        super().__init__()
        self.size = size
        self.register_buffer("stored", torch.zeros(size, *in_shape))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.size:
            return x.detach()
        chances = draw.uniform(len(x), 2, device=x.device)
        every, chances = distributed.every_row(x.detach()), distributed.every_row(chances)
        start = distributed.rank() * len(x)
        given = torch.cat([self._exchanged(*row) for row in zip(every.split(1), chances.split(1), strict=True)])
        return given[start : start + len(x)]

    def _exchanged(self, new: Tensor, chance: Tensor) -> Tensor:
        """One sample; nothing here waits for the device."""
        full = self.count >= self.size
        place = torch.where(full, (chance[:, 0] * self.size).long().clamp(max=self.size - 1), self.count)
        old = self.stored.index_select(0, place).to(new.dtype)
        exchange = (full & (chance[:, 1] < 0.5)).view(-1, *[1] * (new.ndim - 1))
        kept = torch.where(full.view_as(exchange) & ~exchange, old, new)
        self.stored.index_copy_(0, place, kept.to(self.stored.dtype))
        self.count.add_(~full)
        return torch.where(exchange, old, new)
