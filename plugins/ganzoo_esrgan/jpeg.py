"""JPEG's losses without its files: colours halved, blocks transformed and rounded."""

from __future__ import annotations

import math
from functools import cache

import torch
from einops import einsum, rearrange, repeat
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ganzoo.bounds import PositiveFloat

LUMA = """16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99"""
CHROMA = (17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 99, 47, 66, 99, 99)  # the upper left quarter; 99 elsewhere
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


class Jpeg:
    """Images as a JPEG file would give them back: ``B C H W -> B C H W``.

    Three channels become brightness and two colours at half the resolution; others are taken as brightness. Blocks of
    8x8 are transformed to frequencies, which are divided by the standard tables for a quality and rounded. Sides are
    filled up to whole blocks by repeating the border. It has no gradient.

    Paper: arXiv:2107.10833 section 3.2. Source: ITU-T T.81, annexes A and K; quality as in libjpeg.

    Args:
        in_range: The values of black and white in the images.
        quality: From 1 to 100.

    Raises:
        ValueError: `quality` is above 100.
    """

    def __init__(self, in_range: tuple[float, float] | None = (-1.0, 1.0), quality: PositiveFloat = 75.0):
        if quality > 100:
            raise ValueError(f"quality is {quality}, but should be at most 100")
        self.range, self.quality = in_range or (0.0, 1.0), quality

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        low, high = self.range
        quality = torch.full((len(x),), float(self.quality), device=x.device)
        return low + (high - low) * compressed((x.float() - low) / (high - low), quality).to(x.dtype)


def compressed(x: Tensor, quality: Tensor) -> Tensor:
    """Images in [0, 1] through JPEG, each at its own `quality`, ``B``."""
    height, width = x.shape[2:]
    level = 255 * pad(x.clamp(0, 1), (0, -width % 16, 0, -height % 16), mode="replicate")
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    if x.shape[1] != 3:
        return finished(rounded(level - 128, scale, colour=False) + 128, height, width)
    matrix = torch.tensor(TO_YCC, device=x.device)
    planes = einsum(matrix, level, "out c, b c h w -> b out h w")
    brightness = rounded(planes[:, :1] - 128, scale, colour=False) + 128
    colours = rounded(avg_pool2d(planes[:, 1:], 2), scale, colour=True)
    planes = torch.cat([brightness, repeat(colours, "b c h w -> b c (h 2) (w 2)")], 1)
    found = einsum(torch.linalg.inv(matrix), planes, "out c, b c h w -> b out h w")
    return finished(found, height, width)


def finished(level: Tensor, height: int, width: int) -> Tensor:
    """Whole levels in [0, 1], without what was filled up."""
    return level.round().clamp(0, 255)[:, :, :height, :width] / 255


def rounded(planes: Tensor, scale: Tensor, colour: bool) -> Tensor:
    """Planes of levels around 0, each block's frequencies rounded to multiples of the table's entries."""
    waves, table = (tensor.to(planes.device) for tensor in (cosines(), tables()[int(colour)]))
    step = (rearrange(scale, "b -> b 1 1") * table + 0.5).floor().clamp(1, 255)
    blocks = rearrange(planes, "b c (h y) (w x) -> b c h w y x", y=8, x=8)
    frequencies = waves @ blocks @ waves.T
    step = rearrange(step, "b y x -> b 1 1 1 y x")
    blocks = waves.T @ ((frequencies / step).round() * step) @ waves
    return rearrange(blocks, "b c h w y x -> b c (h y) (w x)")


@cache
def cosines() -> Tensor:
    """The orthogonal 8x8 cosine transform."""
    at = torch.arange(8.0)
    rows = torch.cos((2 * at[None] + 1) * at[:, None] * math.pi / 16) / 2
    rows[0] /= math.sqrt(2)
    return rows


@cache
def tables() -> tuple[Tensor, Tensor]:
    """The tables of annex K for brightness and for colours, for quality 50."""
    colours = torch.full((8, 8), 99.0)
    colours[:4, :4] = torch.tensor(CHROMA, dtype=torch.float32).view(4, 4)
    return torch.tensor([float(number) for number in LUMA.split()]).view(8, 8), colours
