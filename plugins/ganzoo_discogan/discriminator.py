"""The discriminator of DiscoGAN, which also shows what its middle layers saw."""

from __future__ import annotations

from typing import NamedTuple

from einops import rearrange
from ganzoo_layers import Initialisation, at_least, halvings, initialise, of_size
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo.contract import Scales


class Layered(NamedTuple):
    """A `logit` for each image, ``B``, the `features` it is read from, ``B n``, and the `maps` of the layers."""

    logit: Tensor
    features: Tensor
    maps: Scales


class Discriminator(nn.Module):
    """Halving convolutions and a linear layer: ``B C H W -> logit B, features B n, maps``, one ``B c h w`` a layer.

    4x4 convolutions of stride 2 down to 4x4, batch norm behind all but the first. `maps` holds what all of them but the
    first give, behind their activations; losses take it layer by layer and add up.

    Paper: arXiv:1703.05192 section 3.1, with the layers of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 8 on.
        width: Channels behind the first halving, doubled at each further one.
        slope: Slope of leaky_relu for negative values.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: an image is smaller than 8x8, or (when called) images have another size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        slope: NonNegativeFloat = 0.2,
        weight_init: Initialisation = "torch",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        at_least(in_size, 8)
        self.size = in_size
        count = halvings(in_size)
        self.levels = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(in_channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(slope))]
        )
        for level in range(1, count):
            grown = width * 2**level
            halve = nn.Conv2d(grown // 2, grown, 4, 2, 1, bias=False)
            self.levels.append(nn.Sequential(halve, nn.BatchNorm2d(grown), nn.LeakyReLU(slope)))
        height, breadth = (side // 2**count for side in in_size)
        self.head: nn.Module = nn.Linear(width * 2 ** (count - 1) * height * breadth, 1, bias=False)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Layered:
        of_size(x, self.size)
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        features = rearrange(x, "b c h w -> b (c h w)")
        return Layered(self.head(features).squeeze(1), features, Scales(maps[1:]))
