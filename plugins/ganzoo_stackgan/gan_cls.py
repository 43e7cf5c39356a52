"""The networks of GAN-CLS: DCGAN's with the text beside the noise, and beside what D has seen."""

from __future__ import annotations

from itertools import pairwise

import torch
from einops.layers.torch import Rearrange
from ganzoo_layers import at_least, doubling_path, halvings, initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo_stackgan.discriminator import TextDiscriminator


class Generator(nn.Module):
    """Noise beside the compressed text, grown by transposed convolutions: ``B z, B text -> B C H W``.

    The two smallest maps pass through a residual block each.

    Paper: arXiv:1605.05396 section 4, with the widths and blocks of the authors' code.

    Args:
        z_dim: Width of the noise.
        text_dim: Width of the text embedding.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map, doubled with every smaller one.
        embedding: Numbers to which the text is compressed; the paper and the code of GAN-INT-CLS have 128, the code of
            GAN-CLS 256.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True

    def __init__(
        self,
        z_dim: PositiveInt,
        text_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 128,
        embedding: PositiveInt = 256,
    ):
        super().__init__()
        path = doubling_path(out_size)
        channels = [width * 2**level for level in reversed(range(len(path) - 1))]
        self.compress = nn.Sequential(nn.Linear(text_dim, embedding), nn.LeakyReLU(0.2))
        layers: list[nn.Module] = [Rearrange("b z -> b z 1 1", z=z_dim + embedding)]
        layers += [nn.ConvTranspose2d(z_dim + embedding, channels[0], path[0]), nn.BatchNorm2d(channels[0])]
        layers.append(Bottleneck(channels[0], 0.0))
        for level, (before, after) in enumerate(pairwise(channels)):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after)]
            layers.append(Bottleneck(after, 0.0) if level == 0 else nn.ReLU())
        self.grow = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], out_channels, 4, 2, 1), to_range(out_range))
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor, text: Tensor) -> Tensor:
        return self.grow(torch.cat([z, self.compress(text)], 1))


class Discriminator(TextDiscriminator):
    """An image halved to maps near 4x4, joined with the compressed text: ``B C H W, B text -> DiscriminatorOutput``.

    Paper: arXiv:1605.05396 section 4, with the widths and the residual block of the authors' code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 4.
        text_dim: Width of the text embedding.
        width: Channels after the first convolution, doubled with every halving.
        embedding: Numbers to which the text is compressed; the paper and the code of GAN-INT-CLS have 128, the code of
            GAN-CLS 256.

    Raises:
        ValueError: the image is smaller than 4x4, or (when called) images of another size.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        width: PositiveInt = 64,
        embedding: PositiveInt = 256,
    ):
        super().__init__()
        self.size = height, breadth = in_size
        at_least(in_size, 4)
        count = max(halvings(in_size), 1)
        layers: list[nn.Module] = []
        channels = in_channels
        for level in range(count):
            more = width * 2**level
            layers.append(nn.Conv2d(channels, more, 4, 2, 1))
            layers += [nn.BatchNorm2d(more)] if level else []
            layers.append(nn.LeakyReLU(0.2) if level < count - 1 else Bottleneck(more, 0.2))
            channels, height, breadth = more, height // 2, breadth // 2
        self.see = nn.Sequential(*layers)
        self.compress = nn.Sequential(nn.Linear(text_dim, embedding), nn.LeakyReLU(0.2))
        self.joint = nn.Sequential(
            nn.Conv2d(channels + embedding, channels, 1), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)
        )
        self.head = nn.Conv2d(channels, 1, (height, breadth))
        initialise(self, "normal", 0.02)


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3, 3x3 through a quarter of the channels, added to their input, then (leaky) ReLU.

    Paper: arXiv:1512.03385 section 4.1.
    """

    def __init__(self, channels: int, slope: float):
        super().__init__()
        inner = max(channels // 4, 1)

        def act() -> nn.Module:
            return nn.LeakyReLU(slope) if slope else nn.ReLU()

        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            nn.BatchNorm2d(inner),
            act(),
            nn.Conv2d(inner, inner, 3, 1, 1),
            nn.BatchNorm2d(inner),
            act(),
            nn.Conv2d(inner, channels, 3, 1, 1),
            nn.BatchNorm2d(channels),
        )
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.body(x))
