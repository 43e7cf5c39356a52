"""Activations, norms, initialisations and outputs by the names that YAML uses."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from einops import reduce
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

Activation = Literal["relu", "leaky_relu", "elu", "selu", "softplus", "tanh", "sigmoid", "none"]
Norm = Literal["batch", "instance", "layer", "none"]
Initialisation = Literal["normal", "uniform", "xavier", "he", "glorot", "orthogonal", "torch"]


class DiscriminatorOutput(NamedTuple):
    """What every discriminator returns: a `logit` for each sample, ``B``, and the `features` it is read from."""

    logit: Tensor
    features: Tensor


def activation(name: Activation, slope: float = 0.2) -> nn.Module:
    """An activation by name; `slope` is that of leaky_relu for negative values."""
    if name == "leaky_relu":
        return nn.LeakyReLU(slope)
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "elu": nn.ELU,
        "selu": nn.SELU,
        "softplus": nn.Softplus,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "none": nn.Identity,
    }
    return kinds[name]()


def norm(name: Norm, features: int, dimensions: int = 2, affine: bool = True) -> nn.Module:
    """A norm by name for `features` channels of images (`dimensions` 2) or for vectors (0).

    `affine: false` leaves scale and shift out of an instance norm.
    """
    if name == "batch":
        return nn.BatchNorm2d(features) if dimensions else nn.BatchNorm1d(features)
    if name == "instance":
        return nn.InstanceNorm2d(features, affine=affine) if dimensions else nn.LayerNorm(features)
    if name == "layer":
        return nn.GroupNorm(1, features) if dimensions else nn.LayerNorm(features)
    return nn.Identity()


class Maxout(nn.Module):
    """The largest of `pieces` linear maps, unit by unit: ``B in -> B units``. Paper: arXiv:1302.4389 eq. 2."""

    def __init__(self, features: int, units: int, pieces: int):
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(features, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return reduce(self.linear(x), "b (n pieces) -> b n", "max", pieces=self.pieces)


class Ranged(nn.Module):
    """A sigmoid stretched to a range other than (0, 1) and (-1, 1)."""

    def __init__(self, low: float, high: float):
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * x.sigmoid()


def to_range(range: tuple[float, float] | None) -> nn.Module:
    """The last activation for data in a range: tanh for (-1, 1), sigmoid for (0, 1), none if it is unbounded."""
    if range is None:
        return nn.Identity()
    low, high = range
    if (low, high) == (-1, 1):
        return nn.Tanh()
    return nn.Sigmoid() if (low, high) == (0, 1) else Ranged(low, high)


def fans(layer: _ConvNd | nn.Linear) -> tuple[float, float]:
    """How many inputs a unit of the output has, and how many outputs one of the input."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    area, stride = math.prod(layer.kernel_size), math.prod(layer.stride)
    fan_in, fan_out = layer.in_channels * area, layer.out_channels * area
    return (fan_in / stride, fan_out) if layer.transposed else (fan_in, fan_out / stride)


@torch.no_grad()
def initialise(module: nn.Module, scheme: Initialisation, scale: float) -> None:
    """Start every weight of a network by one scheme, biases at 0, norms at gain 1.

    ``normal`` N(0, scale), and norm gains N(1, scale) as DCGAN does; ``uniform`` U(-scale, scale); ``xavier`` uniform
    with gain `scale`; ``he`` normal with gain sqrt(2) times `scale`; ``glorot`` uniform of standard deviation
    sqrt(2 / (fan_in + fan_out)) times `scale`, for convolutions sqrt(2) times that, as in the code of
    arXiv:1704.00028; ``orthogonal`` with gain `scale`; ``torch`` leaves torch's own start. The fans of a strided
    layer are those of one pixel: a stride of 2 divides that of the smaller side by 4.
    """
    if scheme == "torch":
        return
    for layer in module.modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            if scheme == "normal":
                nn.init.normal_(layer.weight, 0.0, scale)
            elif scheme == "uniform":
                nn.init.uniform_(layer.weight, -scale, scale)
            elif scheme == "xavier":
                nn.init.xavier_uniform_(layer.weight, scale)
            elif scheme == "he":
                nn.init.normal_(layer.weight, 0.0, scale * math.sqrt(2 / fans(layer)[0]))
            elif scheme == "glorot":
                gain = scale * (1.0 if isinstance(layer, nn.Linear) else math.sqrt(2))
                half = gain * math.sqrt(3 * 2 / sum(fans(layer)))
                nn.init.uniform_(layer.weight, -half, half)
            else:
                nn.init.orthogonal_(layer.weight, scale)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, _BatchNorm) and layer.weight is not None and scheme == "normal":
            nn.init.normal_(layer.weight, 1.0, scale)
