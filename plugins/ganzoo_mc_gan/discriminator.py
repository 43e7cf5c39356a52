"""The discriminator: an image; an image with its mask; an image with its mask and its caption."""

from __future__ import annotations

from typing import NamedTuple

import torch
from ganzoo_layers import at_least, of_size
from ganzoo_stackgan.stage_two import tiled
from ganzoo_stackgan_pp.branches import start
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Judged(NamedTuple):
    """Whether image, mask and caption belong together, `logit`; image and mask, `pair`; an image is real, `image`."""

    logit: Tensor
    pair: Tensor
    image: Tensor
    features: Tensor


class Discriminator(nn.Module):
    """Two columns of halving convolutions, of an image and of it with its mask: ``B C H W, B 1 H W, B text -> Judged``.

    Paper: arXiv:1805.01123 section 3.2, with the widths of the authors' code.

    Args:
        in_channels: Channels of the images.
        cond_channels: Channels of the masks.
        in_size: Height and width, at least 2 to the power `levels`.
        text_dim: Width of the condition.
        width: Channels after the first convolution, doubled with every halving.
        levels: Number of halvings.
        embedding: Compress the text to so many numbers first; 0 takes it as it is.

    Raises:
        ValueError: the image is smaller than that, or (when called) images of another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        cond_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        width: PositiveInt = 64,
        levels: PositiveInt = 4,
        embedding: NonNegativeInt = 0,
    ):
        super().__init__()
        self.size = in_size
        at_least(in_size, 2**levels)
        channels = width * 2 ** (levels - 1)
        place = (in_size[0] // 2**levels, in_size[1] // 2**levels)
        self.see = column(in_channels, width, levels)
        self.see_pair = column(in_channels + cond_channels, width, levels)
        self.compress = nn.Sequential(nn.Linear(text_dim, embedding), nn.LeakyReLU(0.2)) if embedding else nn.Identity()
        self.joint = nn.Sequential(
            nn.Conv2d(channels + (embedding or text_dim), channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Conv2d(channels, 1, place)
        self.head_image = nn.Conv2d(channels, 1, place)
        self.head_pair = nn.Conv2d(channels, 1, place)
        start(self)

    def forward(self, x: Tensor, cond: Tensor, text: Tensor) -> Judged:
        of_size(x, self.size)
        seen, pair = self.see(x), self.see_pair(torch.cat([x, cond], 1))
        features = self.joint(torch.cat([tiled(self.compress(text), pair), pair], 1))
        logit, of_pair, of_image = self.head(features), self.head_pair(pair), self.head_image(seen)
        return Judged(logit.flatten(), of_pair.flatten(), of_image.flatten(), features.flatten(1))


def column(channels: int, width: int, levels: int) -> nn.Sequential:
    """Halving 4x4 convolutions, all but the first with batch norm. Source: the authors' code of arXiv:1805.01123."""
    layers: list[nn.Module] = []
    for level in range(levels):
        more = width * 2**level
        layers.append(nn.Conv2d(channels, more, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(more)] if level else []
        layers.append(nn.LeakyReLU(0.2))
        channels = more
    return nn.Sequential(*layers)
