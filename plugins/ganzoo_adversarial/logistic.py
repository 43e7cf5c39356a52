"""The losses of the 2014 GAN, on logits: D(x) = sigmoid(logit)."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn.functional import softplus

import ganzoo
from ganzoo.bounds import Fraction, PositiveFloat
from ganzoo.parallel import draw
from ganzoo.parallel.distributed import batch_mean


class NonSaturating:
    """Cross-entropy for D; G maximises log D(G(z)), whose gradient does not vanish when D wins.

    d = E[smoothing-weighted softplus(-real)] + E[softplus(fake)],  g = E[softplus(-fake)],  e = E[softplus(real)]

    Paper: arXiv:1406.2661 section 3; one-sided smoothing: arXiv:1606.03498 section 3.4.

    Args:
        smoothing: One-sided label smoothing: real samples are labelled ``1 - smoothing``, fake ones stay 0.
        scale: A factor on D's loss; the 2014 code uses 0.5.
        noise: Two-sided noise on D's labels: each lies up to this far from its own, uniformly, inside (0, 1).
        flip: The chance that D is told the other label of a sample.
        waits_above: D's loss is 0 for a batch of which it is right about more than this share, real and fake alike;
            arXiv:1610.07584 section 3.1 has 0.8, of the batch before.

    Raises:
        ValueError: `smoothing` is not in [0, 1).
    """

    def __init__(
        self,
        smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        scale: PositiveFloat = 1.0,
        noise: Fraction = 0.0,
        flip: Fraction = 0.0,
        waits_above: Fraction = 1.0,
    ):
        self.smoothing, self.scale, self.noise, self.flip = smoothing, scale, noise, flip
        self.waits_above = waits_above

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of any shape; a scalar."""
        scale = self.scale * self._plays(real, fake) if self.waits_above < 1 else self.scale
        if self.noise or self.flip:
            return scale * (self._told(real, 1 - self.smoothing) + self._told(fake, 0.0))
        positive = softplus(-real)
        if self.smoothing:  # cross-entropy with target t is softplus(-x) + (1 - t) x
            positive = positive + self.smoothing * real
        return scale * (positive.mean() + softplus(fake).mean())

    def _plays(self, real: Tensor, fake: Tensor) -> Tensor:
        """1 where D is right about no more than the share it waits above, otherwise 0."""
        right = [batch_mean((x.detach().flatten() > 0).float()).mean() for x in (real, -fake)]
        return ((right[0] + right[1]) / 2 <= self.waits_above).to(fake.dtype)

    def _told(self, logit: Tensor, label: float) -> Tensor:
        """The cross-entropy with noisy labels: ``softplus(x) - t x`` with a target t of each logit."""
        noise, flip = (draw.uniform(len(logit), *logit.shape[1:], device=logit.device) for _ in range(2))
        near = label - self.noise * noise if label > 0.5 else label + self.noise * noise
        target = torch.where(flip < self.flip, 1 - near, near)
        return (softplus(logit) - target * logit).mean()

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
