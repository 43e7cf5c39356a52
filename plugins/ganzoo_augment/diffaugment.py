"""Differentiable augmentation for training a GAN on little data."""

from __future__ import annotations

from typing import Any, Literal

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from ganzoo.bounds import Fraction
from ganzoo.parallel import draw

Policy = Literal["color", "translation", "cutout"]


class DiffAugment:
    """Random colour, shift and cutout, differentiable, on whatever the discriminator sees: ``B C H W -> B C H W``.

    ``color``: brightness + U(-1/4, 1/4) of the range; saturation x U(0, 2) about the grey of each pixel (colour images
    only); contrast x U(0.5, 1.5) about the mean of each image. ``translation``: a shift of up to `ratio` of the size;
    mid-grey shifts in. ``cutout``: a square of half the size at a random place is mid-grey. Put on a discriminator
    (``with:``) it acts on its input while training, in D's turn and in G's, on real and on fake, with draws of its own
    each time.

    Paper: arXiv:2006.10738 section 3 and its code.

    Args:
        policy: Which of the three.
        ratio: The largest shift, as a part of the size.
        out_range: Range of the data.

    Raises:
        ValueError: `policy` is empty, or `ratio` not between 0 and 1, or what comes is no image.
    """

    def __init__(
        self,
        policy: list[Policy] | None = None,
        ratio: Fraction = 0.125,
        out_range: tuple[float, float] | None = (-1.0, 1.0),
    ):
        if policy is None:
            policy = ["color", "translation", "cutout"]
        if not policy:
            raise ValueError("policy is empty, so nothing would be augmented")
        self.policy, self.ratio = list(policy), ratio
        low, high = out_range or (-1.0, 1.0)
        self.middle, self.half = (low + high) / 2, (high - low) / 2

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ValueError(f"it is for images, B C H W, not for {'x'.join(map(str, x.shape))}")
        x = x - self.middle
        for name in ("color", "translation", "cutout"):
            if name in self.policy:
                x = getattr(self, f"_{name}")(x)
        return x + self.middle

    def attach(self, part: nn.Module) -> None:
        def before(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            return (self(inputs[0]), *inputs[1:]) if module.training else None

        part.register_forward_pre_hook(before)

    def _color(self, x: Tensor) -> Tensor:
        def each(low: float, high: float) -> Tensor:
            return draw.uniform(len(x), 1, 1, 1, low=low, high=high, device=x.device).to(x.dtype)

        x = x + self.half * each(-0.5, 0.5)
        if x.shape[1] > 1:
            grey = x.mean(1, keepdim=True)
            x = (x - grey) * each(0.0, 2.0) + grey
        mean = reduce(x, "b c h w -> b 1 1 1", "mean")
        return (x - mean) * each(0.5, 1.5) + mean

    def _translation(self, x: Tensor) -> Tensor:
        _, _, height, width = x.shape
        reach_y, reach_x = int(height * self.ratio + 0.5), int(width * self.ratio + 0.5)
        down = draw.integers(len(x), high=2 * reach_y + 1, device=x.device) - reach_y
        right = draw.integers(len(x), high=2 * reach_x + 1, device=x.device) - reach_x
        rows = torch.arange(height, device=x.device) - down[:, None]
        columns = torch.arange(width, device=x.device) - right[:, None]
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
        sample = torch.arange(len(x), device=x.device)[:, None, None]
        y_from, x_from = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
        moved = rearrange(rearrange(x, "b c h w -> b h w c")[sample, y_from, x_from], "b h w c -> b c h w")
        return moved * inside[:, None].to(x.dtype)

    def _cutout(self, x: Tensor) -> Tensor:
        _, _, height, width = x.shape
        size_y, size_x = (height + 1) // 2, (width + 1) // 2
        top = draw.integers(len(x), high=height + (1 - size_y % 2), device=x.device) - size_y // 2
        left = draw.integers(len(x), high=width + (1 - size_x % 2), device=x.device) - size_x // 2
        rows = torch.arange(height, device=x.device)[None] - top[:, None]
        columns = torch.arange(width, device=x.device)[None] - left[:, None]
        cut = ((rows >= 0) & (rows < size_y))[:, :, None] & ((columns >= 0) & (columns < size_x))[:, None]
        return x * (~cut)[:, None].to(x.dtype)
