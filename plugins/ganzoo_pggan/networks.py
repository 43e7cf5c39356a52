"""Networks that are there in full from the start, and of which a level says how much is used."""

from __future__ import annotations

import itertools
import math

import torch
from einops import rearrange
from ganzoo_layers import DiscriminatorOutput, at_least, doubling_path, halvings
from ganzoo_regularizers.layers import Scaled, with_spread
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.nn.utils import parametrize

from ganzoo.bounds import PositiveInt

SLOPE = 0.2


class PixelNorm(nn.Module):
    """x / sqrt(E_c x^2 + 1e-8), of each pixel over its channels. Paper: arXiv:1710.10196 section 4.2."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


@torch.no_grad()
def equal(layer: nn.Conv2d | nn.Linear, gain: float = math.sqrt(2)) -> nn.Module:
    """A layer with weights from N(0, 1), scaled by gain / sqrt(fan_in). Paper: arXiv:1710.10196 section 4.1."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    parametrize.register_parametrization(layer, "weight", Scaled(gain / math.sqrt(layer.weight[0].numel())))
    return layer


def channels(width: int, most: int, levels: int) -> list[int]:
    """Of the maps of each level, the smallest first: halved with each doubling, `most` at most."""
    return [max(min(width // 2**level, most), 1) for level in range(1, levels + 1)]


class Generator(nn.Module):
    """A latent vector grown level by level, each of which can give the image: ``B z -> B C H W``.

    ``G(z, level)`` stops at a level (0 is the smallest map, all if not given) and repeats its pixels to the full size.
    Between two levels it is (1 - t) coarse + t fine. z is normalised; the image is unbounded.

    Paper: arXiv:1710.10196 table 2 and appendix A.

    Args:
        z_dim: Width of the latent vector.
        out_channels: Channels of the images.
        out_size: Height and width; any small base doubled, or anything with `base`.
        width: Twice the channels of the smallest map, if that were not bounded; each doubling has half as many.
        most: The most channels that a map has.
        base: Start from maps of at most this side, and crop what the doublings give too much.

    Raises:
        ValueError: the size cannot be reached.
    """

    channels_last = True
    in_part = True

    def __init__(
        self,
        z_dim: PositiveInt,
        out_channels: PositiveInt,
        out_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 8192,
        most: PositiveInt = 512,
        base: PositiveInt | None = None,
    ):
        super().__init__()
        self.path = doubling_path(out_size, base)
        maps = channels(width, most, len(self.path))
        area = math.prod(self.path[0])
        self.norm = PixelNorm()
        self.stem = equal(nn.Linear(z_dim, maps[0] * area, bias=False), math.sqrt(2) / 4)
        self.stem_bias = nn.Parameter(torch.zeros(maps[0], 1, 1))
        self.levels = nn.ModuleList([nn.Sequential(nn.LeakyReLU(SLOPE), PixelNorm(), *_conv(maps[0], maps[0]))])
        for a, b in itertools.pairwise(maps):
            double = nn.Upsample(scale_factor=2, mode="nearest")
            self.levels.append(nn.Sequential(double, *_conv(a, b), *_conv(b, b)))
        self.images = nn.ModuleList(equal(nn.Conv2d(n, out_channels, 1), 1.0) for n in maps)

    def forward(self, z: Tensor, level: float | None = None) -> Tensor:
        top = len(self.levels) - 1
        level = float(top) if level is None else min(level, float(top))
        height, width = self.path[0]
        x = rearrange(self.stem(self.norm(z)), "b (c h w) -> b c h w", h=height, w=width) + self.stem_bias
        image = x
        for place in range(math.ceil(level) + 1):
            x = self.levels[place](x)
            if place >= math.floor(level):
                fine = self.images[place](x)
                coarse = interpolate(image, scale_factor=2, mode="nearest") if place > level else fine
                image = torch.lerp(coarse, fine, level % 1) if place > level else fine
        image = interpolate(image, scale_factor=2 ** (top - math.ceil(level)), mode="nearest")
        return image[:, :, : self.path[-1][0], : self.path[-1][1]]


class Discriminator(nn.Module):
    """The generator's mirror image, the spread of the batch before the last layers: ``B C H W -> DiscriminatorOutput``.

    ``D(x, level)`` looks at the mean of squares of pixels and begins at that level (all if not given). Between two
    levels, what the finer one makes of the image is mixed with what is read from the coarse image.

    Paper: arXiv:1710.10196 table 2, section 3 and appendix A.

    Args:
        in_channels: Channels of the images.
        in_size: Height and width, any from 4.
        width: Twice the channels of the smallest map, if that were not bounded; each doubling has half as many.
        most: The most channels that a map has.
        group: Number of samples that are compared for their spread.
        base: Halve until no side exceeds this; until one would fall below 4 if not given.

    Raises:
        ValueError: the image is too small.
    """

    channels_last = True
    in_part = True

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        width: PositiveInt = 8192,
        most: PositiveInt = 512,
        group: PositiveInt = 4,
        base: PositiveInt | None = None,
    ):
        super().__init__()
        at_least(in_size, 4)
        downs = halvings(in_size, base)
        maps = channels(width, most, downs + 1)
        self.group = group
        self.read = nn.ModuleList(nn.Sequential(equal(nn.Conv2d(in_channels, n, 1)), nn.LeakyReLU(SLOPE)) for n in maps)
        self.levels = nn.ModuleList(
            nn.Sequential(*_conv(b, b, False), *_conv(b, a, False), nn.AvgPool2d(2))
            for a, b in itertools.pairwise(maps)
        )
        area = math.prod(side // 2**downs for side in in_size)
        features = max(min(width, most), 1)
        self.last = nn.Sequential(
            *_conv(maps[0] + 1, maps[0], False),
            nn.Flatten(),
            equal(nn.Linear(maps[0] * area, features)),
            nn.LeakyReLU(SLOPE),
        )
        self.head: nn.Module = equal(nn.Linear(features, 1), 1.0)

    def forward(self, x: Tensor, level: float | None = None) -> DiscriminatorOutput:
        top = len(self.levels)
        level = float(top) if level is None else min(level, float(top))
        place, part = math.ceil(level), level % 1
        x = _pooled(x, top - place)
        seen = self.read[place](x)
        while place:
            place -= 1
            seen = self.levels[place](seen)
            if part:
                seen, part = torch.lerp(self.read[place](_pooled(x, 1)), seen, part), 0.0
        features = self.last(with_spread(seen, self.group))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def _conv(inputs: int, outputs: int, norm: bool = True) -> list[nn.Module]:
    layers = [equal(nn.Conv2d(inputs, outputs, 3, 1, 1)), nn.LeakyReLU(SLOPE)]
    return [*layers, PixelNorm()] if norm else layers


def _pooled(x: Tensor, times: int) -> Tensor:
    return avg_pool2d(x, 2**times) if times else x
