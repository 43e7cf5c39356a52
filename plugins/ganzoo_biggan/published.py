"""Weights of the authors' PyTorch code."""

from __future__ import annotations

import re

from ganzoo_resnet.published import vectors
from torch import Tensor, nn

STATISTICS = {"stored_mean": "running_mean", "stored_var": "running_var"}


def convert(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Statistics of norms under PyTorch's names, those of conditional norms one deeper, singular values left out.

    Source: ajbrock/BigGAN-PyTorch, layers.py.
    """
    found = {}
    for name, value in vectors(tensors, part).items():
        if re.search(r"\.sv\d$|accumulation_counter$", name):
            continue
        for theirs, ours in STATISTICS.items():
            inner = "" if name.startswith("head.") else "norm."
            name = re.sub(rf"(bn\.)?{theirs}$", inner + ours, name)
        name = re.sub(r"\.bn\.(running_\w+)$", r".norm.\1", name)
        name = re.sub(r"^head\.0\.(gain|bias)$", lambda m: "head.0." + {"gain": "weight", "bias": "bias"}[m[1]], name)
        found[name] = value
    return found
