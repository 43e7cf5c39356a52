"""Weights of mimicry and of BigGAN-PyTorch."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, nn


def bilinear(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """As they are, for a part that upsamples as its trainer did. Source: kwotsin/mimicry, modules/resblocks.py.

    Raises:
        ValueError: it upsamples otherwise.
    """
    if any(isinstance(layer, nn.Upsample) and layer.mode != "bilinear" for layer in part.modules()):
        raise ValueError("it was trained with bilinear upsampling; write `upsample: bilinear`")
    return tensors


def rectified(tensors: dict[str, Tensor], part: Any) -> dict[str, Tensor]:
    """Singular vectors renamed, for a part whose shortcuts see what its trainer's did. Source: as above.

    Raises:
        ValueError: they see something else.
    """
    if not all(getattr(layer, "rectified", True) for layer in part.body):
        raise ValueError("its ReLU changed what shortcuts see; write `rectified: true`")
    return vectors(tensors, part)


def vectors(tensors: dict[str, Tensor], part: nn.Module) -> dict[str, Tensor]:
    """Singular vectors under the name that PyTorch gives them: ``sn_u`` and ``u0`` are ``weight_u``.

    Source: kwotsin/mimicry, modules/spectral_norm.py; ajbrock/BigGAN-PyTorch, layers.py.
    """
    return {re.sub(r"(?<=\.)(sn_u|u0)$", "weight_u", name): value for name, value in tensors.items()}


def mimicry(part: Any) -> list[str]:
    """A generator's last layers count on from its blocks. Source: kwotsin/mimicry, nets/sngan."""
    number = len(part.blocks) + 2
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [*(f"b{number}.{tensor}" for tensor in norm), f"c{number}.weight", f"c{number}.bias"]


def mimicry_discriminator(part: Any) -> list[str]:
    """A discriminator's last layer counts on from its blocks. Source: as above."""
    number = 1 + sum(hasattr(layer, "main") for layer in part.body)
    return [f"l{number}.weight", f"l{number}.bias"]
