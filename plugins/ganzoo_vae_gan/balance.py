"""A minimax game in which whoever is too far ahead waits."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.bounds import NonNegativeFloat, PositiveFloat
from ganzoo.parallel.distributed import batch_mean


class Balanced:
    """The minimax game; D waits while it is too good, G while D is too bad, both play when both would wait.

    d = E[softplus(-real)] + E[softplus(fake)],  g = -E[softplus(fake)],
    e = -E[softplus(-real)],  or 0 for who waits

    ``saturating: false`` has g = E[softplus(-fake)] and e = E[softplus(real)] in their place.

    D waits if one of the two costs E[softplus(-real)] and E[softplus(fake)] is below `equilibrium` - `margin`, G if one
    is above `equilibrium` + `margin`; costs are means over the batch of all processes.

    Paper: arXiv:1512.09300 eq. 1, with the rule of the authors' code.

    Args:
        equilibrium: Each cost where neither is ahead, about log 2.
        margin: How far a cost may be from there.
        scale: A factor on D's loss; the authors' code has 0.5.
        saturating: G minimises log(1 - D), as in the paper; otherwise it maximises log D.
    """

    def __init__(
        self,
        equilibrium: PositiveFloat = 0.68,
        margin: NonNegativeFloat = 0.35,
        scale: PositiveFloat = 1.0,
        saturating: bool = True,
    ):
        self.low, self.high, self.scale = equilibrium - margin, equilibrium + margin, scale
        self.saturating = saturating

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of any shape; a scalar."""
        return self.scale * self._plays(real, fake)[0] * (softplus(-real).mean() + softplus(fake).mean())

    def g(self, fake: Tensor, real: Tensor) -> Tensor:
        """G's loss from logits of any shape; a scalar."""
        wish = -softplus(fake) if self.saturating else softplus(-fake)
        return self._plays(real, fake)[1] * wish.mean()

    def e(self, real: Tensor, fake: Tensor) -> Tensor:
        """What wants real samples taken for fake ones, and waits as G does; a scalar."""
        wish = -softplus(-real) if self.saturating else softplus(real)
        return self._plays(real, fake)[1] * wish.mean()

    def _plays(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Whether D plays, and G: 1 or 0 each."""
        costs = [batch_mean(softplus(x.detach().flatten())).mean() for x in (-real, fake)]
        ahead = (costs[0] < self.low) | (costs[1] < self.low)
        behind = (costs[0] > self.high) | (costs[1] > self.high)
        both = ahead & behind
        return (~ahead | both).to(fake.dtype), (~behind | both).to(fake.dtype)
