"""The likelihood under a normal distribution."""

from __future__ import annotations

from torch import Tensor

from ganzoo.bounds import PositiveFloat


class NormalLikelihood:
    """-log N(x; y, sigma^2) without its constant: summed over an image, mean over the batch, ``B …`` both.

    E sum((x - y)^2) / (2 sigma^2)

    Paper: arXiv:1512.09300 eq. 7 and 8, on a discriminator's layer, where sigma is 1.

    Args:
        sigma: Standard deviation of every number.
    """

    def __init__(self, sigma: PositiveFloat = 1.0):
        self.scale = 0.5 / sigma**2

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.scale * (x - y).square().flatten(1).sum(1).mean()
