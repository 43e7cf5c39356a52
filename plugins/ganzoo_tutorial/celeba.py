"""A small DCGAN for 64x64 colour images, as an introductory text on faces has it."""

from __future__ import annotations

from einops import reduce
from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, activation, at_least, doubling_path, norm, to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class Generator(nn.Module):
    """A linear layer, blocks of a transposed 5x5 convolution, a 5x5 convolution: ``B z -> B C H W``.

    Block by block the channels are 4, 2, 1 and again 1 times `capacity`.

    Source: the tutorial on celebrity faces (capacity 16, kernel 5, LeakyReLU 0.3).

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; 4x4 doubled four times is the tutorial's.
        out_range: Range of the data.
        capacity: Multiplies the channels.

    Raises:
        ValueError: the size cannot be reached.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        capacity: PositiveInt = 16,
    ):
        super().__init__()
        path = doubling_path(out_size)
        (height, width), levels = path[0], len(path) - 1
        first = 8 * capacity
        layers: list[nn.Module] = [
            nn.Linear(z_dim, first * height * width),
            norm("batch", first * height * width, 0),
            Rearrange("b (c h w) -> b c h w", h=height, w=width),
        ]
        channels = first
        for level in range(levels):
            grown = capacity * max(2 ** (2 - level), 1)
            layers += [
                nn.ConvTranspose2d(channels, grown, 5, 2, 2, 1),
                norm("batch", grown),
                activation("leaky_relu", 0.3),
            ]
            channels = grown
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, out_channels, 5, 1, 2), to_range(out_range))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Discriminator(nn.Module):
    """Blocks of two 5x5 convolutions, the second halving; mean over the image: ``B C H W -> DiscriminatorOutput``.

    Source: the tutorial on celebrity faces (capacity 16: 16, 32, 64 and 128 filters, LeakyReLU 0.3).

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 16x16.
        capacity: Filters of the first block; doubled with each of the four.

    Raises:
        ValueError: the image is smaller than 16x16.
    """

    def __init__(self, in_channels: PositiveInt, in_size: tuple[PositiveInt, PositiveInt], capacity: PositiveInt = 16):
        super().__init__()
        at_least(in_size, 16)
        layers: list[nn.Module] = []
        channels = in_channels
        for level in range(4):
            grown = capacity * 2**level
            layers += [
                nn.Conv2d(channels, grown, 5, 1, 2),
                norm("batch", grown),
                nn.Conv2d(grown, grown, 5, 2, 2),
                norm("batch", grown),
                activation("leaky_relu", 0.3),
            ]
            channels = grown
        self.body = nn.Sequential(*layers)
        self.head: nn.Module = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = reduce(self.body(x), "b c h w -> b c", "mean")
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
