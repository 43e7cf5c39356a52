"""The losses of energy-based GANs. A logit is minus an energy: low energy means real."""

from __future__ import annotations

from einops import einsum
from ganzoo_adversarial.critic import Critic
from torch import Tensor
from torch.nn.functional import normalize, relu

from ganzoo.bounds import PositiveFloat
from ganzoo.parallel.distributed import batch_rows


class Energy(Critic):
    """Real samples get low energies, generated ones energies up to a margin; beyond it they cost D nothing.

    d = E[energy(real)] + E[max(0, margin - energy(fake))],  g = E[energy(fake)],
    e = -E[energy(real)],  with logit = -energy

    Paper: arXiv:1609.03126 eq. 1 and 2.

    Args:
        margin: The energy from which on a generated sample is far enough; its size is that of D's energies.
    """

    boundary = None

    def __init__(self, margin: PositiveFloat = 10.0):
        self.margin = margin

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss from logits of any shape; a scalar."""
        return relu(self.margin + fake).mean() - real.mean()


class PullingAway:
    """How much the codes of a batch point the same way: ``B n ->`` a scalar in [0, 1].

    1 / (N (N - 1)) sum_{i != j} (s_i s_j / (|s_i| |s_j|))^2, over the N codes of all processes.

    Paper: arXiv:1609.03126 section 2.4.

    Raises:
        ValueError: (when called) the batch has one row.
    """

    def __call__(self, features: Tensor) -> Tensor:
        codes = batch_rows(normalize(features.flatten(1), dim=1))
        n = len(codes)
        if n < 2:
            raise ValueError("a batch of 1 has no pairs of codes; it needs 2")
        squared = einsum(codes, codes, "i n, j n -> i j").square()
        return (squared.sum() - squared.diagonal().sum()) / (n * (n - 1))


class Active:
    """The share of logits ``B`` whose energy is still within the margin; a scalar without gradient.

    Of generated samples these alone have a gradient in D's loss.

    Paper: arXiv:1609.03126 eq. 1.

    Args:
        margin: The margin of the loss.
    """

    def __init__(self, margin: PositiveFloat = 10.0):
        self.margin = margin

    def __call__(self, x: Tensor) -> Tensor:
        return (x.detach() > -self.margin).float().mean()
