"""The generators of pix2pixHD, coarse and fine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ganzoo_layers import initialise, multiples, to_range
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Made(NamedTuple):
    """An image, and the maps that its last convolution reads."""

    image: Tensor
    maps: Tensor


class Residual(nn.Module):
    """Two 3x3 convolutions with instance norm, edges reflected, added to their input: ``B C H W -> B C H W``."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            *normed(nn.Conv2d(channels, channels, 3), channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class GlobalGenerator(nn.Module):
    """An image halved `downs` times, residual blocks, and back: ``B C H W -> image B C' H W, maps B width H W``.

    A 7x7 convolution, 3x3 ones of stride 2, `blocks` of two 3x3 convolutions with a skip, transposed ones, a 7x7 one;
    instance norm without scale and shift, ReLU; edges are reflected.

    Paper: arXiv:1711.11585 section 3.2 (G1), appendix A.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both multiples of ``2^downs``; other such sizes do as well later.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels at full size; doubled at each halving.
        downs: How often the image is halved.
        blocks: Residual blocks.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the image cannot be halved so often, or too little of it is left.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        downs: NonNegativeInt = 4,
        blocks: NonNegativeInt = 9,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.downs = downs
        divisible(in_size, downs)
        layers: list[nn.Module] = opening(in_channels, width)
        widths = [width * 2**level for level in range(downs + 1)]
        for channels in widths[:-1]:
            layers += normed(nn.Conv2d(channels, 2 * channels, 3, 2, 1), 2 * channels)
        layers += [Residual(widths[-1]) for _ in range(blocks)]
        for channels in reversed(widths[:-1]):
            layers += normed(nn.ConvTranspose2d(2 * channels, channels, 3, 2, 1, output_padding=1), channels)
        self.body = nn.Sequential(*layers)
        self.tail = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), to_range(out_range))
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> Made:
        divisible(x.shape[2:], self.downs)
        maps = self.body(x)
        return Made(self.tail(maps), maps)


class LocalEnhancer(nn.Module):
    """A large image from a large input and the maps of a generator of half the size: ``B C H W, B M h w -> B C' H W``.

    A 7x7 convolution and one of stride 2 on the input, the maps added, `blocks` of two 3x3 convolutions with a skip, a
    transposed convolution, a 7x7 one: ``L(x, G(halve(x)).maps)``. Maps of the input's own size are halved first.

    Paper: arXiv:1711.11585 section 3.2 (G2), appendix A.

    Args:
        in_channels: Channels of the images given.
        in_size: Their height and width, both even; other such sizes do as well later.
        cond_channels: Channels of the maps; half of them is the width at full size.
        out_channels: Channels of the images made.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        blocks: Residual blocks.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: a side is odd.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        cond_channels: PositiveInt,
        out_channels: PositiveInt,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        blocks: NonNegativeInt = 3,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        divisible(in_size, 1)
        width = max(cond_channels // 2, 1)
        self.down = nn.Sequential(
            *opening(in_channels, width), *normed(nn.Conv2d(width, cond_channels, 3, 2, 1), cond_channels)
        )
        self.up = nn.Sequential(
            *(Residual(cond_channels) for _ in range(blocks)),
            *normed(nn.ConvTranspose2d(cond_channels, width, 3, 2, 1, output_padding=1), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            to_range(out_range),
        )
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        divisible(x.shape[2:], 1)
        if cond.shape[2:] == x.shape[2:]:
            cond = avg_pool2d(cond, 2)
        return self.up(self.down(x) + cond)


def opening(inputs: int, width: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), *normed(nn.Conv2d(inputs, width, 7), width)]


def normed(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(channels), nn.ReLU()]


def divisible(size: Sequence[int], downs: int) -> None:
    """Refuse an image that cannot be halved so often, or whose edges cannot be reflected then."""
    step = 2**downs
    if size[0] % step or size[1] % step or min(size) < max(2 * step, 4):
        near = multiples([max(side, 2 * step, 4) for side in size], step)
        raise ValueError(f"an image of {size[0]}x{size[1]} cannot be halved {downs} times; {near} would do")
