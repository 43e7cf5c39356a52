"""The lower bound of the mutual information between codes and images, with its sign changed to be minimised."""

from __future__ import annotations

import math

from einops import rearrange, reduce
from ganzoo_layers import one_hot
from torch import Tensor
from torch.nn import functional as F

from ganzoo.bounds import PositiveInt


class CategoricalInformation:
    """Of categorical codes, from the logits that a network guesses, ``B (m K)``: E[-log q(c|x)] - H(c), in nats.

    H(c) = m log K, so that it is 0 for a guess at random and -m log K for a perfect one.

    Paper: arXiv:1606.03657 eq. 5.

    Args:
        codes: The number of codes, m, of K categories each.
    """

    def __init__(self, codes: PositiveInt = 1):
        self.codes = codes

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """`label` is one-hot, ``B (m K)``, or for a single code the categories themselves, ``B``."""
        logits = rearrange(x, "b (m k) -> b m k", m=self.codes)
        if not label.is_floating_point():
            label = one_hot(label, logits.shape[2])
        surprise = -reduce(label.view_as(logits) * F.log_softmax(logits, 2), "b m k -> b", "sum")
        return surprise.mean() - self.codes * math.log(logits.shape[2])


class GaussianInformation:
    """Of continuous codes from U(low, high), from guessed means, ``B m`` both: E[-log q(c|x)] - H(c), in nats.

    -log q = 1/2 log 2 pi + 1/2 logvar + 1/2 (c - mu)^2 exp(-logvar),  H(c) = m log(high - low)

    Without `log_variance` the variance is 1, as in the code of the paper for MNIST: then it is a squared error, and the
    bound stays below the truth.

    Paper: arXiv:1606.03657 eq. 5 and section 6.

    Args:
        low: The least value of a code.
        high: The largest value of a code.

    Raises:
        ValueError: `high` is not above `low`.
    """

    def __init__(self, low: float = -1.0, high: float = 1.0):
        if high <= low:
            raise ValueError(f"high is {high}, but should be above low, {low}")
        self.entropy = math.log(high - low)

    def __call__(self, x: Tensor, y: Tensor, log_variance: Tensor | None = None) -> Tensor:
        squared = (x - y).square()
        if log_variance is not None:
            squared = squared * (-log_variance).exp() + log_variance
        nats = 0.5 * (math.log(2 * math.pi) + squared) - self.entropy
        return nats.flatten(1).sum(1).mean()
