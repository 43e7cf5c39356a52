"""Helpers that know a batch's rows, or an image's pixels."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo.bounds import NonNegativeFloat, PositiveInt
from ganzoo.parallel import draw
from ganzoo.parallel.distributed import batch_rows, rank


class Mismatch:
    """Every row of the batch in the place of another: ``B … -> B …``, none of them in its own.

    The rows go round one random cycle through the batch of all processes, whatever their number. Two rows that are
    alike, such as one caption of two images, may still change places.

    Paper: arXiv:1605.05396 section 4.1 (images with mismatching text).

    Raises:
        ValueError: (when called) the batch has one row.
    """

    def __call__(self, x: Tensor) -> Tensor:
        n = len(x)
        rows = batch_rows(x)
        if len(rows) < 2:
            raise ValueError("a batch of 1 has no other row to take; it needs 2")
        order = batch_rows(draw.uniform(n, device=x.device)).argsort()
        source = torch.empty_like(order).scatter(0, order, order.roll(1))
        return rows[source[rank() * n : (rank() + 1) * n]]


class Mix:
    """A point between each two rows: ``B …, B … -> B …``, weight x + (1 - weight) y.

    Paper: arXiv:1605.05396 eq. 5.

    Args:
        weight: Weight of the first.
    """

    def __init__(self, weight: float = 0.5):
        self.weight = weight

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return y.lerp(x, self.weight)


class Shrink:
    """Images made smaller, each pixel the mean of `factor` x `factor`: ``B C H W -> B C H/f W/f``.

    Points pass unchanged. Source: torch.nn.functional.avg_pool2d.

    Raises:
        ValueError: `factor` is below 1, or (when called) a side is no multiple of it.
    """

    def __init__(self, factor: PositiveInt = 2):
        self.factor = factor

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            return x
        if any(side % self.factor for side in x.shape[2:]):
            raise ValueError(f"{x.shape[2]}x{x.shape[3]} cannot be divided by {self.factor}")
        return avg_pool2d(x, self.factor)


class Perturb:
    """Normal noise on anything, less and less of it: ``B … -> B …``, x + std(step) u, u ~ N(0, 1).

    std falls from `start` to `end` in a straight line over the first `over` steps: instance noise on what a
    discriminator sees, ``D(perturb(real, step))``. Without a step it is `start`: the nearby latent vector of a
    consistency term, ``perturb(z)``.

    Paper: arXiv:1701.04862 section 3 (instance noise); arXiv:2002.04724 section 3.2 (latent consistency).

    Args:
        steps: Length of training.
        start: Standard deviation at the first step.
        end: Standard deviation from step `over` on.
        over: Number of steps in which it falls; all steps of training if not given.
    """

    def __init__(
        self,
        steps: int = 1,
        start: NonNegativeFloat = 0.1,
        end: NonNegativeFloat = 0.0,
        over: PositiveInt | None = None,
    ):
        self.start, self.end, self.over = start, end, over or steps

    def __call__(self, x: Tensor, step: int | None = None) -> Tensor:
        passed = 0.0 if step is None else min(step / self.over, 1.0)
        std = self.start + passed * (self.end - self.start)
        return x + std * draw.normal(len(x), *x.shape[1:], device=x.device)


class Half:
    """One half of what was computed of two batches at once: ``2B … -> B …``, with ``stack`` before it.

    So a batch norm sees real and fake samples together. Source: ganzoo's own.

    Args:
        which: The first half, 0, or the second, 1.
    """

    def __init__(self, which: Literal[0, 1] = 0):
        self.which = which

    def __call__(self, x: Tensor) -> Tensor:
        return rearrange(x, "(half b) ... -> half b ...", half=2)[self.which]
