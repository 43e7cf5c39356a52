"""What the content networks share: images in [0, 1], maps laid flat, weights as constants from a file of PyTorch's."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn


class Maps(NamedTuple):
    """What a content network returns: `features` ``B n``, the values of its feature maps, channel by channel."""

    features: Tensor


class ContentNetwork(nn.Module):
    """A network of fixed weights by whose feature maps images are compared. Source: ganzoo's own.

    Always in evaluation mode; gradients reach the images; `sha256` is the hash of its weights' file.

    Args:
        in_range: The values of black and white in the images.
        smallest: The smallest side that leaves a feature map.

    Raises:
        ValueError: `in_range` is not known.
    """

    sha256 = ""

    def __init__(self, in_range: tuple[float, float] | None, smallest: int):
        super().__init__()
        if in_range is None:
            raise ValueError("in_range is not known; write the values of black and white, such as [-1, 1]")
        self.low, self.high = in_range
        self.smallest = smallest

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever is asked."""
        return super().train(False)

    def unit(self, x: Tensor) -> Tensor:
        """Colour images in [0, 1].

        Raises:
            ValueError: they are no colour images, or too small.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < self.smallest:
            given = "x".join(map(str, x.shape[1:])) or "numbers"
            raise ValueError(f"it takes colour images, 3 channels and {self.smallest} pixels or more, not {given}")
        return (x - self.low) / (self.high - self.low)


def hash_of(path: Path) -> str:
    """The sha256 of a file, computed once while it stays the same. Source: FIPS 180-4.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        facts = path.stat()
        return _hash_of(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise ValueError(f"the weights {path} cannot be read: {error}") from error


@lru_cache
def _hash_of(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a file in PyTorch's format; nothing else that it may hold is run. Source: ``torch.load``.

    Raises:
        ValueError: it is no such file.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path} is no file of weights: {error}") from error


def fixed(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load weights and make them constants: neither trained, nor stored in checkpoints. Source: ganzoo's own.

    Raises:
        ValueError: the weights are not this network's, or not finite.
    """
    if state:
        try:
            network.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"these weights do not fit the network: {error}") from error
        if not all(math.isfinite(tensor.sum()) for tensor in state.values()):
            raise ValueError("these weights are not finite")
    for module in network.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
