"""Distances and divergences; every one is a mean over the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.bounds import Fraction
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


class LeCam(nn.Module):
    """D's logits are held near what it says of the other side, which keeps it from growing sure of little data.

    E[(real - a_fake)^2] + E[(fake - a_real)^2], a the moving averages of the logits, over the batch of all processes;
    they start from the first batch.

    Paper: arXiv:2104.03310 eq. 4 and 5.

    Args:
        decay: How much of the averages stays at each step.
    """

    real_mean: Tensor
    fake_mean: Tensor
    calls: Tensor

    def __init__(self, decay: Fraction = 0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("real_mean", torch.zeros(()))
        self.register_buffer("fake_mean", torch.zeros(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's logits of real and of fake samples, of any shape; a scalar."""
        with torch.no_grad():
            means = {"real_mean": batch_mean(real).mean(), "fake_mean": batch_mean(fake).mean()}
            stays = torch.where(self.calls > 0, self.decay, 0.0)
            averages = {name: new + stays * (getattr(self, name) - new) for name, new in means.items()}
            if self.training:
                self.real_mean, self.fake_mean = averages["real_mean"], averages["fake_mean"]
                self.calls = self.calls + 1
        return (real - averages["fake_mean"]).square().mean() + (fake - averages["real_mean"]).square().mean()
