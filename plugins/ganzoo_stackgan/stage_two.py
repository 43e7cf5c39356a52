"""Stage II: the small image again, larger, with what its caption says and the image lacks."""

from __future__ import annotations

import torch
from einops import repeat
from ganzoo_layers import initialise
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo_stackgan.stage_one import grown


class StageTwo(nn.Module):
    """An image halved twice, joined with the text, residual blocks, doublings: ``B C h w, B text -> B C H W``.

    Paper: arXiv:1612.03242 section 3.4, with the widths of the authors' PyTorch code.

    Args:
        in_channels: Channels of the small image.
        in_size: Its height and width, multiples of 4.
        text_dim: Width of the condition.
        out_channels: Channels of the image.
        out_size: Height and width: a quarter of the small image's, doubled one or more times.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        width: Channels behind the first convolution.
        blocks: Residual blocks.

    Raises:
        ValueError: a size is none of these, or there are fewer than 0 blocks.
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
        width: PositiveInt = 128,
        blocks: NonNegativeInt = 4,
    ):
        super().__init__()
        channels = 4 * width
        self.shrink = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, 1, 1, bias=False),
            nn.ReLU(),
            *_normed(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)),
            *_normed(nn.Conv2d(2 * width, channels, 4, 2, 1, bias=False)),
        )
        self.joint = nn.Sequential(*_normed(nn.Conv2d(channels + text_dim, channels, 3, 1, 1, bias=False)))
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.grow = grown(channels, _doublings(in_size, out_size), out_channels, out_range)
        initialise(self, "normal", 0.02)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        seen = self.shrink(x)
        return self.grow(self.blocks(self.joint(torch.cat([seen, tiled(text, seen)], 1))))


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input: ``relu(x + f(x))``. Paper: arXiv:1512.03385 eq. 1."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            *_normed(nn.Conv2d(channels, channels, 3, 1, 1, bias=False)),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.body(x)).relu()


def tiled(text: Tensor, maps: Tensor) -> Tensor:
    """A vector at every place of some maps: ``B n -> B n H W``. Paper: arXiv:1612.03242 section 3.3."""
    return repeat(text.to(maps.dtype), "b n -> b n h w", h=maps.shape[2], w=maps.shape[3])


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def _doublings(small: tuple[int, int], large: tuple[int, int]) -> int:
    """How often a quarter of the small image is doubled."""
    (h, w), (height, width) = small, large
    for count in range(1, 12):
        if h % 4 == w % 4 == 0 and (h // 4 * 2**count, w // 4 * 2**count) == (height, width):
            return count
    hint = "the first should be a multiple of 4, and the second a quarter of it doubled one or more times: 16x16, 64x64"
    raise ValueError(f"from {h}x{w} to {height}x{width} there is no way: {hint}")
