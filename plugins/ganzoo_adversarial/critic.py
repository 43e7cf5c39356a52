"""Losses of critics, whose output is a score and no probability."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

import ganzoo


class Critic:
    """What all of them have in common: g = -E[fake], e = E[real]."""

    @ganzoo.ignores("real")
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """G's loss from scores of any shape; a scalar."""
        return -fake.mean()

    @ganzoo.ignores("fake")
    def e(self, real: Tensor, fake: Tensor | None = None) -> Tensor:
        """What wants real samples taken for fake ones, from scores of any shape; a scalar."""
        return real.mean()


class Wasserstein(Critic):
    """The critic estimates the Wasserstein-1 distance, ``-d``, if it is kept Lipschitz by a constraint or penalty.

    d = E[fake] - E[real],  g = -E[fake],  e = E[real]

    Paper: arXiv:1701.07875 eq. 3 and algorithm 1.
    """

    boundary = None

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from scores of any shape; a scalar."""
        return fake.mean() - real.mean()


class Hinge(Critic):
    """Scores beyond the margin cost D nothing.

    d = E[max(0, 1 - real)] + E[max(0, 1 + fake)],  g = -E[fake],  e = E[real]

    Paper: arXiv:1705.02894 section 3; arXiv:1802.05957 eq. 16-17.
    """

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from scores of any shape; a scalar."""
        return relu(1 - real).mean() + relu(1 + fake).mean()
