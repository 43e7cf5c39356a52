"""Distributions of latent vectors and codes; each is called with the batch size."""

from __future__ import annotations

import math

import torch
from ganzoo_layers import one_hot
from torch import Tensor

from ganzoo.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from ganzoo.parallel import draw


class Normal:
    """Independent normal numbers: ``n -> n size``, N(0, std^2). Paper: arXiv:1511.06434 (as its ports have it).

    With a truncation no number lies further out than that many standard deviations. Numbers then come from the inverse
    distribution function, z = std Phi^-1(u) with u ~ U(Phi(-truncation), Phi(truncation)), which has the distribution
    of redrawing what falls outside: arXiv:1809.11096 section 3.1. A trained model takes it as well:
    ``ganzoo sample RUN truncation=0.5``.

    Args:
        size: How many numbers a sample has.
        std: Their standard deviation.
        truncation: Standard deviations that are not exceeded; no limit if not given.
    """

    def __init__(self, size: PositiveInt = 100, std: NonNegativeFloat = 1.0, truncation: PositiveFloat | None = None):
        self.size, self.std, self.truncation = size, std, truncation

    def __call__(self, n: int) -> Tensor:
        if self.truncation is None:
            return self.std * draw.normal(n, self.size)
        tail = 0.5 * (1 + math.erf(-self.truncation / math.sqrt(2)))
        u = draw.uniform(n, self.size, low=tail, high=1 - tail)
        return self.std * torch.special.ndtri(u).clamp(-self.truncation, self.truncation)


class Uniform:
    """Independent uniform numbers: ``n -> n size``, U(low, high). Paper: arXiv:1511.06434 section 4.

    Raises:
        ValueError: `high` not above `low`.
    """

    def __init__(self, size: PositiveInt = 100, low: float = -1.0, high: float = 1.0):
        if high <= low:
            raise ValueError(f"high is {high}, but should be above low, {low}")
        self.size, self.low, self.high = size, low, high

    def __call__(self, n: int) -> Tensor:
        return draw.uniform(n, self.size, low=self.low, high=self.high)


class Categorical:
    """One of `num_classes`, all alike likely: ``n -> n num_classes`` one-hot, or ``n`` labels.

    Paper: arXiv:1606.03657 section 7 (a categorical code).

    Args:
        num_classes: How many; of the data's label field if not given.
        one_hot: Vectors for a generator's input, or integers for a cross-entropy.
    """

    def __init__(self, num_classes: PositiveInt, one_hot: bool = True):
        self.num_classes, self.one_hot = num_classes, one_hot

    def __call__(self, n: int) -> Tensor:
        label = draw.integers(n, high=self.num_classes)
        return one_hot(label, self.num_classes) if self.one_hot else label
