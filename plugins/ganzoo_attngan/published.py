"""Weights of the authors' PyTorch code."""

from __future__ import annotations

from typing import Any

from torch import Tensor

WORDS = "words.weight"


def as_matrix(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """Words go through a convolution of 1x1 there, and through a matrix here.

    Source: taoxugit/AttnGAN, code/GlobalAttention.py.
    """
    return tensors | {WORDS: tensors[WORDS].flatten(1)}


def as_kernel(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back. Source: as above."""
    return tensors | {WORDS: tensors[WORDS][:, :, None, None]}
