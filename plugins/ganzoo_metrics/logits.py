"""What logits say: a discriminator's of real and fake, a classifier's of classes."""

from __future__ import annotations

from torch import Tensor


class Accuracy:
    """The share of logits on the right side of 0: ``accuracy(D(real), 1)``, ``accuracy(D(fake), 0)``.

    Source: D(x) = sigmoid(logit) > 1/2 means real, arXiv:1406.2661 section 3.
    """

    def __call__(self, logit: Tensor, label: int) -> float:
        return ((logit > 0) == bool(label)).float().mean().item()


class ClassAccuracy:
    """The share of class logits ``B K`` whose largest is that of the label ``B``: ``class_accuracy(C(real), label)``.

    Source: arXiv:1708.07747 section 4.
    """

    better = "higher"

    def __call__(self, logit: Tensor, label: Tensor) -> float:
        return (logit.argmax(1) == label).double().mean().item()
