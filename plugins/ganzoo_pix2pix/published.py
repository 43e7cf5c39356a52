"""Weights of the authors' PyTorch code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def skips(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """What a decoder's layer reads from the skip stands first there, last here.

    Source: junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py.
    """
    for level in range(1, part.downs):
        name = f"decoder.{level}.1.weight"
        tensors[name] = torch.cat(tensors[name].chunk(2)[::-1])
    return plain(tensors, part)


def condition(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The image to condition on is the first of the input there, the last here.

    Source: junyanz/pytorch-CycleGAN-and-pix2pix, models/pix2pix_model.py.
    """
    first = tensors["body.0.weight"]
    tensors["body.0.weight"] = torch.cat([first[:, part.cond_channels :], first[:, : part.cond_channels]], 1)
    return plain(tensors, part)


def plain(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Without the running statistics of instance norms, which are not used. Source: as above."""

    def kept(name: str) -> bool:
        return not isinstance(part.get_submodule(name.rpartition(".")[0]), nn.InstanceNorm2d)

    return {name: value for name, value in tensors.items() if kept(name)}
