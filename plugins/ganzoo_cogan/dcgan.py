"""The same coupling in the networks of a small DCGAN."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from ganzoo_dcgan.discriminator import Discriminator as DcganDiscriminator
from ganzoo_dcgan.generator import Generator as DcganGenerator
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo_cogan.discriminator import Judged, JudgedAlone
from ganzoo_cogan.generator import Pair


class Generator(nn.Module):
    """Two `generator.dcgan` that share all layers but the last ones: ``B z -> a B C H W, b B C H W``.

    A linear stem, then a 3x3 convolution and a doubling at each size; the last such level is each domain's own.

    Paper: arXiv:1606.07536 section 2, on the layers of arXiv:1511.06434.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map.
        coupled: Whether the domains share layers at all.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (0.0, 1.0),
        width: PositiveInt = 32,
        coupled: bool = True,
    ):
        super().__init__()

        def layers() -> list[nn.Module]:
            made = DcganGenerator(z_dim, out_channels, out_size, out_range, width, stem="linear", refine=True)
            return [made.stem, *made.levels]

        a, b = layers(), layers()
        shared = len(a) - 1 if coupled else 0
        self.shared = nn.Sequential(*a[:shared])
        self.a, self.b = nn.Sequential(*a[shared:]), nn.Sequential(*b[shared:])

    def forward(self, z: Tensor) -> Pair:
        seed = self.shared(z)
        return Pair(self.a(seed), self.b(seed))

    def of(self, domain: Literal["a", "b"]) -> list[nn.Module]:
        """The layers that an image of one domain passes, first to last."""
        return [*self.shared, *(self.a if domain == "a" else self.b)]


class Discriminator(nn.Module):
    """Two `discriminator.dcgan` that share all layers but the first: ``B C H W, B C H W -> Judged``.

    A halving convolution of each domain's own; the rows of both then pass the other layers as one batch, so that batch
    norm sees both domains. Of the first alone it takes ``B C H W``.

    Paper: arXiv:1606.07536 section 2, on the layers of arXiv:1511.06434.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width.
        width: Channels after the first convolution.
        coupled: Whether the domains share layers at all.

    Raises:
        ValueError: the image is smaller than 4x4.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 32,
        coupled: bool = True,
    ):
        super().__init__()
        own = 2  # a convolution and its activation; the first has no norm
        a, b = (DcganDiscriminator(in_channels, in_size, width, refine=True) for _ in "ab")
        first = [layer for layer in a.body if not isinstance(layer, nn.Identity)]
        other = [layer for layer in b.body if not isinstance(layer, nn.Identity)]
        self.a, self.b = nn.Sequential(*first[:own]), nn.Sequential(*other[:own])
        self.shared, self.head = nn.Sequential(*first[own:]), a.head
        self.rest_b = None if coupled else nn.Sequential(*other[own:])
        self.head_b = None if coupled else b.head

    def forward(self, x: Tensor, y: Tensor | None = None) -> Judged | JudgedAlone:
        if y is None:
            features = self.shared(self.a(x))
            return JudgedAlone(self.head(features).squeeze(1), features)
        if self.rest_b is None or self.head_b is None:
            both = self.shared(torch.cat([self.a(x), self.b(y)]))
            logit, (a, b) = self.head(both), both.chunk(2)
        else:
            a, b = self.shared(self.a(x)), self.rest_b(self.b(y))
            logit = torch.cat([self.head(a), self.head_b(b)])
        return Judged(rearrange(logit, "(domain b) 1 -> b domain", domain=2), torch.cat([a, b], 1), a, b)

    def of(self, domain: Literal["a", "b"]) -> list[nn.Module]:
        """The layers that an image of one domain passes, first to last."""
        if domain == "a":
            return [*self.a, *self.shared, self.head]
        return [*self.b, *(self.rest_b or self.shared), self.head_b or self.head]
