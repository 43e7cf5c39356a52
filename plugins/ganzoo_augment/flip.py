"""Mirror images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.bounds import Fraction
from ganzoo.parallel import draw


class Flip(nn.Module):
    """Left and right exchanged in some of the images while they are trained on: ``B C … W -> B C … W``.

    Left and right are the last axis, also of voxels. Called in the flow, ``x: flip(real)``, it does nothing when a
    model is evaluated; put on a part, when that part is.

    Source: Krizhevsky et al. 2012, section 4.1.

    Args:
        probability: Probability with which each image is mirrored.

    Raises:
        ValueError: what comes is no image.
    """

    def __init__(self, probability: Fraction = 0.5):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 4:
            raise ValueError(f"it is for images, B C H W, not for {'x'.join(map(str, x.shape))}")
        if not self.training:
            return x
        mirrored = draw.uniform(len(x), *[1] * (x.ndim - 1), device=x.device) < self.probability
        return torch.where(mirrored, x.flip(-1), x)

    def attach(self, part: nn.Module) -> None:
        def before(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            return (self(inputs[0]), *inputs[1:]) if module.training else None

        part.register_forward_pre_hook(before)
