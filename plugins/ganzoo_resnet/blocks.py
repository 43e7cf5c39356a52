"""What the residual generator and discriminator share."""

from __future__ import annotations

import math

import torch
from torch import nn


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


def upsampled() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="nearest")


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
