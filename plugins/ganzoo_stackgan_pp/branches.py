"""The generators of a tree: the first grows maps from noise, each next one doubles them, and all draw an image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops.layers.torch import Rearrange
from ganzoo_layers import doubling_path, initialise, to_range
from ganzoo_stackgan.stage_two import tiled
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt


class Drawn(NamedTuple):
    """An `image`, ``B C H W``, and the maps that it is drawn from, ``B n H W``, which the next branch takes."""

    image: Tensor
    features: Tensor


class Root(nn.Module):
    """Noise beside the condition, a linear layer, then doublings that halve the channels: ``B z, B text -> Drawn``.

    Paper: arXiv:1710.10916 section 4.1, with the widths of the authors' code.

    Args:
        z_dim: Width of the noise.
        text_dim: Width of the condition.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the maps that the image is drawn from.

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
        width: PositiveInt = 64,
    ):
        super().__init__()
        path = doubling_path(out_size)
        doublings = len(path) - 1
        height, breadth = path[0]
        units = width * 2**doublings * height * breadth
        self.stem = nn.Sequential(
            nn.Linear(z_dim + text_dim, 2 * units, bias=False),
            nn.BatchNorm1d(2 * units),
            nn.GLU(1),
            Rearrange("b (c h w) -> b c h w", h=height, w=breadth),
        )
        self.grow = nn.Sequential(*(doubled(width * 2**level) for level in range(doublings, 0, -1)))
        self.image = drawn(width, out_channels, out_range)
        start(self)

    def forward(self, z: Tensor, text: Tensor) -> Drawn:
        features = self.grow(self.stem(torch.cat([text, z], 1)))
        return Drawn(self.image(features), features)


class Branch(nn.Module):
    """The maps of the branch before, seen once more with the condition and doubled: ``B n h w, B text -> Drawn``.

    A 3x3 convolution over maps and condition, residual blocks, doublings that halve the channels; all gated.

    Paper: arXiv:1710.10916 section 4.1, with the widths of the authors' code.

    Args:
        in_channels: Channels of the maps.
        in_size: Their height and width.
        text_dim: Width of the condition.
        out_channels: Channels of the images.
        out_size: Height and width of the images: those of the maps, doubled any number of times.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Residual blocks.

    Raises:
        ValueError: doubling the maps does not lead to that size.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        text_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        blocks: NonNegativeInt = 2,
    ):
        super().__init__()
        self.joint = nn.Sequential(*gated(in_channels + text_dim, in_channels))
        self.blocks = nn.Sequential(*(Residual(in_channels) for _ in range(blocks)))
        widths = [max(in_channels // 2**level, 1) for level in range(doublings(in_size, out_size) + 1)]
        self.grow = nn.Sequential(*(doubled(width) for width in widths[:-1]))
        self.image = drawn(widths[-1], out_channels, out_range)
        start(self)

    def forward(self, x: Tensor, text: Tensor) -> Drawn:
        features = self.grow(self.blocks(self.joint(torch.cat([tiled(text, x), x], 1))))
        return Drawn(self.image(features), features)


class Residual(nn.Module):
    """A gated and a plain 3x3 convolution, added to their input: ``x + f(x)``. Paper: arXiv:1710.10916 section 4.1."""

    def __init__(self, channels: int):
        super().__init__()
        last = [nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)]
        self.body = nn.Sequential(*gated(channels, channels), *last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def doublings(small: tuple[int, int], large: tuple[int, int]) -> int:
    """How often one size is doubled to be the other. Source: ganzoo's own."""
    count = max(large[0] // small[0], 1).bit_length() - 1
    if tuple(side * 2**count for side in small) != tuple(large):
        (h, w), (height, width) = small, large
        raise ValueError(f"{h}x{w} doubled again and again is never {height}x{width}; {2 * h}x{2 * w} would do")
    return count


def gated(channels: int, out: int) -> list[nn.Module]:
    """A 3x3 convolution, batch norm and a gate, a * sigmoid(b). Source: the authors' code of arXiv:1710.10916."""
    return [nn.Conv2d(channels, 2 * out, 3, 1, 1, bias=False), nn.BatchNorm2d(2 * out), nn.GLU(1)]


def doubled(channels: int) -> nn.Sequential:
    """Maps of twice the size and half the channels. Source: the authors' code of arXiv:1710.10916."""
    return nn.Sequential(nn.Upsample(scale_factor=2), *gated(channels, max(channels // 2, 1)))


def drawn(channels: int, out: int, out_range: tuple[float, float] | None) -> nn.Sequential:
    """Maps as an image. Source: the authors' code of arXiv:1710.10916."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, 1, 1, bias=False), to_range(out_range))


def start(network: nn.Module) -> None:
    """Orthogonal weights, norms' gains from N(1, 0.02). Source: the authors' code of arXiv:1710.10916."""
    initialise(network, "orthogonal", 1.0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
