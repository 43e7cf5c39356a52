"""What discriminators return that are auto-encoders."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Reconstructed(NamedTuple):
    """Minus the error of each reconstruction, ``B``; the code it is made from, ``B n``; the reconstruction, like `x`.

    As a `logit` it is higher for what is reconstructed well, so any adversarial loss can take it.
    """

    logit: Tensor
    features: Tensor
    reconstruction: Tensor
