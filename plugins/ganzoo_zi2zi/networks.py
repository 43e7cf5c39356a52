"""A U-Net whose bottleneck is told the font, and a discriminator whose features tell it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from ganzoo_layers import DiscriminatorOutput, agree, initialise, multiples, to_range
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeInt, PositiveFloat, PositiveInt

MOST = 8  # times `width`: the most channels


class Written(NamedTuple):
    """A letter, `image` ``B C H W``, and the `code` of the one it was made from, ``B n h w``."""

    image: Tensor
    code: Tensor


class Generator(nn.Module):
    """A U-Net of 5x5 convolutions that is told the font between its halves: ``B C H W, B -> Written``.

    The vector of a font is random and stays so; it stands beside the code at every place. Called without a label, it is
    a U-Net.

    Source: https://github.com/kaonashi-tyc/zi2zi, model/unet.py, after arXiv:1611.07004.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both multiples of ``2^downs``.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        num_classes: How many fonts.
        width: Channels after the first convolution; doubled by each, up to 8 times that.
        downs: How often the image is halved; to 1x1 in the code.
        embedding: Width of the vector of a font.
        spread: Standard deviation of its numbers.
        dropout: Probability of dropping a value of the first three layers of the decoder.

    Raises:
        ValueError: the size cannot be halved so often.
    """

    channels_last = True
    fonts: Tensor

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        num_classes: NonNegativeInt = 0,
        width: PositiveInt = 64,
        downs: PositiveInt = 3,
        embedding: PositiveInt = 128,
        spread: PositiveFloat = 0.01,
        dropout: Fraction = 0.5,
    ):
        super().__init__()
        self.downs = downs
        self._check(in_size)
        widths = [width * min(2**level, MOST) for level in range(downs)]
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level, (inputs, outputs) in enumerate(itertools.pairwise([in_channels, *widths])):
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            layers.append(nn.Conv2d(inputs, outputs, 5, 2, 2))
            layers += [nn.BatchNorm2d(outputs)] if level else []
            self.encoder.append(nn.Sequential(*layers))
        told = embedding if num_classes else 0
        for level, outputs in enumerate([*widths[-2::-1], out_channels]):
            inputs = widths[-1] + told if level == 0 else 2 * widths[-1 - level]
            layers = [nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, 1)]
            layers += [nn.BatchNorm2d(outputs)] if level < downs - 1 else [to_range(out_range)]
            layers += [nn.Dropout(dropout)] if level < min(3, downs - 1) else []
            self.decoder.append(nn.Sequential(*layers))
        initialise(self, "normal", 0.02)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.ones_(layer.weight)
        self.register_buffer("fonts", spread * torch.randn(num_classes, embedding))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Written:
        agree(len(self.fonts) > 0, label)
        code, skips = self._halve(x)
        x = code
        if label is not None:
            font = self.fonts[label][:, :, None, None].expand(-1, -1, *code.shape[2:])
            x = torch.cat([code, font], 1)
        x = self.decoder[0](x)
        for up in self.decoder[1:]:
            x = up(torch.cat([x, skips.pop()], 1))
        return Written(x, code)

    def encode(self, x: Tensor) -> Tensor:
        """The code of a letter alone, ``B C H W -> B n h w``."""
        return self._halve(x)[0]

    def _halve(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        self._check(x.shape[2:])
        maps = []
        for down in self.encoder:
            x = down(x)
            maps.append(x)
        return x, maps[:-1]

    def _check(self, size: Sequence[int]) -> None:
        height, breadth = size
        step = 2**self.downs
        if height % step or breadth % step:
            near = multiples(size, step)
            raise ValueError(f"an image of {height}x{breadth} cannot be halved {self.downs} times; {near} would do")


class Discriminator(nn.Module):
    """Three halving 5x5 convolutions, one more, and a linear layer: ``B C H W, B C H W -> DiscriminatorOutput``.

    Its `features`, ``B n``, are what `encoder.class_head` reads the font from.

    Source: https://github.com/kaonashi-tyc/zi2zi, model/unet.py.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width.
        cond_channels: Channels of the images they were made from; 0 to judge without.
        width: Channels after the first convolution, doubled by each.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        cond_channels: NonNegativeInt = 0,
        width: PositiveInt = 64,
    ):
        super().__init__()
        self.cond_channels = cond_channels
        layers: list[nn.Module] = []
        channels, (height, breadth) = in_channels + cond_channels, in_size
        for level in range(4):
            stride = 2 if level < 3 else 1
            layers.append(nn.Conv2d(channels, width * 2**level, 5, stride, 2))
            layers += [nn.BatchNorm2d(width * 2**level)] if level else []
            layers.append(nn.LeakyReLU(0.2))
            channels = width * 2**level
            height, breadth = -(-height // stride), -(-breadth // stride)
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head: nn.Module = nn.Linear(channels * height * breadth, 1)
        initialise(self, "normal", 0.02)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.ones_(layer.weight)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> DiscriminatorOutput:
        if (cond is None) != (self.cond_channels == 0):
            raise ValueError("it is called with a cond and without, but should always be called alike")
        features = self.body(x if cond is None else torch.cat([x, cond], 1))
        return DiscriminatorOutput(self.head(features).flatten(), features)
