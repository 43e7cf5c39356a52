"""Fully connected generator and discriminator."""

from __future__ import annotations

import math
from typing import Literal

from ganzoo_layers import (
    Activation,
    DiscriminatorOutput,
    Initialisation,
    Maxout,
    activation,
    initialise,
    norm,
    to_range,
)
from torch import Tensor, nn

from ganzoo.bounds import Fraction, NonNegativeFloat, PositiveInt


class Generator(nn.Module):
    """Fully connected layers from a latent vector to a vector, reshaped: ``B z -> B *out_shape``.

    Paper: arXiv:1406.2661 section 5; its widths are the defaults.

    Args:
        z_dim: Width of the latent vector.
        out_shape: Shape of one sample.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        hidden: Widths of the hidden layers.
        activation: Activation of the hidden layers.
        slope: Slope of leaky_relu for negative values.
        norm: ``batch`` puts batch norm before each activation but the first layer's.
        linear_out: Leave the output unbounded whatever the range.
        out_bias: Start value of the output's bias; the 2014 code takes the logit of the mean pixel.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = None,
        hidden: tuple[PositiveInt, ...] = (1200, 1200),
        activation: Activation = "relu",
        slope: NonNegativeFloat = 0.2,
        norm: Literal["batch", "layer", "none"] = "none",
        linear_out: bool = False,
        out_bias: float = 0.0,
        weight_init: Initialisation = "xavier",
        init_scale: NonNegativeFloat = 1.0,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        widths = (z_dim, *hidden)
        for index in range(len(hidden)):
            layers += _dense(widths[index], widths[index + 1], norm if index else "none", activation, slope)
        last = nn.Linear(widths[-1], math.prod(out_shape))
        self.net = nn.Sequential(*layers, last, nn.Identity() if linear_out else to_range(out_range))
        self.out_shape = tuple(out_shape)
        initialise(self, weight_init, init_scale)
        if out_bias:
            nn.init.constant_(last.bias, out_bias)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, self.out_shape)


class Discriminator(nn.Module):
    """Fully connected layers from a flattened sample to one logit: ``B *in_shape -> DiscriminatorOutput``.

    Paper: arXiv:1406.2661 section 5 (maxout with dropout).

    Args:
        in_shape: Shape of one sample.
        hidden: Widths of the hidden layers.
        activation: ``maxout``, or an activation after each linear layer.
        pieces: Linear maps a maxout unit takes the largest of.
        slope: Slope of leaky_relu for negative values.
        dropout: Probability of dropping a value of the hidden layers.
        input_dropout: Probability of dropping a value of the input.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        hidden: tuple[PositiveInt, ...] = (240, 240),
        activation: Literal[
            "maxout", "relu", "leaky_relu", "elu", "selu", "softplus", "tanh", "sigmoid"
        ] = "leaky_relu",
        pieces: PositiveInt = 5,
        slope: NonNegativeFloat = 0.2,
        dropout: Fraction = 0.0,
        input_dropout: Fraction = 0.0,
        weight_init: Initialisation = "xavier",
        init_scale: NonNegativeFloat = 1.0,
    ):
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout else []
        widths = (math.prod(in_shape), *hidden)
        for index in range(len(hidden)):
            if index and dropout:
                layers.append(nn.Dropout(dropout))
            if activation == "maxout":
                layers.append(Maxout(widths[index], widths[index + 1], pieces))
            else:
                layers += _dense(widths[index], widths[index + 1], "none", activation, slope)
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head: nn.Module = nn.Linear(widths[-1], 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        features = self.dropout(self.body(x.flatten(1)))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def _dense(
    inputs: int, outputs: int, kind: Literal["batch", "layer", "none"], name: Activation, slope: float
) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), norm(kind, outputs, dimensions=0), activation(name, slope)]
