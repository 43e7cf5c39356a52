"""The convolutional networks on which spectral normalisation was first shown."""

from __future__ import annotations

import itertools
import math

from einops.layers.torch import Rearrange
from ganzoo_layers import (
    DiscriminatorOutput,
    Norm,
    activation,
    at_least,
    doubling_path,
    halvings,
    initialise,
    norm,
    to_range,
)
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class Generator(nn.Module):
    """A linear layer, transposed 4x4 convolutions, a 3x3 convolution at full size: ``B z -> B C H W``.

    Paper: arXiv:1802.05957 appendix table 3a.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels at full size; doubled at every halving.

    Raises:
        ValueError: the size cannot be reached.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
    ):
        super().__init__()
        path = doubling_path(out_size)
        channels = [width * 2 ** (len(path) - 1 - level) for level in range(len(path))]
        base = (channels[0], *path[0])
        layers: list[nn.Module] = [
            nn.Linear(z_dim, math.prod(base)),
            Rearrange("b (c h w) -> b c h w", h=base[1], w=base[2]),
        ]
        for inputs, outputs in itertools.pairwise(channels):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1),
                norm("batch", outputs),
                activation("relu"),
            ]
        self.net = nn.Sequential(*layers, nn.Conv2d(channels[-1], out_channels, 3, 1, 1), to_range(out_range))
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Discriminator(nn.Module):
    """Pairs of a 3x3 and a halving 4x4 convolution, a last 3x3 one, a linear layer: ``B C H W -> DiscriminatorOutput``.

    Paper: arXiv:1802.05957 appendix table 3b.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 8x8.
        width: Channels at full size; doubled with every pair.
        slope: Slope of leaky_relu for negative values.
        norm: Normalisation after every convolution but the first.

    Raises:
        ValueError: the image is smaller than 8x8.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        slope: NonNegativeFloat = 0.1,
        norm: Norm = "none",
    ):
        super().__init__()
        height, breadth = in_size
        at_least(in_size, 8)
        channels = in_channels
        layers: list[nn.Module] = []
        for level in range(halvings(in_size)):
            grown = width * 2**level
            layers += _conv(channels, grown, 3, norm if level else "none", slope)
            layers += _conv(grown, grown, 4, norm, slope)
            channels, height, breadth = grown, height // 2, breadth // 2
        layers += _conv(channels, 2 * channels, 3, norm, slope)
        self.body = nn.Sequential(*layers, Rearrange("b c h w -> b (c h w)"))
        self.head: nn.Module = nn.Linear(2 * channels * height * breadth, 1)
        initialise(self, "normal", 0.02)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def _conv(inputs: int, outputs: int, kernel: int, kind: Norm, slope: float) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, 1 + (kernel == 4), 1),
        norm(kind, outputs),
        activation("leaky_relu", slope),
    ]
