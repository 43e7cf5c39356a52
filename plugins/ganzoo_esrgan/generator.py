"""The generator of ESRGAN."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from ganzoo_layers import initialise
from ganzoo_srgan.generator import ratio
from ganzoo_srgan.tiling import tiled
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt
from ganzoo.contract import Pieces
from ganzoo_esrgan.anchor import interpolated

SLOPE = 0.2


class DenseBlock(nn.Module):
    """Five 3x3 convolutions that each see all before, scaled and added: ``B C H W -> B C H W``.

    Paper: arXiv:1809.00219 figure 4.
    """

    def __init__(self, width: int, growth: int, residual: float):
        super().__init__()
        self.residual = residual
        self.grow = nn.ModuleList(nn.Conv2d(width + i * growth, growth, 3, padding=1) for i in range(4))
        self.shrink = nn.Conv2d(width + 4 * growth, width, 3, padding=1)
        self.activation = nn.LeakyReLU(SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in self.grow:
            seen = torch.cat([seen, self.activation(layer(seen))], 1)
        return x + self.residual * self.shrink(seen)


class RRDB(nn.Module):
    """Three dense blocks, scaled and added: ``B C H W -> B C H W``. Paper: arXiv:1809.00219 section 3.1."""

    def __init__(self, width: int, growth: int, residual: float):
        super().__init__()
        self.residual = residual
        self.body = nn.Sequential(*(DenseBlock(width, growth, residual) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual * self.body(x)


class RRDBNet(nn.Module):
    """Dense blocks inside residual blocks at low resolution, then doublings: ``B C H W -> B C' (H scale) (W scale)``.

    A 3x3 convolution; `blocks` residual-in-residual dense blocks and a convolution, added to what they began with; for
    every doubling nearest upsampling, a convolution and leaky ReLU; two convolutions. Nothing is normalised. It takes
    images of any size in the range of the data, which it maps to (0, 1). In evaluation mode the output is clamped to
    the range, and images larger than `tile` are computed in tiles that overlap. With a `factor`, ``B 1``, the weights
    lie between those that `regularizer.anchor` remembers, 0, and its own, 1.

    With `unshuffle` pixels become channels first, so that all of it works on a smaller map, which is doubled more
    often: Real-ESRGAN's way to enlarge twice. Sides that it does not divide are continued by their last pixels.

    Paper: arXiv:1809.00219 section 3.1; layers and start as in the authors' code; arXiv:2107.10833 section 3.3
    (`unshuffle`).

    Args:
        in_channels: Channels of the small images.
        in_size: Their height and width, from which `scale` is known.
        out_channels: Channels of the large images.
        out_size: Their height and width, from which `scale` is known.
        out_range: Range of the data.
        scale: 1, 2, 4, …; `out_size` over `in_size` if not given.
        width: Channels inside.
        growth: Channels that each convolution of a dense block adds; half of `width` if not given.
        blocks: How many residual-in-residual dense blocks; the paper has 23, and 16 where it compares.
        residual: What the output of dense blocks is multiplied by before it is added.
        init_scale: The dense blocks' weights start as he et al. have them, times this.
        unshuffle: How many pixels of a side become channels: 1, 2, 4, …
        base: What the output is added to: ``none``, as in the paper, or the ``bicubic`` enlargement of the input.
        tile: The largest side, in pixels of the input, of what is computed at once in evaluation mode.
        margin: How far tiles reach over what is kept of them. An output depends on more than that, very little.

    Raises:
        ValueError: `scale` or `unshuffle` is no power of 2, the sizes have no such ratio, `tile` is too small, or
            `unshuffle` does not divide `tile` and `margin`.
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
        growth: PositiveInt | None = None,
        blocks: NonNegativeInt = 3,
        residual: NonNegativeFloat = 0.2,
        init_scale: NonNegativeFloat = 0.1,
        base: Literal["none", "bicubic"] = "none",
        tile: PositiveInt = 384,
        margin: NonNegativeInt = 32,
        unshuffle: PositiveInt = 1,
    ):
        super().__init__()
        if base == "bicubic" and in_channels != out_channels:
            raise ValueError(f"base is bicubic, but {in_channels} channels are not the {out_channels} of the output")
        self.scale = ratio(in_size, out_size) if scale is None else scale
        for name, number in (("scale", self.scale), ("unshuffle", unshuffle)):
            if number.bit_count() != 1:
                raise ValueError(f"{name} is {number}, but should be 1, 2, 4 or another power of 2")
        doublings = (self.scale * unshuffle).bit_length() - 1
        if tile <= 2 * margin:
            raise ValueError(f"tile is {tile}, but should be above {2 * margin}, twice the margin")
        if tile % unshuffle or margin % unshuffle:
            raise ValueError(f"tile is {tile}, margin {margin}, but should be multiples of unshuffle {unshuffle}")
        self.range, self.base, self.tile, self.margin = out_range or (0.0, 1.0), base, tile, margin
        self.residual, self.unshuffle = residual, unshuffle
        growth = growth or max(width // 2, 1)
        self.head = nn.Conv2d(in_channels * unshuffle**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(RRDB(width, growth, residual) for _ in range(blocks)))
        self.after = nn.Conv2d(width, width, 3, padding=1)
        ups: list[nn.Module] = []
        for _ in range(doublings):
            ups += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(SLOPE)]
        self.tail = nn.Sequential(
            *ups,
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, out_channels, 3, padding=1),
        )
        initialise(self.blocks, "he", init_scale)

    def forward(self, x: Tensor, factor: Tensor | None = None) -> Tensor:
        if factor is not None:
            return interpolated(self, x, factor)
        if self.training:
            return self.enlarge(x)
        return self.pieces(x).whole()

    def pieces(self, x: Tensor, factor: Tensor | None = None) -> Pieces:
        """The large image, clamped, in pieces; between two networks in one."""
        if factor is not None:
            return Pieces(x.shape[2] * self.scale, x.shape[3] * self.scale, [(0, 0, self(x, factor))])
        return tiled(self.enlarge, x, self.scale, self.tile, self.margin, self.range)

    def enlarge(self, x: Tensor) -> Tensor:
        """The whole image at once, not clamped."""
        low, high = self.range
        first = self.head(self.gathered((x - low) / (high - low)))
        made = self.tail(first + self.after(self.blocks(first)))
        if self.unshuffle > 1:
            made = made[:, :, : x.shape[2] * self.scale, : x.shape[3] * self.scale]
        y = low * (self.base == "none") + (high - low) * made
        if self.base == "none":
            return y
        return y + interpolate(x, y.shape[2:], mode="bicubic", antialias=True, align_corners=False)

    def gathered(self, x: Tensor) -> Tensor:
        """Squares of pixels as channels: ``B C (h u) (w u) -> B (C u u) h w``."""
        u = self.unshuffle
        if u == 1:
            return x
        x = pad(x, (0, -x.shape[3] % u, 0, -x.shape[2] % u), mode="replicate")
        return rearrange(x, "b c (h i) (w j) -> b (c i j) h w", i=u, j=u)
