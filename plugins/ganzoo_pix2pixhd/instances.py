"""Things in an image: their edges, their features, and images of half the size."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from ganzoo_layers import images_only, initialise, to_range
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt
from ganzoo_pix2pixhd.generators import divisible, normed, opening


class InstanceEdges:
    """Pixels that differ from one of their four neighbours: ``B C H W -> B 1 H W``, 1 at an edge and 0 elsewhere.

    The image holds the number of the thing at each pixel, or any colours that tell things apart.

    Paper: arXiv:1711.11585 section 3.3.
    """

    def __call__(self, x: Tensor) -> Tensor:
        images_only(x)
        down = (x[:, :, 1:] != x[:, :, :-1]).any(1, keepdim=True)
        across = (x[:, :, :, 1:] != x[:, :, :, :-1]).any(1, keepdim=True)
        edge = torch.zeros_like(x[:, :1], dtype=torch.bool)
        edge[:, :, 1:] |= down
        edge[:, :, :-1] |= down
        edge[:, :, :, 1:] |= across
        edge[:, :, :, :-1] |= across
        return edge.to(x.dtype)


class Halve:
    """Images of half the size, each pixel the mean of the 3x3 around it: ``B C H W -> B C H/2 W/2``.

    What lies beyond the border does not count.

    Paper: arXiv:1711.11585 section 3.2, as in the authors' code.

    Args:
        times: How often.
    """

    def __init__(self, times: PositiveInt = 1):
        self.times = times

    def __call__(self, x: Tensor) -> Tensor:
        images_only(x)
        for _ in range(self.times):
            x = avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return x


class InstanceEncoder(nn.Module):
    """Features of a real image, the same in all pixels of a thing: ``B C H W, B N H W -> B features H W``.

    An encoder and decoder of 3x3 convolutions; its maps are averaged over each thing: ``E(real, things)``. Two pixels
    belong to one thing where `things` is the same in all its channels; without it nothing is averaged.

    Paper: arXiv:1711.11585 section 3.4.

    Args:
        in_channels: Channels of the images.
        in_size: Their height and width, both multiples of ``2^downs``.
        features: Channels of the result.
        width: Channels at full size; doubled at each halving.
        downs: How often the image is halved.
        init_scale: Standard deviation of the weights at the start.

    Raises:
        ValueError: the image cannot be halved so often.
    """

    def __init__(
        self,
        in_channels: PositiveInt,
        in_size: tuple[PositiveInt, PositiveInt],
        features: PositiveInt = 3,
        width: PositiveInt = 16,
        downs: NonNegativeInt = 4,
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.downs = downs
        divisible(in_size, downs)
        layers = opening(in_channels, width)
        widths = [width * 2**level for level in range(downs)]
        for channels in widths:
            layers += normed(nn.Conv2d(channels, 2 * channels, 3, 2, 1), 2 * channels)
        for channels in reversed(widths):
            layers += normed(nn.ConvTranspose2d(2 * channels, channels, 3, 2, 1, output_padding=1), channels)
        self.net = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, features, 7), to_range((-1.0, 1.0)))
        initialise(self, "normal", init_scale)

    def forward(self, x: Tensor, things: Tensor | None = None) -> Tensor:
        divisible(x.shape[2:], self.downs)
        maps = self.net(x)
        return maps if things is None or maps.is_meta else averaged(maps, things)


def averaged(maps: Tensor, things: Tensor) -> Tensor:
    """Maps whose pixels are the mean over the thing that they belong to, image by image."""
    height, width = maps.shape[2:]
    found = []
    for features, numbers in zip(maps, things, strict=True):
        flat = rearrange(features, "c h w -> (h w) c")
        _, thing = rearrange(numbers, "n h w -> (h w) n").unique(dim=0, return_inverse=True)
        count = int(thing.max()) + 1
        index = repeat(thing, "p -> p c", c=flat.shape[1])
        total = flat.new_zeros(count, flat.shape[1]).scatter_add(0, index, flat)
        size = flat.new_zeros(count, 1).scatter_add(0, thing[:, None], flat.new_ones(len(thing), 1))
        found.append(rearrange((total / size)[thing], "(h w) c -> c h w", h=height, w=width))
    return torch.stack(found)
