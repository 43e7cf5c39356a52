"""The convolutional networks on which spectral normalisation was first shown."""

from __future__ import annotations

import itertools
import math

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
        z_dim: int,
        out_channels: int,
        out_size: tuple[int, int],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: int = 64,
    ):
        super().__init__()
        path = doubling_path(out_size)
        channels = [width * 2 ** (len(path) - 1 - level) for level in range(len(path))]
        base = (channels[0], *path[0])
        layers: list[nn.Module] = [nn.Linear(z_dim, math.prod(base)), nn.Unflatten(1, base)]
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
        slope: Of leaky_relu for negative values.
        norm: After every convolution but the first.

    Raises:
        ValueError: the image is smaller than 8x8.
    """

    def __init__(
        self, in_channels: int, in_size: tuple[int, int], width: int = 64, slope: float = 0.1, norm: Norm = "none"
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
        self.body = nn.Sequential(*layers, nn.Flatten())
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
