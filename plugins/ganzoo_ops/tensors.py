"""Pure helpers on tensors."""

from __future__ import annotations

from typing import Any

import torch
from ganzoo_layers import one_hot
from torch import Tensor

from ganzoo.contract import map_tensors


class Stop:
    """A value without its gradient, inside one player: ``stop(x)``. Source: torch.Tensor.detach."""

    def __call__(self, x: Any) -> Any:
        return map_tensors(torch.Tensor.detach, x)


class Join:
    """Vectors or images side by side: ``B n_1 …, B n_2 … -> B (n_1 + n_2) …``. Source: torch.cat along dimension 1."""

    def __call__(self, *x: Tensor) -> Tensor:
        return torch.cat(x, 1)


class Sigmoid:
    """Logits as probabilities: 1 / (1 + exp(-x)). Source: torch.sigmoid."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.sigmoid()


class OneHot:
    """Labels as vectors: ``B -> B num_classes``. Source: torch.nn.functional.one_hot."""

    def __init__(self, num_classes: int):
        self.num_classes = num_classes

    def __call__(self, label: Tensor) -> Tensor:
        return one_hot(label, self.num_classes)
