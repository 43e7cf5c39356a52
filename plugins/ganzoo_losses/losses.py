"""Distances and divergences; every one is a mean over the batch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ganzoo.parallel.distributed import batch_mean


class L1:
    """Mean absolute difference, E|x - y|, of tensors of one shape. Paper: arXiv:1611.07004 eq. 3."""

    def __call__(self, x: Tensor, y: Tensor | float) -> Tensor:
        return (x - y).abs().mean()


class MeanSquaredError:
    """Mean squared difference, E(x - y)^2, of tensors of one shape. Paper: arXiv:1609.04802 eq. 4."""

    def __call__(self, x: Tensor, y: Tensor | float) -> Tensor:
        return (x - y).square().mean()


class BinaryCrossEntropy:
    """Cross-entropy of logits with targets in [0, 1]: E[softplus(x) - y x]. Paper: arXiv:1406.2661 eq. 1."""

    def __call__(self, x: Tensor, y: Tensor | float) -> Tensor:
        return (F.softplus(x) - y * x).mean()


class CrossEntropy:
    """Cross-entropy of class logits ``B K`` with labels ``B`` or one-hot ``B K``: -E log softmax(x)[label].

    Paper: arXiv:1610.09585 eq. 3.
    """

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(x, label)


class FeatureMatching:
    """Squared distance of batch means of features ``B …``: mean((E fake - E real)^2), over all processes.

    Paper: arXiv:1606.03498 section 3.1 (mean over features instead of its sum, as in its code).
    """

    def __call__(self, fake: Tensor, real: Tensor) -> Tensor:
        return (batch_mean(fake) - batch_mean(real)).square().mean()


class KLNormal:
    """KL(N(mu, exp(logvar)) || N(0, 1)) summed over dimensions, mean over the batch, ``B n`` each.

    1/2 E sum(mu^2 + exp(logvar) - 1 - logvar)

    Paper: arXiv:1312.6114 appendix B.
    """

    def __call__(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).flatten(1).sum(1).mean()
