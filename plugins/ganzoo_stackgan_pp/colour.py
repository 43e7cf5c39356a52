"""Colours of one size kept those of the next."""

from __future__ import annotations

from einops import einsum, rearrange, reduce
from torch import Tensor

from ganzoo.bounds import NonNegativeFloat


class ColourConsistency:
    """Means and covariances of two images' colours, of any sizes, kept alike: ``B C H W, B C h w ->`` a scalar.

    a |mu - mu'|^2 + b |Sigma - Sigma'|_F^2, both over the pixels of an image, mean over the batch; a point is
    one pixel.

    Paper: arXiv:1710.10916 section 4.3. Its code takes means over channels instead of sums: for three channels that
    is `mean` 1/3 and `covariance` 5/9.

    Args:
        mean: Weight of the means, a.
        covariance: Weight of the covariances, b.
    """

    def __init__(self, mean: NonNegativeFloat = 1.0, covariance: NonNegativeFloat = 5.0):
        self.mean, self.covariance = mean, covariance

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        (mu, sigma), (other_mu, other_sigma) = moments(x), moments(y)
        apart = (mu - other_mu).square().sum(1).mean()
        return self.mean * apart + self.covariance * (sigma - other_sigma).square().sum((1, 2)).mean()


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the pixels of each image: ``B C H W -> B C, B C C``. Source: arXiv:1710.10916, 4.3."""
    x = x if x.ndim == 4 else rearrange(x, "b c -> b c 1 1")
    mu = reduce(x, "b c h w -> b c", "mean")
    apart = rearrange(x, "b c h w -> b c (h w)") - rearrange(mu, "b c -> b c 1")
    return mu, einsum(apart, apart, "b i p, b j p -> b i j") / apart.shape[2]
