"""Holes in images: where they are, what is seen of the image, what is put into them, and how good that is."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from einops import rearrange, reduce
from ganzoo_layers import images_only
from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo.bounds import Fraction
from ganzoo.parallel import draw

Range = tuple[float, float]


class Holes:
    """Masks for images, white where a hole is: ``B C H W -> B 1 H W`` in the images' range.

    ``random``: blobs of any shape, from coarse noise that is enlarged smoothly; what is lowest of it is the hole.
    ``centre``: a square of half the sides.

    Paper: arXiv:1604.07379 section 3.3; blobs as in the authors' code, but that each image has its own.

    Args:
        in_range: The values of black and white in the images.
        kind: Random blobs, or the square in the middle.
        share: How much of an image random holes take, from and to.
        cell: Size of the noise's cells in pixels: how large blobs are.

    Raises:
        ValueError: `share` falls.
    """

    def __init__(
        self,
        in_range: Range | None = (-1.0, 1.0),
        kind: Literal["random", "centre"] = "random",
        share: tuple[Fraction, Fraction] = (0.2, 0.3),
        cell: Annotated[float, Gt(1)] = 16.0,
    ):
        if share[0] > share[1]:
            raise ValueError(f"share is {list(share)}, but should not fall")
        self.range, self.kind, self.share, self.cell = in_range or (0.0, 1.0), kind, share, cell

    def __call__(self, x: Tensor) -> Tensor:
        images_only(x)
        (low, high), (height, width) = self.range, x.shape[2:]
        if self.kind == "centre":
            mask = x.new_full((len(x), 1, height, width), low)
            mask[:, :, height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = high
            return mask
        coarse = draw.uniform(
            len(x), 1, *(math.ceil(side / self.cell) + 2 for side in (height, width)), device=x.device
        )
        scale = float(self.cell)
        noise = interpolate(coarse, scale_factor=scale, mode="bicubic")
        top, left = ((have - want) // 2 for have, want in zip(noise.shape[2:], (height, width), strict=True))
        noise = noise[:, :, top : top + height, left : left + width]
        wanted = draw.uniform(len(x), 1, low=self.share[0], high=self.share[1], device=x.device)
        ordered = rearrange(noise, "b 1 h w -> b (h w)").sort(1).values
        edge = ordered.gather(1, (wanted * (height * width - 1)).long())
        return torch.where(noise < rearrange(edge, "b 1 -> b 1 1 1"), high, low).to(x.dtype)


class Cover:
    """Images whose holes are filled by one colour: ``B C H W, B 1 H W -> B C H W``.

    Paper: arXiv:1604.07379 section 3.3 (the mean colour).

    Args:
        in_range: The values of black and white in images and masks.
        colour: Levels of the channels from 0 to 255; the mean of what is seen of each image, if not given.
    """

    def __init__(self, in_range: Range | None = (-1.0, 1.0), colour: tuple[float, ...] | None = None):
        self.range, self.colour = in_range or (0.0, 1.0), colour

    def __call__(self, x: Tensor, cond: Tensor) -> Tensor:
        low, high = self.range
        hole = weight(cond, self.range)
        if self.colour is None:
            seen = reduce(1 - hole, "b 1 h w -> b 1 1 1", "sum").clamp(min=1)
            colour = reduce(x * (1 - hole), "b c h w -> b c 1 1", "sum") / seen
        else:
            if len(self.colour) not in (1, x.shape[1]):
                raise ValueError(f"colour has {len(self.colour)} levels, but images have {x.shape[1]} channels")
            levels = torch.stack([x.new_full((), level) for level in self.colour])
            colour = low + (high - low) * rearrange(levels, "c -> 1 c 1 1") / 255
        return torch.lerp(x, colour.expand_as(x), hole.expand_as(x))


class Fill:
    """Images with their holes filled from others, and nothing else changed: ``B C H W, B C H W, B 1 H W -> B C H W``.

    Paper: arXiv:1604.07379 section 3.2.

    Args:
        in_range: The values of black and white in images and masks.
    """

    def __init__(self, in_range: Range | None = (-1.0, 1.0)):
        self.range = in_range or (0.0, 1.0)

    def __call__(self, x: Tensor, y: Tensor, cond: Tensor) -> Tensor:
        return torch.where(weight(cond, self.range) > 0, y.to(x.dtype), x)


class HoleError:
    """Mean absolute and squared error inside the holes, of a range from 0 to 1: ``hole(filled, image, mask)``.

    Every image counts the same, however large its holes.

    Paper: arXiv:1604.07379 table 1 (mean L1 and L2 loss).

    Args:
        in_range: The values of black and white in images and masks.
    """

    def __init__(self, in_range: Range | None = (-1.0, 1.0)):
        self.range = in_range or (0.0, 1.0)

    def __call__(self, fake: Tensor, real: Tensor, cond: Tensor) -> dict[str, float]:
        hole = weight(cond, self.range).double()
        away = (fake.double() - real.double()) / (self.range[1] - self.range[0])
        size = reduce(hole, "b 1 h w -> b", "sum").clamp(min=1) * fake.shape[1]
        return {
            name: (reduce(hole * power, "b c h w -> b", "sum") / size).mean().item()
            for name, power in (("l1", away.abs()), ("l2", away.square()))
        }


def weight(mask: Tensor, range: Range) -> Tensor:
    """1 where a mask is white and 0 where it is black, ``B 1 H W``, of masks of any number of channels."""
    images_only(mask)
    low, high = range
    return (reduce(mask, "b c h w -> b 1 h w", "mean") > (low + high) / 2).to(mask.dtype)
