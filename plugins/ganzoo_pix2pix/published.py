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


def condition_last(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """The way back of :func:`condition`. Source: as above."""
    first, cut = tensors["body.0.weight"], tensors["body.0.weight"].shape[1] - part.cond_channels
    tensors["body.0.weight"] = torch.cat([first[:, cut:], first[:, :cut]], 1)
    return tensors


def nested(part: Any) -> list[str]:
    """The names of a U-Net's tensors in a file: each level lies inside the one before. Source: as above."""
    found, start, last = [], "model.model", part.downs - 1
    for level in range(part.downs):
        down, inside, up = (0, 1, 3) if level == 0 else (1, 2, 3) if level == last else (1, 3, 5)
        for place in (down, *([down + 1] if 0 < level < last else []), up, *([up + 1] if level else [])):
            tensors = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            found += [f"{start}.{place}.{tensor}" for tensor in tensors]
        start += f".{inside}.model"
    return found


def plain(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Without the running statistics of instance norms, which are not used. Source: as above."""

    def kept(name: str) -> bool:
        return not isinstance(part.get_submodule(name.rpartition(".")[0]), nn.InstanceNorm2d)

    return {name: value for name, value in tensors.items() if kept(name)}
