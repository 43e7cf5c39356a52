"""What logits say: a discriminator's of real and fake, a classifier's of classes."""

from __future__ import annotations

from torch import Tensor

from ganzoo.bounds import PositiveInt


class Accuracy:
    """The share of logits on the right side of 0: ``accuracy(D(real), 1)``, ``accuracy(D(fake), 0)``.

    Source: D(x) = sigmoid(logit) > 1/2 means real, arXiv:1406.2661 section 3.
    """

    def __call__(self, logit: Tensor, label: int) -> float:
        return ((logit > 0) == bool(label)).float().mean().item()


class ClassAccuracy:
    """The share of class logits ``B K`` whose largest is that of the label ``B``: ``class_accuracy(C(real), label)``.

    Source: arXiv:1708.07747 section 4.

    Args:
        num_classes: How many the labels have.

    Raises:
        ValueError: (when called) logits of another number of classes.
    """

    better = "higher"

    def __init__(self, num_classes: PositiveInt | None = None):
        self.num_classes = num_classes

    def dry(self, logit: Tensor, label: Tensor) -> Tensor:
        """Whether these are logits of the classes that labels have."""
        if self.num_classes not in (None, logit.shape[1]):
            what = f"logits of {logit.shape[1]} classes cannot be compared with labels of {self.num_classes}"
            raise ValueError(f"{what}; measure with a classifier of these, or leave it out: write null")
        return logit

    def __call__(self, logit: Tensor, label: Tensor) -> float:
        self.dry(logit, label)
        return (logit.argmax(1) == label).double().mean().item()
