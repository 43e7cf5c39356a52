"""One level of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import einsum
from torch import Tensor

from ganzoo.bounds import PositiveInt as Side

STEP = 2.0**-16  # of the grid on which sums and differences of images are exact


class Level(NamedTuple):
    """What an image is made of: ``residual`` and ``coarse`` of its own size, and ``small``, which `coarse` enlarges."""

    residual: Tensor
    coarse: Tensor
    small: Tensor


class Laplacian:
    """An image as a smaller one and what enlarging that leaves out: ``B C H W -> Level``.

    small = down(x),  coarse = up(small),  residual = x - coarse

    ``level(x).small`` is the image of the next level. ``level.up(small)`` enlarges any image to the size of this level,
    and ``level.restore(small, residual)`` is up(small) + residual, which gives back `x` to the last bit: all three are
    rounded to multiples of 2^-16, whose sums and differences are exact up to 128. Gradients pass the rounding.

    Shrinking takes the mean of the area of each pixel; enlarging goes in straight lines between pixels, the outer ones
    staying at the edge, as the authors' code scales images.

    Paper: arXiv:1506.05751 section 2.2, eq. 3.

    Args:
        small: Height and width of the smaller image.
        large: Height and width of this level.

    Raises:
        ValueError: the first is not the smaller one, or (when called) images have another size.
    """

    def __init__(self, small: Side | tuple[Side, Side], large: Side | tuple[Side, Side]):
        self.small, self.large = _sides(small), _sides(large)
        if not all(a < b for a, b in zip(self.small, self.large, strict=True)):
            raise ValueError(f"small is {_words(self.small)}, but should be below large, {_words(self.large)}")

    def __call__(self, x: Tensor) -> Level:
        _of_size(x, self.large)
        x = rounded(x)
        small = rounded(resize(x, self.small))
        coarse = self.up(small)
        return Level(x - coarse, coarse, small)

    def up(self, x: Tensor) -> Tensor:
        """An image of the smaller size, enlarged: ``B C h w -> B C H W``."""
        _of_size(x, self.small)
        return rounded(resize(x, self.large))

    def restore(self, x: Tensor, residual: Tensor) -> Tensor:
        """An image of the smaller size, enlarged, and what it lacks: ``B C h w, B C H W -> B C H W``."""
        return self.up(x) + rounded(residual)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images of another size, by area where a side shrinks and linear where it grows: ``B C H W -> B C h w``."""
    rows, columns = (weights(side, to, x.device).to(x.dtype) for side, to in zip(x.shape[2:], size, strict=True))
    return einsum(rows, x, columns, "h rows, b c rows columns, w columns -> b c h w")


def weights(side: int, to: int, device: torch.device | None = None) -> Tensor:
    """How much of each of `side` pixels is in each of `to`: ``to side``, each row adding up to 1."""
    pixel = torch.arange(side, device=device)
    if to < side:  # each new pixel covers side / to old ones
        edge = torch.arange(to + 1, device=device) * (side / to)
        covered = torch.minimum(edge[1:, None], pixel + 1) - torch.maximum(edge[:-1, None], pixel)
        return covered.clamp(min=0) * (to / side)
    place = torch.arange(to, device=device) * ((side - 1) / max(to - 1, 1))
    return (1 - (place[:, None] - pixel).abs()).clamp(min=0)


def rounded(x: Tensor) -> Tensor:
    """The nearest multiples of 2^-16, with the gradient of the identity."""
    x = x.float()
    return x + ((x / STEP).round() * STEP - x).detach()


def _of_size(x: Tensor, size: tuple[int, int]) -> None:
    if x.ndim != 4 or tuple(x.shape[2:]) != size:
        raise ValueError(f"it takes images of {_words(size)}, and is given a batch of {_words(x.shape)}")


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _words(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
