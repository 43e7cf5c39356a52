"""Conditioning augmentation with a gate."""

from __future__ import annotations

from ganzoo_layers import initialise
from ganzoo_stackgan.conditioning import Conditioning as Plain
from torch import nn

from ganzoo.bounds import PositiveInt


class Conditioning(Plain):
    """`encoder.conditioning` behind a gated linear unit: ``B text_dim -> Conditioned``.

    (mu, logvar) = a * sigmoid(b),  (a, b) = W text + bias

    Paper: arXiv:1710.10916 section 3.2, with the gate of the authors' code.

    Args:
        text_dim: Width of the text embedding.
        size: Width of the condition.
    """

    def __init__(self, text_dim: PositiveInt, size: PositiveInt = 128):
        super().__init__(text_dim, size)
        self.linear = nn.Sequential(nn.Linear(text_dim, 4 * size), nn.GLU(1))
        initialise(self, "orthogonal", 1.0)
