"""SRResNet: the generator of SRGAN."""

from __future__ import annotations

import math
from typing import Literal

import torch
from ganzoo_layers import Norm, norm
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.bounds import NonNegativeInt, PositiveInt
from ganzoo.contract import Pieces
from ganzoo_srgan.tiling import tiled


class Residual(nn.Module):
    """Two convolutions around a PReLU, added to their input: ``B C H W -> B C H W``. Paper: arXiv:1609.04802 fig. 4."""

    def __init__(self, width: int, kind: Norm, bias: bool):
        super().__init__()
        self.body = nn.Sequential(
            *_normed(width, kind, bias),
            nn.PReLU(),
            *_normed(width, kind, bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SRResNet(nn.Module):
    """Residual blocks at low resolution, then doublings by pixel shuffle: ``B C H W -> B C' (H scale) (W scale)``.

    A 9x9 convolution with PReLU; `blocks` residual blocks; a 3x3 convolution with batch norm, added to what the blocks
    began with; for every doubling a 3x3 convolution, pixel shuffle and PReLU; a 9x9 convolution. It takes images of
    any size in the range of the data, which it maps to (0, 1). In evaluation mode the output is clamped to the range,
    and images larger than `tile` are computed in tiles, equal to the whole up to rounding.

    Paper: arXiv:1609.04802 section 2.1 and figure 4.

    Args:
        in_channels: Channels of the small images.
        in_size: Their height and width, from which `scale` is known.
        out_channels: Channels of the large images.
        out_size: Their height and width, from which `scale` is known.
        out_range: Range of the data.
        scale: 2, 4, 8, …; `out_size` over `in_size` if not given.
        width: Channels inside.
        blocks: How many residual blocks.
        norm: Normalisation of the convolutions in the blocks and behind them.
        bias: Whether the convolutions before a norm have one; those without a norm always do.
        base: What the output is added to: ``none``, as in the paper, or the ``bicubic`` enlargement of the input, so
            that only the difference has to be learnt (arXiv:1511.04587).
        tile: The largest side, in pixels of the input, of what is computed at once in evaluation mode; with a norm over
            the image, such as instance norm, it is always the whole.

    Raises:
        ValueError: `scale` is no power of 2, the sizes have no such ratio, or `tile` is too small.
    """

    channels_last = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        out_range: tuple[float, float] | None = (-1.0, 1.0),
        scale: PositiveInt | None = None,
        width: PositiveInt = 64,
        blocks: NonNegativeInt = 16,
        norm: Norm = "batch",
        bias: bool = False,
        base: Literal["none", "bicubic"] = "none",
        tile: PositiveInt = 256,
    ):
        super().__init__()
        if base == "bicubic" and in_channels != out_channels:
            raise ValueError(f"base is bicubic, but {in_channels} channels are not the {out_channels} of the output")
        self.scale = ratio(in_size, out_size) if scale is None else scale
        doublings = self.scale.bit_length() - 1
        if self.scale < 1 or self.scale != 2**doublings:
            raise ValueError(f"scale is {self.scale}, but should be 2, 4, 8 or another power of 2")
        self.range, self.base, self.channels = out_range or (0.0, 1.0), base, in_channels
        self.tile = tile if norm in ("batch", "none") else None
        behind = sum(0.5**i for i in range(doublings)) + 4 / self.scale
        self.near, self.reach = math.ceil(behind) + 1, math.ceil(4 + 2 * blocks + 1 + behind) + 1
        if tile <= 2 * self.reach:
            raise ValueError(f"tile is {tile}, but should be above {2 * self.reach}, twice what an output depends on")
        self.head = nn.Sequential(nn.Conv2d(in_channels, width, 9, padding=4), nn.PReLU())
        self.trunk = nn.Sequential(
            *(Residual(width, norm, bias) for _ in range(blocks)),
            *_normed(width, norm, bias),
        )
        ups: list[nn.Module] = []
        for _ in range(doublings):
            ups += [
                nn.Conv2d(width, 4 * width, 3, padding=1),
                nn.PixelShuffle(2),  # not a rearrangement, which loses the layout and with it the speed of what follows
                nn.PReLU(),
            ]
        self.tail = nn.Sequential(*ups, nn.Conv2d(width, out_channels, 9, padding=4))

    def forward(self, x: Tensor) -> Tensor:
        return self.enlarge(x) if self.training else self.pieces(x).whole()

    def pieces(self, x: Tensor) -> Pieces:
        """The large image, clamped, in pieces; with a norm over the image in one."""
        if self.tile is None:
            return tiled(self.enlarge, x, self.scale, max(x.shape[2:]), self.reach, self.range)
        return tiled(self.known, x, self.scale, self.tile, self.reach, self.range, self.finish, self.near)

    def enlarge(self, x: Tensor) -> Tensor:
        """The whole image at once, not clamped."""
        return self.grow(self.see(x), x)

    def see(self, x: Tensor) -> Tensor:
        """What is seen at each place of the small image: ``B C H W -> B width H W``."""
        low, high = self.range
        first = self.head((x - low) / (high - low))
        return first + self.trunk(first)

    def grow(self, seen: Tensor, x: Tensor) -> Tensor:
        """The large image from that."""
        y = self.tail(seen)
        if self.base == "none":
            return y
        return y + interpolate(x, y.shape[2:], mode="bicubic", antialias=True, align_corners=False)

    def known(self, x: Tensor) -> Tensor:
        """What :meth:`finish` makes the large image from, in one."""
        return torch.cat([self.see(x), x], 1)

    def finish(self, known: Tensor) -> Tensor:
        return self.grow(known[:, : -self.channels], known[:, -self.channels :])


def ratio(small: tuple[int, int], large: tuple[int, int]) -> int:
    """How many times larger `large` is on both sides. Source: ganzoo's own.

    Raises:
        ValueError: it is no whole number, or another on each side.
    """
    factor = max(large[0] // small[0], 1)
    if tuple(large) != (small[0] * factor, small[1] * factor):
        sizes = f"in_size {small[0]}x{small[1]} and out_size {large[0]}x{large[1]}"
        raise ValueError(f"{sizes} have no whole ratio; write `scale: 4`")
    return factor


def _normed(width: int, kind: Norm, bias: bool) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, padding=1, bias=bias or kind == "none"), norm(kind, width)]
