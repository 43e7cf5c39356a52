"""The generator: maps of the object, and maps of the background that pass through a switch at every size."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from ganzoo_layers import multiples, to_range
from ganzoo_stackgan_pp.branches import doubled, start
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class Composed(NamedTuple):
    """An `image`, ``B C H W``, and where its object is, `mask`, ``B 1 H W``: in (-1, 1), above 0 on the object."""

    image: Tensor
    mask: Tensor


class Generator(nn.Module):
    """An object drawn onto a background, from noise and a condition: ``B C H W, B z, B text -> Composed``.

    The background is halved `levels` times, without activations; noise and condition start the maps of the object,
    which meet the background's maps in a synthesis block before each doubling.

    Paper: arXiv:1805.01123 section 3.1, with the widths of the authors' code.

    Args:
        cond_channels: Channels of the background.
        z_dim: Width of the noise.
        text_dim: Width of the condition.
        out_channels: Channels of the images.
        out_size: Height and width, multiples of 2 to the power `levels`.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels after the last doubling; 2 to the power `levels` times as many at the smallest maps.
        levels: Number of halvings of the background, and of doublings.

    Raises:
        ValueError: the size cannot be halved so often.
    """

    channels_last = True

    def __init__(
        self,
        cond_channels: PositiveInt,
        z_dim: PositiveInt,
        text_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        levels: PositiveInt = 4,
    ):
        super().__init__()
        if any(side % 2**levels for side in out_size):
            given, near = "x".join(map(str, out_size)), multiples(out_size, 2**levels)
            raise ValueError(f"out_size {given} cannot be halved {levels} times; {near} can")
        height, breadth = (side // 2**levels for side in out_size)
        widths = [width * 2 ** (level + 1) for level in range(levels)]  # of the maps at 1/2, 1/4, … of the size
        units = widths[-1] * height * breadth
        self.stem = nn.Sequential(
            nn.Linear(z_dim + text_dim, 2 * units, bias=False),
            nn.BatchNorm1d(2 * units),
            nn.GLU(1),
            Rearrange("b (c h w) -> b c h w", h=height, w=breadth),
        )
        self.halve = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after))
            for before, after in zip([cond_channels, *widths], widths, strict=False)
        )
        self.meet = nn.ModuleList(Synthesis(channels) for channels in reversed(widths))
        self.grow = nn.ModuleList(doubled(channels) for channels in reversed(widths))
        self.image = nn.Sequential(nn.Conv2d(width, out_channels, 3, 1, 1, bias=False), to_range(out_range))
        self.mask = nn.Sequential(nn.Conv2d(width, 1, 3, 1, 1, bias=False), nn.Tanh())
        start(self)

    def forward(self, cond: Tensor, z: Tensor, text: Tensor) -> Composed:
        seen = [cond]
        for halve in self.halve:
            seen.append(halve(seen[-1]))
        x = self.stem(torch.cat([text, z], 1))
        for meet, grow, background in zip(self.meet, self.grow, reversed(seen), strict=False):
            x = grow(meet(x, background))
        return Composed(self.image(x), self.mask(x))


class Synthesis(nn.Module):
    """Maps of the object decide how much of the background's pass: ``B C H W, B C H W -> B C H W``.

    f(x) + sigmoid(s(x)) * background, f and s two halves of the same 3x3 convolutions.

    Paper: arXiv:1805.01123 section 3.1 (synthesis block), with the slope 0.02 of the authors' code.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(2 * channels),
            nn.LeakyReLU(0.02),
            nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(2 * channels),
        )

    def forward(self, x: Tensor, background: Tensor) -> Tensor:
        drawn, switch = rearrange(self.body(x), "b (two c) h w -> two b c h w", two=2)
        return drawn + switch.sigmoid() * background
