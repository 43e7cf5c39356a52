"""A pool of refined images, of which half of each batch is made."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.parallel import distributed, draw


class HalfHistory(nn.Module):
    """Half of a batch from now, half from a pool of before: ``B … -> B …``, without gradient.

    Until the pool is full, batches are stored and returned as they are. Then the second half of a batch is exchanged
    for stored samples drawn at random, without replacement where the pool is large enough, and the first half, which
    is returned, takes the places of as many others. An odd sample out belongs to now. All processes keep the same
    pool, that of the whole batch. In evaluation samples pass, and nothing is stored.

    Paper: arXiv:1612.07828 section 2.3.

    Args:
        in_shape: Shape of a sample.
        size: How many are kept, at least half a batch.
    """

    stored: Tensor
    count: Tensor

    def __init__(self, in_shape: tuple[int, ...], size: PositiveInt = 512):
        super().__init__()
        self.size = size
        self.register_buffer("stored", torch.zeros(size, *in_shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x.detach()
        keys = draw.uniform(2, self.size, device=x.device)
        every, keys = distributed.every_row(x.detach()), distributed.every_row(keys)[:2]
        start = distributed.rank() * len(x)
        return self._mixed(every, keys)[start : start + len(x)]

    def _mixed(self, new: Tensor, keys: Tensor) -> Tensor:
        """The whole batch; nothing here waits for the device."""
        half = len(new) // 2
        full = self.count >= self.size
        taken, replaced = (row.argsort()[torch.arange(half, device=new.device) % self.size] for row in keys)
        old = self.stored[taken].to(new.dtype)
        mixed = torch.cat([new[: len(new) - half], torch.where(full, old, new[len(new) - half :])])
        places = torch.arange(len(new), device=new.device) + self.count
        growing = torch.where(places < self.size, places, self.size - 1)
        grown = self.stored.index_copy(0, growing[: self.size], new[: self.size].to(self.stored.dtype))
        exchanged = self.stored.index_copy(0, replaced[: self.size], new[:half][: self.size].to(self.stored.dtype))
        self.stored = torch.where(full, exchanged, grown)
        self.count = (self.count + len(new)).clamp(max=self.size)
        return mixed
