"""Weights of the authors' PyTorch code."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def rectified(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """As they are, for a part that has the code's ReLU. Source: hanzhanggit/StackGAN-Pytorch, code/model.py.

    Raises:
        ValueError: it has none.
    """
    if not isinstance(part.linear[1], nn.ReLU):
        raise ValueError("the authors' code has a ReLU behind this layer; write `activation: relu`")
    return tensors


def image(part: Any) -> list[str]:
    """The last convolution has a name of its own, and does not count among the doublings. Source: as above."""
    return ["img.0.weight"]
