"""The fully connected networks of permutation-invariant MNIST: no biases, batch norm without scale and shift."""

from __future__ import annotations

import math
from typing import NamedTuple

from ganzoo_layers import DiscriminatorOutput, Initialisation, initialise, to_range
from ganzoo_layers.blocks import Ranged
from torch import Tensor, nn

from ganzoo.bounds import NonNegativeFloat, PositiveInt


class Generator(nn.Module):
    """Two hidden layers, of which the second sees the code again: ``B z -> B *out_shape``.

    h_1 = relu(bn(A z)),  h_2 = relu(bn(B h_1 + C z)),  x = range(F h_2)

    Paper: arXiv:1605.09782 section 4.2 and its code.

    Args:
        z_dim: Width of the code.
        out_shape: Shape of one sample.
        out_range: Range of the data: (-1, 1) ends in tanh, (0, 1) in sigmoid, none in nothing.
        hidden: Width of the hidden layers.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        z_dim: PositiveInt,
        out_shape: tuple[PositiveInt, ...],
        out_range: tuple[float, float] | None = None,
        hidden: PositiveInt = 1024,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.out_shape = tuple(out_shape)
        self.first = nn.Sequential(linear(z_dim, hidden), plain_norm(hidden), nn.ReLU())
        self.second = linear(hidden, hidden)
        self.again = linear(z_dim, hidden)
        self.last = nn.Sequential(
            plain_norm(hidden), nn.ReLU(), linear(hidden, math.prod(out_shape)), to_range(out_range)
        )
        initialise(self, weight_init, init_scale)

    def forward(self, z: Tensor) -> Tensor:
        return self.last(self.second(self.first(z)) + self.again(z)).unflatten(1, self.out_shape)


class Encoded(NamedTuple):
    """The `code`, in the range of the prior, the `logits` that it is made of, and the hidden `features`."""

    code: Tensor
    logits: Tensor
    features: Tensor


class Encoder(nn.Module):
    """Two hidden layers, and a code between -1 and 1: ``B *in_shape -> code B size, logits B size, features B hidden``.

    code = 2 sigmoid(logits) - 1, as samples of the uniform prior are

    Paper: arXiv:1605.09782 section 4.2 and its code.

    Args:
        in_shape: Shape of one sample.
        size: Width of the code.
        hidden: Width of the hidden layers.
        slope: Slope of leaky_relu for negative values.
        bounded: Keep the code between -1 and 1; for a normal prior it is the logits themselves.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        size: PositiveInt = 50,
        hidden: PositiveInt = 1024,
        slope: NonNegativeFloat = 0.2,
        bounded: bool = True,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            linear(math.prod(in_shape), hidden),
            nn.LeakyReLU(slope),
            linear(hidden, hidden),
            plain_norm(hidden),
            nn.LeakyReLU(slope),
        )
        self.head = linear(hidden, size)
        self.into = Ranged(-1.0, 1.0) if bounded else nn.Identity()
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor) -> Encoded:
        features = self.body(x)
        logits = self.head(features)
        return Encoded(self.into(logits), logits, features)


class Discriminator(nn.Module):
    """Whether an image and a code are a real image with its code: ``B *in_shape, B z -> DiscriminatorOutput``.

    h_1 = lrelu(A x),  h_2 = lrelu(bn(B h_1 + C z)),  logit = <w, h_2>

    Paper: arXiv:1605.09782 eq. 2 and section 4.2, and its code.

    Args:
        in_shape: Shape of one sample.
        z_dim: Width of the code.
        hidden: Width of the hidden layers.
        slope: Slope of leaky_relu for negative values.
        weight_init: Distribution that the weights start from; see `init_scale`.
        init_scale: Standard deviation, half-width or gain of `weight_init`.
    """

    def __init__(
        self,
        in_shape: tuple[PositiveInt, ...],
        z_dim: PositiveInt,
        hidden: PositiveInt = 1024,
        slope: NonNegativeFloat = 0.2,
        weight_init: Initialisation = "normal",
        init_scale: NonNegativeFloat = 0.02,
    ):
        super().__init__()
        self.see = nn.Sequential(
            nn.Flatten(), linear(math.prod(in_shape), hidden), nn.LeakyReLU(slope), linear(hidden, hidden)
        )
        self.code = linear(z_dim, hidden)
        self.body = nn.Sequential(plain_norm(hidden), nn.LeakyReLU(slope))
        self.head: nn.Module = linear(hidden, 1)
        initialise(self, weight_init, init_scale)

    def forward(self, x: Tensor, z: Tensor) -> DiscriminatorOutput:
        features = self.body(self.see(x) + self.code(z))
        return DiscriminatorOutput(self.head(features).squeeze(1), features)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer without bias."""
    return nn.Linear(inputs, outputs, bias=False)


def plain_norm(features: int) -> nn.BatchNorm1d:
    """Batch norm without scale and shift."""
    return nn.BatchNorm1d(features, affine=False)
