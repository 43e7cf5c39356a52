"""A second opinion on a discriminator's features: which class."""

from __future__ import annotations

from ganzoo_layers import Initialisation, initialise
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class ClassHead(nn.Module):
    """Class logits by one linear layer from the features of any network: ``B n -> B num_classes``.

    Paper: arXiv:1610.09585 section 3 (the auxiliary classifier).

    Args:
        features_dim: Width of the features.
        num_classes: How many; of the data's label field if not given.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
        bias: Add a number to each logit.
    """

    def __init__(
        self,
        features_dim: PositiveInt,
        num_classes: PositiveInt,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
        bias: bool = True,
    ):
        super().__init__()
        self.linear = nn.Linear(features_dim, num_classes, bias=bias)
        initialise(self, weight_init, init_scale)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features)
