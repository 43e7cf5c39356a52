"""Weights of the authors' PyTorch code."""

from __future__ import annotations

import re

from torch import Tensor, nn


def convert(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Layers behind dropout moved up by one; running statistics of instance norms, which are not used, left out.

    Source: junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py.
    """
    dropped = any(re.fullmatch(r".*\.main\.6\.weight", name) and value.dim() == 4 for name, value in tensors.items())
    found = {}
    for name, value in tensors.items():
        late = re.fullmatch(r"(.*\.main)\.([67])\.(.+)", name)
        if late and dropped:
            name = f"{late[1]}.{int(late[2]) - 1}.{late[3]}"
        if not isinstance(part.get_submodule(name.rpartition(".")[0]), nn.InstanceNorm2d):
            found[name] = value
    return found
