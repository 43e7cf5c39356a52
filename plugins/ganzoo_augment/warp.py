"""Images moved by affine maps, with derivatives of any order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

BILINEAR, REFLECTED = 0, 2  # what torch's own operator calls them


class _Sample(torch.autograd.Function):
    """Bilinear samples at given places, linear in the image; torch has no second derivative of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Spread.apply(gradients[0], grid, ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose of :class:`_Sample`, whose own is that again."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        image = gradient.new_empty(shape)
        back = torch.ops.aten.grid_sampler_2d_backward
        return back(gradient.contiguous(), image, grid, BILINEAR, REFLECTED, False, (True, False))[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradients[0].contiguous(), grid), None, None


def warped(x: Tensor, back: Tensor) -> Tensor:
    """Each image read at other places: ``B C H W, B 3 3 -> B C H W``, edges reflected.

    `back` maps a place of the result to one of the image, (x, y, 1) in pixels from the middle.
    """
    height, width = x.shape[2:]
    unit = torch.ones(3, device=x.device)  # a list from the host would wait for the device
    unit[:1].fill_(width / 2), unit[1:2].fill_(height / 2)
    theta = back * unit / unit[:, None]
    grid = affine_grid(theta[:, :2], [len(x), 1, height, width], align_corners=False)
    return _Sample.apply(x.float().contiguous(), grid)
