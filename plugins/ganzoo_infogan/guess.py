"""The recognition network Q(c|x)."""

from __future__ import annotations

from typing import NamedTuple

from ganzoo_layers import Initialisation, activation, initialise, norm
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt


class Guess(NamedTuple):
    """What Q thinks of the codes: `logits` of the categorical ones, and a normal distribution for each other."""

    logits: Tensor
    mu: Tensor
    logvar: Tensor


class CodeHead(nn.Module):
    """A hidden layer, then the parameters of the codes' distributions: ``B n -> logits B K, mu B m, logvar B m``.

    It reads the features of the discriminator, whose layers it shares. Of several categorical codes the logits stand
    side by side.

    Paper: arXiv:1606.03657 section 6 and appendix table 1.

    Args:
        features_dim: Width of the features.
        categories: Categories of the categorical codes, all together; 0 for none.
        continuous: How many continuous codes.
        hidden: Width of the hidden layer.
        slope: Slope of its leaky_relu for negative values.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.

    Raises:
        ValueError: there is no code.
    """

    def __init__(
        self,
        features_dim: PositiveInt,
        categories: NonNegativeInt = 10,
        continuous: NonNegativeInt = 2,
        hidden: PositiveInt = 128,
        slope: NonNegativeFloat = 0.1,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        if min(categories, continuous) < 0 or categories + continuous == 0:
            raise ValueError(f"categories {categories} and continuous {continuous} make no code: give at least 1")
        self.split = (categories, continuous, continuous)
        self.body = nn.Sequential(
            nn.Linear(features_dim, hidden), norm("batch", hidden, 0), activation("leaky_relu", slope)
        )
        self.head = nn.Linear(hidden, categories + 2 * continuous)
        initialise(self, weight_init, init_scale)

    def forward(self, features: Tensor) -> Guess:
        return Guess(*self.head(self.body(features)).split(self.split, 1))
