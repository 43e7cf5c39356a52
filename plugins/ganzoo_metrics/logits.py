"""What a discriminator's logits say of it."""

from __future__ import annotations

from torch import Tensor


class Accuracy:
    """The share of logits on the right side of 0: ``accuracy(D(real), 1)``, ``accuracy(D(fake), 0)``.

    Source: D(x) = sigmoid(logit) > 1/2 means real, arXiv:1406.2661 section 3.
    """

    def __call__(self, logit: Tensor, label: int) -> float:
        return ((logit > 0) == bool(label)).float().mean().item()
