"""Weights of Lornatang's PyTorch code."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def ranged(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The last convolution gives (0, 1) there; here the range of the data, low + (high - low) y.

    Source: Lornatang/SRGAN-PyTorch, model.py.

    Raises:
        ValueError: the part adds its output to an enlarged input.
    """
    if part.base != "none":
        raise ValueError("the part has `base: bicubic`, which it does not; write `base: none`")
    low, high = part.range
    last = f"tail.{len(part.tail) - 1}"
    tensors[f"{last}.weight"] = tensors[f"{last}.weight"] * (high - low)
    tensors[f"{last}.bias"] = tensors[f"{last}.bias"] * (high - low) + low
    return tensors


def unit(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back: y = (output - low) / (high - low). Source: as above.

    Raises:
        ValueError: the part adds its output to an enlarged input.
    """
    if part.base != "none":
        raise ValueError("the part has `base: bicubic`, which it does not")
    low, high = part.range
    last = f"tail.{len(part.tail) - 1}"
    tensors[f"{last}.weight"] = tensors[f"{last}.weight"] / (high - low)
    tensors[f"{last}.bias"] = (tensors[f"{last}.bias"] - low) / (high - low)
    return tensors


def last(part: Any) -> list[str]:
    """The last convolution has a name of its own, and does not count among the doublings. Source: as above."""
    return ["conv3.weight", "conv3.bias"]


def hidden(part: Any) -> list[str]:
    """The hidden layer of the discriminator does not count among its features. Source: as above."""
    return ["classifier.0.weight", "classifier.0.bias"]
