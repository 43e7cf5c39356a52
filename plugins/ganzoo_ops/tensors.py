"""Pure helpers on tensors."""

from __future__ import annotations

from typing import Any

import torch
from ganzoo_layers import one_hot
from torch import Tensor

from ganzoo.bounds import NonNegativeFloat, PositiveInt
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


class Accuracy:
    """How often logits say what they should; a scalar without gradient.

    ``accuracy(D(real), 1)`` is the share of logits above 0, ``accuracy(D(fake), 0)`` that of the others;
    ``accuracy(C(real), label)`` is the share of rows of ``B num_classes`` whose largest logit is that of the label.
    Source: the usual definition.

    Raises:
        ValueError: there is not one label for each row of logits.
    """

    def __call__(self, x: Tensor, label: Tensor | int) -> Tensor:
        if not isinstance(label, Tensor):
            return ((x > 0) == bool(label)).float().mean()
        if x.ndim == 1:
            x = x[:, None]
        if label.shape != x.shape[:1] or x.ndim != 2:
            raise ValueError(f"logits of shape {tuple(x.shape)} and labels of shape {tuple(label.shape)} do not match")
        found = x.argmax(1) if x.shape[1] > 1 else (x > 0).squeeze(1)
        return (found == label).float().mean()


class OneHot:
    """Labels as vectors: ``B -> B num_classes``. Source: torch.nn.functional.one_hot."""

    def __init__(self, num_classes: PositiveInt):
        self.num_classes = num_classes

    def __call__(self, label: Tensor) -> Tensor:
        return one_hot(label, self.num_classes)


class SoftMean:
    """A mean of losses in which large ones weigh more: sum of w_i L_i, w = softmax(sharpness * L).

    What a generator that faces several discriminators minimises: 0 is their mean, a large sharpness the hardest alone.

    Paper: arXiv:1611.01673 section 4.1.

    Args:
        sharpness: The paper's lambda.
    """

    def __init__(self, sharpness: NonNegativeFloat = 1.0):
        self.sharpness = sharpness

    def __call__(self, *losses: Tensor) -> Tensor:
        every = torch.stack([loss.float().mean() for loss in losses])
        return ((self.sharpness * every).softmax(0) * every).sum()
