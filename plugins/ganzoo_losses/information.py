"""The lower bound of the mutual information between codes and images, with its sign changed to be minimised."""

from __future__ import annotations

import math

from ganzoo_layers import one_hot
from torch import Tensor
from torch.nn import functional as F


class CategoricalInformation:
    """Of categorical codes, from the logits that a network guesses, ``B (m K)``: E[-log q(c|x)] - H(c), in nats.

    H(c) = m log K, so that it is 0 for a guess at random and -m log K for a perfect one.

    Paper: arXiv:1606.03657 eq. 5.

    Args:
        codes: How many codes, m, of K categories each.

    Raises:
        ValueError: `codes` is below 1.
    """

    def __init__(self, codes: int = 1):
        if codes < 1:
            raise ValueError(f"codes is {codes}, but should be at least 1")
        self.codes = codes

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """`label` is one-hot, ``B (m K)``, or for a single code the categories themselves, ``B``."""
        logits = x.unflatten(1, (self.codes, -1))
        if not label.is_floating_point():
            label = one_hot(label, logits.shape[2])
        surprise = -(label.view_as(logits) * F.log_softmax(logits, 2)).sum((1, 2))
        return surprise.mean() - self.codes * math.log(logits.shape[2])


class GaussianInformation:
    """Of continuous codes from U(low, high), from guessed means, ``B m`` both: E[-log q(c|x)] - H(c), in nats.

    -log q = 1/2 log 2 pi + 1/2 logvar + 1/2 (c - mu)^2 exp(-logvar),  H(c) = m log(high - low)

    Without `log_variance` the variance is 1, as in the code of the paper for MNIST: then it is a squared error, and the
    bound stays below the truth.

    Paper: arXiv:1606.03657 eq. 5 and section 6.

    Args:
        low: From where
        high: to where the codes are drawn.

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
