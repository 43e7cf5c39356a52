"""How images match captions, word by word and as a whole."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from ganzoo_layers import halvings, initialise
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from ganzoo.bounds import PositiveFloat, PositiveInt


class Matched(NamedTuple):
    """The loss of a batch, a scalar, and how well image i matches caption j by their words, ``B B``."""

    loss: Tensor
    scores: Tensor


class Matching(nn.Module):
    """Deep attentional multimodal similarity, as a loss: ``B C H W, B T text -> loss, scores B B``.

    R(image, caption) = log sum_i exp(gamma2 cos(c_i, e_i)), with c_i the regions v_j weighed by softmax_j(gamma1 s_ij),
    and s_ij the softmax over words i of e_i . v_j

    The loss says that image i should match caption i best of all in the batch, and the other way round, by gamma3 R and
    by gamma3 times the cosine of the means of regions and words: four cross-entropies added up. Words of zeros do not
    count. With several processes a batch is each process's own.

    Paper: arXiv:1711.10485 eq. 7 to 13, as the authors' code has them; there regions come from an Inception network,
    here from convolutions of stride 2 that are learnt with the rest.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width.
        text_dim: Width of a word.
        width: Channels after the first convolution, doubled with every halving.
        size: Width of the space where regions and words meet.
        gamma1: How sharply a word chooses regions.
        gamma2: How much the best word counts.
        gamma3: How sharply captions are told apart.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        width: PositiveInt = 32,
        size: PositiveInt = 256,
        gamma1: PositiveFloat = 4.0,
        gamma2: PositiveFloat = 5.0,
        gamma3: PositiveFloat = 10.0,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for level in range(max(halvings(in_size), 1)):
            layers += [nn.Conv2d(channels, width * 2**level, 4, 2, 1, bias=False), nn.BatchNorm2d(width * 2**level)]
            layers.append(nn.LeakyReLU(0.2))
            channels = width * 2**level
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, size, 1))
        self.words = nn.Linear(text_dim, size)
        self.gammas = (gamma1, gamma2, gamma3)
        initialise(self, "he", 1.0)

    def forward(self, x: Tensor, text: Tensor) -> Matched:
        given = text if text.ndim == 3 else text[:, None]
        there = (given != 0).any(2)
        regions = rearrange(self.body(x), "b n h w -> b (h w) n")
        words = self.words(given)
        scores = matches(regions, words, there, self.gammas[0], self.gammas[1])
        of_all = there[..., None] / there.sum(1).clamp(min=1)[:, None, None]
        whole = normalize(regions.mean(1), dim=1) @ normalize((words * of_all).sum(1), dim=1).T
        own = torch.arange(len(x), device=x.device)
        tables = [self.gammas[2] * table for one in (scores, whole) for table in (one, one.T)]
        return Matched(sum(cross_entropy(table, own) for table in tables), scores)  # type: ignore[arg-type]


def matches(regions: Tensor, words: Tensor, there: Tensor, gamma1: float, gamma2: float) -> Tensor:
    """R of every image and caption: regions ``B R n``, words ``C T n``, which of them there are, ``C T -> B C``."""
    similar = torch.einsum("brn,ctn->bctr", regions, words).masked_fill(~there[None, :, :, None], -1e4).softmax(2)
    seen = torch.einsum("bctr,brn->bctn", (gamma1 * similar).softmax(3), regions)
    cosine = (normalize(seen, dim=3) * normalize(words, dim=2)).sum(3)
    return reduce((gamma2 * cosine).masked_fill(~there, -1e4).exp(), "b c t -> b c", "sum").log()
