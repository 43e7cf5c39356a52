"""What is outside an object's mask, and what is put there."""

from __future__ import annotations

from torch import Tensor, where
from torch.nn.functional import max_pool2d

from ganzoo.bounds import NonNegativeInt


class Background:
    """How far an image is from a background where its mask says background: ``B C H W, B C H W, B 1 H W ->`` a scalar.

    E[|x - y| * b], b = 1 where the mask `cond`, and all of it within `margin` pixels, is below 0, else 0;
    the mean is over all pixels. No gradient reaches the mask, so that the object does not grow to escape it.

    Paper: arXiv:1805.01123 eq. 5, with the 5x5 erosion of the authors' code.

    Args:
        margin: Pixels around the object that are left free.
    """

    def __init__(self, margin: NonNegativeInt = 2):
        self.margin = margin

    def __call__(self, x: Tensor, y: Tensor, cond: Tensor) -> Tensor:
        return ((x - y).abs() * outside(cond, self.margin)).mean()


class Paste:
    """An object on a background, cut out along its mask: ``B C H W, B C H W, B 1 H W -> B C H W``.

    x where the mask `cond` is above 0, y elsewhere; y may be a number. Source: ganzoo's own.
    """

    def __call__(self, x: Tensor, y: Tensor | float, cond: Tensor) -> Tensor:
        return where(cond > 0, x, y)


def outside(mask: Tensor, margin: int) -> Tensor:
    """Which places are background, and `margin` pixels from any that is not: ``B 1 H W -> B 1 H W``, 0 or 1."""
    thing = (mask.detach() >= 0).to(mask.dtype)
    return 1 - (max_pool2d(thing, 2 * margin + 1, 1, margin) if thing.ndim == 4 else thing)
