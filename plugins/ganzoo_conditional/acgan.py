"""The networks of AC-GAN at 32x32, at any size that doubling gives."""

from __future__ import annotations

import itertools

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, at_least, doubling_path, initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, PositiveInt


class Generator(nn.Module):
    """A linear layer, a transposed convolution from 1x1, then doublings: ``B z -> B C H W``.

    Channels are `width` at the smallest map, and halved with every doubling.

    Paper: arXiv:1610.09585 appendix table 2, with the kernels of its PyTorch port.

    Args:
        z_dim: Width of the noise with the one-hot label.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        hidden: Width of the linear layer.
        width: Channels of the smallest map.

    Raises:
        ValueError: the size cannot be reached.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        hidden: PositiveInt = 384,
        width: PositiveInt = 192,
    ):
        super().__init__()
        path = doubling_path(out_size)
        widths = [max(width // 2**level, 1) for level in range(len(path) - 1)]
        layers: list[nn.Module] = [nn.Linear(z_dim, hidden), nn.ReLU(), Rearrange("b c -> b c 1 1")]
        layers += [nn.ConvTranspose2d(hidden, widths[0], path[0], bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], out_channels, 4, 2, 1, bias=False), to_range(out_range)]
        self.net = nn.Sequential(*layers)
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Discriminator(nn.Module):
    """Six 3x3 convolutions, every other one halving the image, and a logit: ``B C H W -> DiscriminatorOutput``.

    The class is read from its features by ``encoder.class_head``.

    Paper: arXiv:1610.09585 appendix table 2.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        width: Channels after the first convolution.
        slope: Slope of leaky_relu for negative values.
        dropout: Probability of dropping a value after every activation.

    Raises:
        ValueError: the image is smaller than 4x4.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 16,
        slope: NonNegativeFloat = 0.2,
        dropout: Fraction = 0.5,
    ):
        super().__init__()
        height, breadth = in_size
        at_least(in_size, 4)
        channels = in_channels
        layers: list[nn.Module] = []
        for level in range(6):
            grown, stride = width * 2**level, 2 - level % 2
            layers += [nn.Conv2d(channels, grown, 3, stride, 1, bias=False)]
            layers += [nn.BatchNorm2d(grown)] if level else []
            layers += [nn.LeakyReLU(slope), nn.Dropout(dropout)]
            channels, height, breadth = grown, -(-height // stride), -(-breadth // stride)
        self.body = nn.Sequential(*layers, Rearrange("b c h w -> b (c h w)"))
        self.head: nn.Module = nn.Linear(channels * height * breadth, 1)
        initialise(self, "normal", 0.02)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
