"""Least-squares adversarial loss."""

from __future__ import annotations

from torch import Tensor

import ganzoo
from ganzoo.bounds import PositiveFloat


class LeastSquares:
    """Squared distance of D's output to a target each for real, fake, and what G wants.

    d = scale (1/2 E[(real - b)^2] + 1/2 E[(fake - a)^2]),  g = scale 1/2 E[(fake - c)^2],
    e = scale 1/2 E[(real - (a + b - c))^2]

    Paper: arXiv:1611.04076 eq. 2; a = 0, b = c = 1 is its eq. 9, a = -1, b = 1, c = 0 its eq. 8.

    Args:
        a: D's target for fake samples.
        b: D's target for real samples.
        c: G's target for fake samples.
        scale: A factor on both sides; 2 leaves the halves out, as arXiv:1703.10593 has it.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0, scale: PositiveFloat = 1.0):
        self.a, self.b, self.c, self.half = a, b, c, scale / 2
        self.boundary = 0.5 * (a + b)

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from outputs of any shape; a scalar."""
        return self.half * (real - self.b).square().mean() + self.half * (fake - self.a).square().mean()

    @ganzoo.ignores("real")
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """G's loss from outputs of any shape; a scalar."""
        return self.half * (fake - self.c).square().mean()

    @ganzoo.ignores("fake")
    def e(self, real: Tensor, fake: Tensor | None = None) -> Tensor:
        """What wants real samples taken for fake ones, from outputs of any shape; a scalar."""
        return self.half * (real - (self.a + self.b - self.c)).square().mean()
