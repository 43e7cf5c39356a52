"""The discriminator of pix2pixHD, for one scale."""

from __future__ import annotations

from typing import NamedTuple

import torch
from ganzoo_layers import initialise
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Seen(NamedTuple):
    """A map of logits, the `features` that it is read from, and all `maps` before it, one a layer."""

    logit: Tensor
    features: Tensor
    maps: list[Tensor]


class Discriminator(nn.Module):
    """A map of logits, each of a patch, and all maps before it: ``B C H W -> logit B 1 h w, features, maps``.

    4x4 convolutions padded by 2: `layers` of stride 2, then two of stride 1; instance norm without scale and shift from
    the second on. `cond` is put beside the image. For several scales give several of them smaller images; ``l1(D(fake,
    a).maps, D(real, a).maps)`` matches what they see, as the mean over the maps.

    Paper: arXiv:1711.11585 section 3.2, appendix A.

    Args:
        in_channels: Channels of the images.
        cond_channels: Channels of the images to condition on.
        width: Channels after the first convolution; doubled by each, up to 8 times that.
        layers: How many convolutions have stride 2.
        init_scale: Standard deviation of the weights at the start.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        cond_channels: NonNegativeInt = 0,
        width: PositiveInt = 64,
        layers: PositiveInt = 3,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        channels = in_channels + cond_channels
        self.layers = nn.ModuleList([nn.Sequential(nn.Conv2d(channels, width, 4, 2, 2), nn.LeakyReLU(0.2))])
        for level in range(1, layers + 1):
            inputs, outputs = (width * min(2**power, 8) for power in (level - 1, level))
            convolution = nn.Conv2d(inputs, outputs, 4, 2 if level < layers else 1, 2)
            self.layers.append(nn.Sequential(convolution, nn.InstanceNorm2d(outputs), nn.LeakyReLU(0.2)))
        self.head: nn.Module = nn.Conv2d(width * min(2**layers, 8), 1, 4, 1, 2)
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Seen:
        y = x if cond is None else torch.cat([cond, x], 1)
        maps: list[Tensor] = []
        for layer in self.layers:
            y = layer(y)
            maps.append(y)
        return Seen(self.head(y), y, maps)
