"""The generator and the discriminator of StarGAN."""

from __future__ import annotations

import math

from einops import rearrange
from ganzoo_layers import DiscriminatorOutput, at_least, quartered, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Generator(nn.Module):
    """An image shrunk to a quarter, residual blocks, and back to its size: ``B C H W -> B out H W``.

    A 7x7 convolution, two 4x4 of stride 2, `blocks` of two 3x3 convolutions with a skip, two transposed 4x4 ones, a 7x7
    one. Edges are padded with zeros: instance norm takes away what a constant map, such as a domain's, adds to every
    pixel, and without a border that differs nothing of it would be left.

    Paper: arXiv:1711.09020 appendix table 4; no layer has a bias, as in the authors' code.

    Args:
        in_channels: Channels of the images given, maps of the domain among them.
        in_size: Their height and width, both multiples of 4; other such sizes do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Number of residual blocks.
        width: Channels at full size; doubled at each halving.

    Raises:
        ValueError: the sides are no multiples of 4, or below 8.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        blocks: NonNegativeInt = 6,
        width: PositiveInt = 64,
    ):
        super().__init__()
        quartered(in_size)
        layers = [*_normed(nn.Conv2d(in_channels, width, 7, 1, 3, bias=False)), nn.ReLU()]
        for channels in (width, 2 * width):
            layers += [*_normed(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False)), nn.ReLU()]
        layers += [Block(4 * width) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            layers += [*_normed(nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)), nn.ReLU()]
        layers += [nn.Conv2d(width, out_channels, 7, 1, 3, bias=False), to_range(out_range)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        quartered(x.shape[2:])
        return self.net(x)


class Block(nn.Module):
    """``x + norm(conv(relu(norm(conv(x)))))``, edges padded with zeros; nothing follows the sum."""

    def __init__(self, channels: int):
        super().__init__()
        first, second = (_normed(nn.Conv2d(channels, channels, 3, 1, 1, bias=False)) for _ in range(2))
        self.main = nn.Sequential(*first, nn.ReLU(), *second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)


class Discriminator(nn.Module):
    """A map of logits, each of a patch, and the map before it: ``B C H W -> logit B 1 h w, features B n``.

    4x4 convolutions of stride 2 with no norm, as a critic with a gradient penalty needs, and a 3x3 one. A class is read
    from its flattened features by ``encoder.class_head``, which without a bias is the paper's convolution of the map's
    size.

    Paper: arXiv:1711.09020 appendix table 5.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any that leaves a map.
        width: Channels after the first convolution; doubled by each.
        layers: Number of convolutions of stride 2; if not given, the paper's six or as many as leave a map of 2x2.
        slope: Slope of leaky_relu for negative values.

    Raises:
        ValueError: the image is too small for so many layers.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 64,
        layers: PositiveInt | None = None,
        slope: NonNegativeFloat = 0.01,
    ):
        super().__init__()
        if layers is None:
            layers = min(max(int(math.log2(min(in_size))) - 1, 1), 6)
        at_least(in_size, 2**layers)
        channels = in_channels
        body: list[nn.Module] = []
        for level in range(layers):
            grown = width * 2**level
            body += [nn.Conv2d(channels, grown, 4, 2, 1), nn.LeakyReLU(slope)]
            channels = grown
        self.body = nn.Sequential(*body)
        self.head: nn.Module = nn.Conv2d(channels, 1, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        maps = self.body(x)
        return DiscriminatorOutput(self.head(maps), rearrange(maps, "b c h w -> b (c h w)"))


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(layer.out_channels, affine=True)]
