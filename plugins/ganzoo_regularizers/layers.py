"""What is put on a network's layers: the spread of the batch as a feature, and weights scaled when they are used."""

from __future__ import annotations

import math

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganzoo.bounds import PositiveFloat, PositiveInt
from ganzoo_regularizers.weights import LAYERS, TRANSPOSED


class MinibatchDeviation:
    """How much the features of a group of samples vary, as one more feature of the discriminator's last layer.

    o = mean over features of sqrt(Var over the group (f) + 1e-8), the same number for all of a group; the logit reads
    [f, o]. Put on a discriminator whose last layer is `head`. Real and fake samples come in batches of their own. With
    several processes a group is within each process's own batch.

    Paper: arXiv:1710.10196 section 3; groups as in its code. There the layer stands before the last convolution.

    Args:
        group: Number of samples that are compared; the largest number below it that divides the batch, where it does
            not.

    Raises:
        ValueError: the part has no linear `head`.
    """

    def __init__(self, group: PositiveInt = 4):
        self.group = group

    def attach(self, part: nn.Module) -> None:
        head = getattr(part, "head", None)
        if not isinstance(head, nn.Linear):
            raise ValueError("it has no linear `head` that reads the features")
        part.head = Spread(head, self.group)


class Spread(nn.Module):
    """A linear head over features and their spread in a group: ``B n -> B m``."""

    def __init__(self, head: nn.Linear, group: int):
        super().__init__()
        self.head, self.group = head, group
        self.read = nn.Linear(1, head.out_features, bias=False)
        nn.init.normal_(self.read.weight, 0.0, 0.02)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features) + self.read(self.spread(features))

    def spread(self, features: Tensor) -> Tensor:
        """o of each sample, ``B 1``."""
        return spread(features, self.group)


def spread(features: Tensor, group: int) -> Tensor:
    """How much features vary within groups of samples, the same number for all of a group: ``B n -> B 1``.

    Paper: arXiv:1710.10196 section 3.
    """
    size = next(n for n in range(min(group, len(features)), 0, -1) if len(features) % n == 0)
    groups = rearrange(features, "(group m) n -> group m n", group=size)
    deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean(1)
    return repeat(deviation, "m -> (group m) 1", group=size)


def with_spread(maps: Tensor, group: int) -> Tensor:
    """Maps with one more, which says how much they vary within groups of samples: ``B C H W -> B C+1 H W``.

    Paper: arXiv:1710.10196 section 3.
    """
    height, width = maps.shape[2:]
    return torch.cat([maps, repeat(spread(maps.flatten(1), group), "b 1 -> b 1 h w", h=height, w=width)], 1)


class Scaled(nn.Module):
    """A weight times a constant, as a parametrisation."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.factor


class EqualizedLearningRate:
    """Weights start from N(0, 1) and are scaled by gain / sqrt(fan_in) whenever they are used.

    So all have the same dynamic range, and Adam moves all at the same speed. Biases start from 0.

    Paper: arXiv:1710.10196 section 4.1 (He's constant, gain sqrt(2)).

    Args:
        gain: Factor on the standard deviation; sqrt(2) if not given.

    Raises:
        ValueError: the part has no layer to scale, or is reparametrised already.
    """

    def __init__(self, gain: PositiveFloat | None = None):
        self.gain = math.sqrt(2) if gain is None else gain

    @torch.no_grad()
    def attach(self, part: nn.Module) -> None:
        layers = [layer for layer in part.modules() if isinstance(layer, LAYERS)]
        if not layers:
            raise ValueError("it has no linear or convolution layer")
        for layer in layers:
            if parametrize.is_parametrized(layer, "weight"):
                raise ValueError("its weights are reparametrised already")
            if getattr(layer, "equalized", False):
                raise ValueError("its weights are scaled already")
            outputs = layer.out_channels if isinstance(layer, TRANSPOSED) else len(layer.weight)
            fan_in = layer.weight.numel() / outputs
            nn.init.normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            parametrize.register_parametrization(layer, "weight", Scaled(self.gain / math.sqrt(fan_in)))
