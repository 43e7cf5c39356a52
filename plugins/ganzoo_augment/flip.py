"""Mirror images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.bounds import Fraction
from ganzoo.parallel import draw


class Flip:
    """Left and right exchanged in some of the images: ``B C H W -> B C H W``. Put on a part it acts while training.

    Source: Krizhevsky et al. 2012, section 4.1.

    Args:
        probability: Probability with which each image is mirrored.
    """

    def __init__(self, probability: Fraction = 0.5):
        self.probability = probability

    def __call__(self, x: Tensor) -> Tensor:
        mirrored = draw.uniform(len(x), 1, 1, 1, device=x.device) < self.probability
        return torch.where(mirrored, x.flip(3), x)

    def attach(self, part: nn.Module) -> None:
        def before(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            return (self(inputs[0]), *inputs[1:]) if module.training else None

        part.register_forward_pre_hook(before)
