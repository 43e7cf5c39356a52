"""Patches of one image beside those of another: their vectors, and the loss that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from ganzoo.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from ganzoo.contract import Scales
from ganzoo.parallel import draw
from ganzoo_cut.start import xavier_normal


class Pairs(NamedTuple):
    """Vectors of length 1 at the same places of two images, ``B count width`` for each map."""

    query: Scales
    key: Scales


class Patches(nn.Module):
    """Vectors at random places of two images' maps, the same places in both: ``B c h w`` each -> ``Pairs``.

    Every map has two linear layers of its own, with a ReLU between them.

    Paper: arXiv:2007.15651 section 3 and appendix C.1.

    Args:
        channels: Channels of each map, in their order; of a single tensor they are read from it.
        in_channels: Channels of a single tensor, if one is given instead of maps.
        width: Length of a vector.
        count: Places drawn from a map of each image, or all if it has fewer.
        init_scale: Gain of Xavier's normal distribution of the weights at the start.

    Raises:
        ValueError: the maps given are not those of `channels`.
    """

    def __init__(
        self,
        channels: Sequence[PositiveInt] = (),
        in_channels: PositiveInt | None = None,
        width: PositiveInt = 256,
        count: PositiveInt = 256,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.channels = tuple(channels) or ((in_channels,) if in_channels else ())
        if not self.channels:
            raise ValueError("`channels` must say how many channels each map has, as in channels: [3, 128, 256]")
        self.count = count
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c, width), nn.ReLU(), nn.Linear(width, width)) for c in self.channels
        )
        xavier_normal(self, init_scale)

    def forward(self, x: Tensor | Scales, y: Tensor | Scales) -> Pairs:
        queries, keys = (maps if isinstance(maps, tuple) else (maps,) for maps in (x, y))
        given = tuple(m.shape[1] for m in queries)
        if given != self.channels:
            raise ValueError(f"the maps have {list(given)} channels, but `channels` says {list(self.channels)}")
        found = []
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            places = draw.uniform(len(query), query[0, 0].numel(), device=query.device)
            places = places.argsort(1)[:, : self.count, None]
            rows = (rearrange(m, "b c h w -> b (h w) c") for m in (query, key))
            found.append([normalize(head(torch.take_along_dim(r, places, 1)), dim=2, eps=1e-7) for r in rows])
        return Pairs(Scales(pair[0] for pair in found), Scales(pair[1] for pair in found))


class PatchNCE:
    """Which of an image's own places a vector comes from: mean of ``-log softmax_j(x_i . y_j / t)`` at ``j = i``.

    Vectors are ``B n d``, or ``n d`` of one image; no gradient reaches `y`. Several maps are added up, where the
    authors take their mean.

    Paper: arXiv:2007.15651 eq. 2 and 3; negatives are other places of the same image.

    Args:
        temperature: What the products are divided by.
    """

    def __init__(self, temperature: PositiveFloat = 0.07):
        self.temperature = temperature

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = (rearrange(v, "b ... d -> b (...) d") if v.ndim > 2 else v[None] for v in (x, y.detach()))
        logits = einsum(x, y, "b i d, b j d -> b i j") / self.temperature
        own = torch.arange(logits.shape[1], device=x.device).expand(len(x), -1)
        return cross_entropy(rearrange(logits, "b i j -> (b i) j"), own.flatten())
