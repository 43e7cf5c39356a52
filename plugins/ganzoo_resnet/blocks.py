"""What the residual generator and discriminator share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from ganzoo_layers import initialise as initialise_by
from torch import nn

Start = Literal["sngan", "normal", "xavier", "orthogonal", "torch"]


def widths(width: int | list[int], count: int) -> list[int]:
    """One width for every block, or the list as it is.

    Raises:
        ValueError: the list has another length.
    """
    if isinstance(width, int):
        return [width] * count
    if len(width) != count:
        raise ValueError(f"width lists {len(width)} numbers, but {count} are needed for this image size")
    return list(width)


def upsampled(mode: str = "nearest") -> nn.Module:
    return nn.Upsample(scale_factor=2, mode=mode)


def attended(side: int, sides: Sequence[int]) -> int:
    """The place of the first map of a side.

    Raises:
        ValueError: there is none.
    """
    if side not in sides:
        known = ", ".join(map(str, dict.fromkeys(sides)))
        raise ValueError(f"attention is {side}, but maps have sides of {known}")
    return list(sides).index(side)


def start(module: nn.Module, scheme: Start, scale: float) -> None:
    """Start the weights of a network: as SNGAN does, or by one scheme for all."""
    if scheme == "sngan":
        initialise(module)
    else:
        initialise_by(module, scheme, scale)


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Glorot uniform, gain sqrt(2) for the 3x3 convolutions of blocks, 1 for shortcuts and both ends; biases 0."""
    ends = {layer for name, layer in module.named_modules() if name.startswith("head")}
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            main = isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) and layer not in ends
            nn.init.xavier_uniform_(layer.weight, math.sqrt(2) if main else 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
