"""The DCGAN body over one, two or three dimensions: series, images, voxels."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from ganzoo_layers import DiscriminatorOutput, discriminator_output, initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt

CONV: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
GROW: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
BASE = 4


class Generator(nn.Module):
    """A latent vector grown by transposed convolutions of stride 2: ``B z -> B C L``, ``B C H W`` or ``B C D H W``.

    The first, without a stride, makes the smallest map, of at most 4 to a side; it has ``width * 2^(k-1)`` channels for
    k doublings, halved at each of them. What doublings give too much is cropped.

    Paper: NeurIPS 2016, arXiv:1610.07584 section 3.1 (three dimensions); arXiv:1511.06434 section 3 (two).

    Args:
        z_dim: Width of the latent vector.
        out_shape: Channels and sides of a sample.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels of the largest hidden map.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the shape has not one to three sides.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        width: PositiveInt = 64,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        out_channels, *size = _sides(out_shape)
        self.path = halved(size)[::-1]
        grow, norm = GROW[len(size) - 1], NORM[len(size) - 1]
        channels = [width * 2**level for level in range(len(self.path) - 1)][::-1]
        layers = [
            nn.Sequential(grow(z_dim, channels[0], tuple(self.path[0]), bias=False), norm(channels[0]), nn.ReLU())
        ]
        for before, after in pairwise(channels):
            layers.append(nn.Sequential(grow(before, after, 4, 2, 1, bias=False), norm(after), nn.ReLU()))
        layers.append(nn.Sequential(grow(channels[-1], out_channels, 4, 2, 1, bias=False), to_range(out_range)))
        self.levels = nn.ModuleList(layers)
        initialise(self, "normal", init_scale)

    def forward(self, z: Tensor) -> Tensor:
        x = z[(..., *[None] * len(self.path[0]))]
        for level, size in zip(self.levels, self.path, strict=True):
            x = level(x)[(..., *(slice(side) for side in size))]
        return x


class Discriminator(nn.Module):
    """A sample halved by convolutions to at most 4 to a side, and a linear layer: ``B C … -> DiscriminatorOutput``.

    Channels start at `width` and double with every halving. The first convolution has no norm.

    Paper: NeurIPS 2016, arXiv:1610.07584 section 3.1 (three dimensions); arXiv:1511.06434 section 3 (two).

    Args:
        in_shape: Channels and sides of a sample.
        width: Channels after the first convolution.
        slope: Slope of leaky ReLU for negative values.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the shape has not one to three sides.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        width: PositiveInt = 64,
        slope: NonNegativeFloat = 0.2,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        channels, *size = _sides(in_shape)
        conv, norm = CONV[len(size) - 1], NORM[len(size) - 1]
        path = halved(size)
        layers: list[nn.Module] = []
        for level, before in enumerate(path[:-1]):
            padding = tuple(1 + side % 2 for side in before)  # a side that is odd is halved upwards
            layers.append(conv(channels, width * 2**level, 4, 2, padding, bias=False))
            layers += [norm(width * 2**level)] if level else []
            layers.append(nn.LeakyReLU(slope))
            channels = width * 2**level
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(channels * math.prod(path[-1]), 1, bias=False)
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return discriminator_output(self.head, None, self.body(x), None)


def halved(size: list[int]) -> list[list[int]]:
    """The sizes that halvings pass through, rounding up, from `size` until no side exceeds 4; one halving at least."""
    path = [size]
    while len(path) == 1 or max(path[-1]) > BASE:
        path.append([-(-side // 2) for side in path[-1]])
    return path


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) not in (2, 3, 4):
        said = "x".join(map(str, shape))
        raise ValueError(f"a sample of shape {said} has not channels and 1 to 3 sides, as 1x16x16x16 has")
    return tuple(shape)
