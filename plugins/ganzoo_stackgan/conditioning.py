"""Conditioning augmentation."""

from __future__ import annotations

from typing import NamedTuple

from einops import rearrange
from ganzoo_layers import Activation, initialise
from ganzoo_layers import activation as activated
from torch import Tensor, nn

from ganzoo.bounds import PositiveInt
from ganzoo.parallel import draw


class Conditioned(NamedTuple):
    """A `sample` of the normal distribution of a text's condition, and its `mu` and `logvar`, ``B n`` each."""

    sample: Tensor
    mu: Tensor
    logvar: Tensor


class Conditioning(nn.Module):
    """A text becomes a normal distribution of conditions, and one of them: ``B text_dim -> Conditioned``.

    sample = mu(text) + sigma(text) * epsilon,  epsilon ~ N(0, 1),  logvar = log sigma^2

    Paper: arXiv:1612.03242 section 3.2.

    Args:
        text_dim: Width of the text embedding.
        size: Width of the condition.
        activation: Activation behind the linear layer; the authors' code has ``relu``, so that neither mean nor
            log variance is below 0, the paper ``none``.
    """

    def __init__(self, text_dim: PositiveInt, size: PositiveInt = 128, activation: Activation = "none"):
        super().__init__()
        self.size = size
        self.linear = nn.Sequential(nn.Linear(text_dim, 2 * size), activated(activation))
        initialise(self, "normal", 0.02)

    def forward(self, text: Tensor) -> Conditioned:
        mu, logvar = rearrange(self.linear(text), "b (two n) -> two b n", two=2)
        noise = draw.normal(len(mu), self.size, device=mu.device).to(mu.dtype)
        return Conditioned(mu + (0.5 * logvar).exp() * noise, mu, logvar)
