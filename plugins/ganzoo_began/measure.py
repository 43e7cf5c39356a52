"""How far training has come, from reconstruction errors."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo.bounds import Fraction


class Convergence:
    """The measure M = L(real) + |gamma L(real) - L(fake)| and its two errors, from minus the errors of samples, ``B``.

    `error_real` is L(real), `ratio` is L(fake) / L(real), which should be gamma. Errors of different sizes of images
    cannot be compared.

    Paper: arXiv:1703.10717 section 3.4.1 (M) and 3.3 (the ratio).

    Args:
        gamma: The ratio of errors that is aimed at.
    """

    better: ClassVar = {"measure": "lower", "error_real": "lower"}

    def __init__(self, gamma: Fraction = 0.5):
        self.gamma = gamma

    def __call__(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """`real` and `fake` are D's logits."""
        error, other = (-logit.double().mean().item() for logit in (real, fake))
        return {
            "measure": error + abs(self.gamma * error - other),
            "error_real": error,
            "ratio": other / error if error else 0.0,
        }
