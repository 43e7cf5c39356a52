"""The discriminator of both stages, and what it shares with that of GAN-CLS."""

from __future__ import annotations

import torch
from ganzoo_layers import DiscriminatorOutput, at_least, halvings, initialise, of_size
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo_stackgan.stage_two import tiled


class TextDiscriminator(nn.Module):
    """What those of texts share: maps of the image joined with the text. Source: arXiv:1605.05396 section 4."""

    channels_last = True
    size: tuple[int, int]
    see: nn.Module
    compress: nn.Module
    joint: nn.Module
    head: nn.Module

    def forward(self, x: Tensor, text: Tensor) -> DiscriminatorOutput:
        of_size(x, self.size)
        seen = self.see(x)
        features = self.joint(torch.cat([seen, tiled(self.compress(text), seen)], 1))
        return DiscriminatorOutput(self.head(features).flatten(), features.flatten(1))


class Discriminator(TextDiscriminator):
    """An image halved to maps near 4x4, joined with the condition: ``B C H W, B text -> DiscriminatorOutput``.

    Channels start at `width` and double with every halving; beyond 8 times `width`, 3x3 convolutions halve them again.

    Paper: arXiv:1612.03242 sections 3.3 and 3.4, with the widths and the 3x3 convolution of the authors' PyTorch code.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 4.
        text_dim: Width of the condition.
        width: Channels after the first convolution.
        embedding: Compress the text to so many numbers first, as the paper does; 0 takes it as it is, as the authors'
            code takes the mean of its conditioning augmentation.

    Raises:
        ValueError: the image is smaller than 4x4, or (when called) images of another size.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        width: PositiveInt = 64,
        embedding: NonNegativeInt = 0,
    ):
        super().__init__()
        self.size = height, breadth = in_size
        at_least(in_size, 4)
        layers: list[nn.Module] = []
        channels = in_channels
        for level in range(max(halvings(in_size), 1)):
            more = width * 2**level
            layers.append(nn.Conv2d(channels, more, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(more)] if level else []
            layers.append(nn.LeakyReLU(0.2))
            channels, height, breadth = more, height // 2, breadth // 2
        while channels > 8 * width:
            layers += _normed(channels, channels // 2)
            channels //= 2
        self.see = nn.Sequential(*layers)
        self.compress = nn.Sequential(nn.Linear(text_dim, embedding), nn.LeakyReLU(0.2)) if embedding else nn.Identity()
        self.joint = nn.Sequential(*_normed(channels + (embedding or text_dim), channels))
        self.head = nn.Conv2d(channels, 1, (height, breadth))
        initialise(self, "normal", 0.02)


def _normed(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)]
