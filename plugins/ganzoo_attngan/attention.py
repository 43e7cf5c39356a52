"""A branch of the tree whose every place looks for the words that matter to it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from ganzoo_stackgan_pp.branches import Residual, doubled, doublings, drawn, gated, start
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Attended(NamedTuple):
    """An `image`, ``B C H W``, the maps it is drawn from, ``B n H W``, and how each place weighs words, ``B T h w``."""

    image: Tensor
    features: Tensor
    attention: Tensor


class Branch(nn.Module):
    """Maps beside what each of their places attends to, residual blocks, doubled: ``B n h w, B T text -> Attended``.

    c_j = sum_i a_ji U e_i,  a_ji = softmax_i(h_j . U e_i), over words i that are not all zeros

    A caption's one vector, ``B text``, does as well: then every place sees the same.

    Paper: arXiv:1711.10485 eq. 2, with the widths of the authors' code.

    Args:
        in_channels: Channels of the maps.
        in_size: Their height and width.
        text_dim: Width of a word.
        out_channels: Channels of the images.
        out_size: Height and width of the images: those of the maps, doubled any number of times (once in the paper).
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Residual blocks.

    Raises:
        ValueError: doubling the maps does not lead to that size.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        blocks: NonNegativeInt = 2,
    ):
        super().__init__()
        count = doublings(in_size, out_size)
        self.words = nn.Linear(text_dim, in_channels, bias=False)
        self.blocks = nn.Sequential(*(Residual(2 * in_channels) for _ in range(blocks)))
        more = [nn.Sequential(nn.Upsample(scale_factor=2), *gated(in_channels, in_channels)) for _ in range(count - 1)]
        first = doubled(2 * in_channels) if count else nn.Sequential(*gated(2 * in_channels, in_channels))
        self.grow = nn.Sequential(*first, *more)
        self.image = drawn(in_channels, out_channels, out_range)
        start(self)

    def forward(self, x: Tensor, text: Tensor) -> Attended:
        seen, weights = attend(x, self.words(_several(text)), _several(text))
        features = self.grow(self.blocks(torch.cat([x, seen], 1)))
        return Attended(self.image(features), features, weights)


def attend(x: Tensor, words: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
    """What each place attends to, and how: ``B n h w, B T n, B T k -> B n h w, B T h w``.

    Rows of zeros in `given` are no words.
    """
    height = x.shape[2]
    scores = torch.einsum("bnp,btn->btp", rearrange(x, "b n h w -> b n (h w)"), words)
    absent = (given == 0).all(2, keepdim=True)
    weights = scores.masked_fill(absent, -1e4).softmax(1)
    seen = torch.einsum("btn,btp->bnp", words, weights)
    return tuple(rearrange(t, "b n (h w) -> b n h w", h=height) for t in (seen, weights))  # type: ignore[return-value]


def _several(text: Tensor) -> Tensor:
    return text if text.ndim == 3 else text[:, None]
