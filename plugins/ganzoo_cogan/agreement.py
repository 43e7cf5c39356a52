"""Whether two classifiers say the same of what belongs together."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.contract import Measured


class Agreement:
    """How often two classifiers name one class: ``agreement(A(fake_a), B(fake_b)) -> {share, chance, largest}``.

    share = 1/n sum_i [argmax x_i = argmax y_i], chance = sum_k p_k q_k for the shares p and q of the classes on either
    side, which is what independent answers would give, and `largest` the largest of all p_k and q_k: a generator that
    draws one class agrees with itself.

    Source: the observed and expected agreement of Cohen 1960; the pixel agreement ratio of arXiv:1606.07536 section 4
    asks the same of pixels.

    Raises:
        ValueError: (when called) the class logits ``B K`` have different shapes.
    """

    better = {"share": "higher", "chance": "lower", "largest": "lower"}  # noqa: RUF012

    def dry(self, x: Tensor, y: Tensor) -> Tensor:
        """Whether both sides know equally many classes."""
        if x.ndim != 2 or x.shape != y.shape:
            raise ValueError(f"class logits {tuple(x.shape)} and {tuple(y.shape)} should both be B K")
        return x

    def __call__(self, x: Tensor, y: Tensor) -> Measured:
        self.dry(x, y)
        classes, count = x.shape[1], len(x)
        said = x.argmax(1).cpu(), y.argmax(1).cpu()
        p, q = (torch.bincount(side, minlength=classes).double() / count for side in said)
        share = (said[0] == said[1]).double().mean().item()
        return Measured({"share": share, "chance": (p * q).sum().item(), "largest": max(p.max(), q.max()).item()})
