"""Random crops of enlarged images, and mirrored ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo import draw


class Pair(NamedTuple):
    """Two images that were moved alike."""

    x: Tensor
    y: Tensor


class Jitter(nn.Module):
    """Images enlarged, cropped at random to their size, and mirrored at random: ``B C H W -> B C H W``.

    ``jitter(x, y)`` moves both alike and gives a pair with ``x`` and ``y``. Nothing is done when a model is evaluated.

    Paper: arXiv:1611.07004 section 6.2 (256x256 to 286x286 and back).

    Args:
        enlarge: The factor; bicubic.
        mirror: The probability of each image to be mirrored.

    Raises:
        ValueError: `enlarge` is below 1, or `mirror` is no probability.
    """

    def __init__(self, enlarge: float = 286 / 256, mirror: float = 0.5):
        super().__init__()
        if enlarge < 1:
            raise ValueError(f"enlarge is {enlarge}, but should be 1 or more")
        if not 0 <= mirror <= 1:
            raise ValueError(f"mirror is {mirror}, but should be from 0 to 1")
        self.enlarge, self.mirror = enlarge, mirror

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor | Pair:
        """Raises ValueError where `x` and `y` differ in height or width."""
        if y is None:
            return self.moved(x) if self.training else x
        if x.shape[2:] != y.shape[2:]:
            raise ValueError(f"x is {tuple(x.shape[2:])} and y {tuple(y.shape[2:])}, but they should be of one size")
        if not self.training:
            return Pair(x, y)
        both = self.moved(torch.cat([x, y], 1))
        return Pair(both[:, : x.shape[1]], both[:, x.shape[1] :])

    def moved(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        grown = round(height * self.enlarge), round(width * self.enlarge)
        if grown != (height, width):
            low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
            large = interpolate(x, grown, mode="bicubic").clamp(low, high).permute(0, 2, 3, 1)
            top = draw.integers(len(x), high=grown[0] - height + 1, device=x.device)
            left = draw.integers(len(x), high=grown[1] - width + 1, device=x.device)
            rows = top[:, None] + torch.arange(height, device=x.device)
            columns = left[:, None] + torch.arange(width, device=x.device)
            sample = torch.arange(len(x), device=x.device)[:, None, None]
            x = large[sample, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
        mirrored = draw.uniform(len(x), 1, 1, 1, device=x.device) < self.mirror
        return torch.where(mirrored, x.flip(3), x)
