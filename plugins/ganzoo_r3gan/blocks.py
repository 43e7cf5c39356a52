"""What R3GAN's generator and discriminator are made of."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

SLOPE = 0.2
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


@torch.no_grad()
def started(layer: Layer, gain: float = 1.0) -> Layer:
    """A layer whose weights start from N(0, gain^2 / fan_in), its bias from 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    """``x -> x + conv1x1(act(grouped 3x3(act(conv1x1(x)))))``, the last from 0, so that a block starts as the identity.

    Weights start smaller the more blocks the network has: gain sqrt(2 / (1 + 0.2^2)) * blocks^(-1/4).

    Paper: arXiv:2501.05441 section 3.3, after arXiv:1901.09321 (fix-up initialisation for blocks of three layers).

    Raises:
        ValueError: the inner channels are no multiple of a group.
    """

    def __init__(self, channels: int, expansion: int, group: int, blocks: int):
        super().__init__()
        inner = channels * expansion
        group = min(group, inner)
        if inner % group:
            raise ValueError(f"{inner} channels inside a block are no multiple of `group`, {group}")
        gain = math.sqrt(2 / (1 + SLOPE**2)) * blocks ** (-1 / 4)
        self.main = nn.Sequential(
            started(nn.Conv2d(channels, inner, 1), gain),
            nn.LeakyReLU(SLOPE),
            started(nn.Conv2d(inner, inner, 3, 1, 1, groups=inner // group), gain),
            nn.LeakyReLU(SLOPE),
            started(nn.Conv2d(inner, channels, 1, bias=False), 0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)


class Resample(nn.Module):
    """Twice or half the size by the filter [1, 3, 3, 1] / 8 in each direction, black beyond the edge.

    Paper: arXiv:2501.05441 section 3.2 (bilinear resampling), as its code has it.
    """

    kernel: Tensor

    def __init__(self, up: bool):
        super().__init__()
        self.up = up
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if up else 8)
        self.register_buffer("kernel", (line[:, None] * line)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        resize = conv_transpose2d if self.up else conv2d
        planes = rearrange(x, "b c h w -> (b c) 1 h w")
        return rearrange(
            resize(planes, self.kernel.to(x.dtype), stride=2, padding=1), "(b c) 1 h w -> b c h w", b=len(x)
        )


def to_width(inputs: int, outputs: int) -> list[nn.Module]:
    """A 1x1 convolution without bias, where the number of channels changes."""
    return [] if inputs == outputs else [started(nn.Conv2d(inputs, outputs, 1, bias=False))]
