"""DCGAN's networks with BS layers, batch norm followed by SELU, at any size that doubling gives."""

from __future__ import annotations

from itertools import pairwise

from einops.layers.torch import Rearrange
from ganzoo_layers import DiscriminatorOutput, at_least, doubling_path, halvings, initialise, of_size, to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


def bs(channels: int) -> list[nn.Module]:
    """A BS layer: batch norm, then SELU, whose fixed point is mean 0, variance 1. Paper: arXiv:1711.06491 section 3."""
    return [nn.BatchNorm2d(channels), nn.SELU()]


class Generator(nn.Module):
    """A latent vector grown by transposed convolutions of stride 2 with BS layers: ``B z -> B C H W``.

    Twice the size is one level more, with twice the channels at the smallest map and everything else as it was, which
    the paper calls a telescope.

    Paper: arXiv:1711.06491 section 3, on the layers of arXiv:1511.06434.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

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
        widths = [width * 2**level for level in reversed(range(len(path) - 1))]
        layers: list[nn.Module] = [Rearrange("b z -> b z 1 1")]
        layers += [nn.ConvTranspose2d(z_dim, widths[0], path[0], bias=False), *bs(widths[0])]
        for channels, fewer in pairwise(widths):
            layers += [nn.ConvTranspose2d(channels, fewer, 4, 2, 1, bias=False), *bs(fewer)]
        layers += [nn.ConvTranspose2d(width, out_channels, 4, 2, 1, bias=False), to_range(out_range)]
        self.net = nn.Sequential(*layers)
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Discriminator(nn.Module):
    """An image halved by convolutions with BS layers, then one linear layer: ``B C H W -> DiscriminatorOutput``.

    The first convolution has SELU without batch norm, as DCGAN's has no norm. Twice the size is one level more.

    Paper: arXiv:1711.06491 section 3, on the layers of arXiv:1511.06434.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any.
        width: Channels after the first convolution, doubled with every halving.

    Raises:
        ValueError: the image is smaller than 4x4, or (when called) of another size.
    """

    channels_last = True

    def __init__(self, in_channels: PositiveInt, in_size: tuple[PositiveInt, PositiveInt], width: PositiveInt = 64):
        super().__init__()
        at_least(in_size, 4)
        self.size = in_size
        height, breadth = in_size
        levels = max(halvings(in_size), 1)
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1, bias=False), nn.SELU()]
        for channels, more in pairwise(width * 2**level for level in range(levels)):
            layers += [nn.Conv2d(channels, more, 4, 2, 1, bias=False), *bs(more)]
        for _ in range(levels):
            height, breadth = height // 2, breadth // 2
        self.body = nn.Sequential(*layers, Rearrange("b c h w -> b (c h w)"))
        self.head: nn.Module = nn.Linear(width * 2 ** (levels - 1) * height * breadth, 1, bias=False)
        initialise(self, "normal", 0.02)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        of_size(x, self.size)
        features = self.body(x)
        return DiscriminatorOutput(self.head(features).squeeze(1), features)
