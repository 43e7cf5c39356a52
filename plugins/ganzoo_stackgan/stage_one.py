"""Stage I: a small image from noise and a condition."""

from __future__ import annotations

import torch
from einops.layers.torch import Rearrange
from ganzoo_layers import doubling_path, initialise, to_range
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt


class StageOne(nn.Module):
    """Noise beside the condition, a linear layer, then doublings: ``B z, B text -> B C H W``.

    Each doubling is a nearest upsampling, a 3x3 convolution, batch norm and ReLU, and halves the channels, down to half
    of `width`.

    Paper: arXiv:1612.03242 section 3.3, with the widths of the authors' PyTorch code.

    Args:
        z_dim: Width of the noise.
        text_dim: Width of the condition.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels before the last doubling.

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
    ):
        super().__init__()
        path = doubling_path(out_size)
        channels = width * 2 ** (len(path) - 2)
        height, breadth = path[0]
        units = channels * height * breadth
        self.stem = nn.Sequential(
            nn.Linear(z_dim + text_dim, units, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(),
            Rearrange("b (c h w) -> b c h w", h=height, w=breadth),
        )
        self.grow = grown(channels, len(path) - 1, out_channels, out_range)
        initialise(self, "normal", 0.02)

    def forward(self, z: Tensor, text: Tensor) -> Tensor:
        return self.grow(self.stem(torch.cat([z, text], 1)))


def grown(channels: int, doublings: int, out: int, out_range: tuple[float, float] | None) -> nn.Sequential:
    """Doublings that halve the channels, and a 3x3 convolution to the image. Paper: arXiv:1612.03242 section 3.5."""
    layers: list[nn.Module] = []
    for _ in range(doublings):
        fewer = max(channels // 2, 1)
        convolution = nn.Conv2d(channels, fewer, 3, 1, 1, bias=False)
        layers += [nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(fewer), nn.ReLU()]
        channels = fewer
    return nn.Sequential(*layers, nn.Conv2d(channels, out, 3, 1, 1, bias=False), to_range(out_range))
