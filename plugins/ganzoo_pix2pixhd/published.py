"""Weights of the authors' PyTorch code."""

from __future__ import annotations

import re
from typing import Any

from ganzoo_pix2pix.published import plain
from torch import Tensor, nn


def untracked(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Without the running statistics of instance norms, which are not used.

    Source: NVIDIA/pix2pixHD, models/networks.py.
    """
    return plain(tensors, part)


def headless(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """A global generator inside a local enhancer has no last layer there: it stays as the part has it.

    Source: as above.
    """
    return untracked(tensors | {f"tail.{n}": value.detach() for n, value in part.tail.state_dict().items()}, part)


def final(part: Any) -> list[str]:
    """The last convolution counts on from the layers before it. Source: as above."""
    return [f"model.{len(part.body) + 1}.{tensor}" for tensor in ("weight", "bias")]


def one_scale(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Refuses a file of several scales of which none is chosen. Source: as above.

    Raises:
        ValueError: always.
    """
    scales = sorted({found[1] for name in tensors if (found := re.match(r"(scale\d)_", name))})
    raise ValueError(f"it holds several scales; write FILE:KEY with {' or '.join(scales)}, the last for full size")
