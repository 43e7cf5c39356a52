"""Random crops of enlarged images, and mirrored ones."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ganzoo.bounds import Fraction, NonNegativeInt
from ganzoo.parallel import draw


class Jitter(nn.Module):
    """Images enlarged, cropped at random to their size, and mirrored at random: ``B C H W -> B C H W``.

    Two images are moved alike by one draw: ``move: jitter.draw(n)``, then ``jitter(x, move)`` and ``jitter(y, move)``.
    Nothing is done when a model is evaluated.

    Paper: arXiv:1611.07004 section 6.2 (256x256 to 286x286 and back).

    Args:
        enlarge: The factor; bicubic.
        border: Pixels by which the edges are repeated before the crop, which shifts images without resampling.
        mirror: The probability of each image to be mirrored.

    Raises:
        ValueError: `enlarge` is below 1, `border` below 0, or `mirror` no probability.
    """

    def __init__(
        self, enlarge: Annotated[float, Ge(1)] = 286 / 256, border: NonNegativeInt = 0, mirror: Fraction = 0.5
    ):
        super().__init__()
        self.enlarge, self.border, self.mirror = enlarge, border, mirror

    def draw(self, n: int) -> Tensor:
        """Where each of `n` crops lies, down and right, and whether it is mirrored, as parts of 1: ``n 3``."""
        return draw.uniform(n, 3)

    def forward(self, x: Tensor, move: Tensor | None = None) -> Tensor:
        if not self.training:
            return x
        down, right, turn = (draw.uniform(len(x), 3, device=x.device) if move is None else move.to(x.device)).unbind(1)
        height, width = x.shape[2:]
        x = self._grown(x, (round(height * self.enlarge), round(width * self.enlarge)))
        top, left = (
            (at * (grown - side + 1)).long().clamp(max=grown - side)
            for at, grown, side in ((down, x.shape[2], height), (right, x.shape[3], width))
        )
        rows = top[:, None] + torch.arange(height, device=x.device)
        columns = left[:, None] + torch.arange(width, device=x.device)
        columns = torch.where((turn < self.mirror)[:, None], columns.flip(1), columns)
        sample = torch.arange(len(x), device=x.device)[:, None, None]
        pixels = rearrange(x, "b c h w -> b h w c")
        return rearrange(pixels[sample, rows[:, :, None], columns[:, None]], "b h w c -> b c h w")

    def _grown(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if size != tuple(x.shape[2:]):
            low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
            x = interpolate(x, size, mode="bicubic").clamp(low, high)
        return pad(x, [self.border] * 4, mode="replicate") if self.border else x
