"""The losses of the 2014 GAN, on logits: D(x) = sigmoid(logit)."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn.functional import softplus

import ganzoo
from ganzoo.bounds import PositiveFloat


class NonSaturating:
    """Cross-entropy for D; G maximises log D(G(z)), whose gradient does not vanish when D wins.

    d = E[smoothing-weighted softplus(-real)] + E[softplus(fake)],  g = E[softplus(-fake)],  e = E[softplus(real)]

    Paper: arXiv:1406.2661 section 3; one-sided smoothing: arXiv:1606.03498 section 3.4.

    Args:
        smoothing: One-sided label smoothing: real samples are labelled ``1 - smoothing``, fake ones stay 0.
        scale: A factor on D's loss; the 2014 code uses 0.5.

    Raises:
        ValueError: `smoothing` is not in [0, 1).
    """

    def __init__(self, smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0, scale: PositiveFloat = 1.0):
        self.smoothing, self.scale = smoothing, scale

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of any shape; a scalar."""
        positive = softplus(-real)
        if self.smoothing:  # cross-entropy with target t is softplus(-x) + (1 - t) x
            positive = positive + self.smoothing * real
        return self.scale * (positive.mean() + softplus(fake).mean())

    @ganzoo.ignores("real")
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """G's loss from logits of any shape; a scalar."""
        return softplus(-fake).mean()

    @ganzoo.ignores("fake")
    def e(self, real: Tensor, fake: Tensor | None = None) -> Tensor:
        """What wants real samples taken for fake ones, from logits of any shape; a scalar."""
        return softplus(real).mean()


class Minimax(NonSaturating):
    """The two-player minimax game itself: G minimises log(1 - D(G(z))), which saturates when D wins.

    d = E[softplus(-real)] + E[softplus(fake)],  g = -E[softplus(fake)],  e = -E[softplus(-real)]

    Paper: arXiv:1406.2661 eq. 1.
    """

    @ganzoo.ignores("real")
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """G's loss from logits of any shape; a scalar, at most 0."""
        return -softplus(fake).mean()

    @ganzoo.ignores("fake")
    def e(self, real: Tensor, fake: Tensor | None = None) -> Tensor:
        """What wants real samples taken for fake ones, from logits of any shape; a scalar, at most 0."""
        return -softplus(-real).mean()
