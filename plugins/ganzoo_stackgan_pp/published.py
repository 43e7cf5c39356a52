"""Weights of the authors' PyTorch code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

JOINT = "joint.0.weight"


def image_first(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The caption is the first of what is joined there, the last here.

    Source: hanzhanggit/StackGAN-v2, code/model.py.
    """
    return turned(tensors, tensors[JOINT].shape[1] - tensors[JOINT].shape[0])


def caption_first(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back. Source: as above."""
    return turned(tensors, tensors[JOINT].shape[0])


def turned(tensors: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """With the first `count` inputs of the joint layer behind the others. Source: ganzoo's own."""
    weight = tensors[JOINT]
    return tensors | {JOINT: torch.cat([weight[:, count:], weight[:, :count]], 1)}


def seen(part: Any) -> list[str]:
    """Names of what sees the image, whose parts have names by how much smaller the image is. Source: as above."""
    halvings = sum(getattr(layer, "stride", None) == (2, 2) for layer in part.see)
    names = {"16": 11, "32": 3} if halvings == 5 else {"16": 11, "32": 3, "64": 3, "64_1": 3, "64_2": 3}
    names |= {"32_1": 3} if halvings == 5 else {}
    tensors = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [
        f"img_code_s{name}.{i}.{tensor}" for name, count in names.items() for i in range(count) for tensor in tensors
    ]
