"""Least-squares adversarial loss."""

from __future__ import annotations

from torch import Tensor

import ganzoo


class LeastSquares:
    """Squared distance of D's output to a target each for real, fake, and what G wants.

    d = 1/2 E[(real - b)^2] + 1/2 E[(fake - a)^2],  g = 1/2 E[(fake - c)^2]

    Paper: arXiv:1611.04076 eq. 2; a = 0, b = c = 1 is its eq. 9, a = -1, b = 1, c = 0 its eq. 8.

    Args:
        a: D's target for fake samples.
        b: D's target for real samples.
        c: G's target for fake samples.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0):
        self.a, self.b, self.c = a, b, c
        self.boundary = 0.5 * (a + b)

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from outputs of any shape; a scalar."""
        return 0.5 * (real - self.b).square().mean() + 0.5 * (fake - self.a).square().mean()

    @ganzoo.ignores("real")
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """G's loss from outputs of any shape; a scalar."""
        return 0.5 * (fake - self.c).square().mean()
