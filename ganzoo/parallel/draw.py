"""Random draws of priors, penalties and augmentations, the same for any number of processes.

A draw is seeded by (seed, step, player, turn, part, how many draws that part made in this turn), made for the global
batch, and sliced: a process takes its own rows. So nothing of it needs saving, and a run with two processes sees the
noise of a run with one. Outside a training turn the functions draw from torch's global generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def seed_of(*key: Any) -> int:
    """A 63-bit seed from anything printable."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Draws:
    """The draws of one turn. `share` is this process's (index, count) of equal slices of the global batch.

    At least `least` rows are drawn, so that the first few of a batch do not depend on how many are asked for.
    """

    __slots__ = ("_count", "_generator", "device", "key", "least", "part", "share")

    def __init__(self, key: tuple[Any, ...], device: torch.device, share: tuple[int, int] = (0, 1), least: int = 0):
        self.key = key
        self.least = least
        self.device = device
        self.share = share
        self.part = ""
        self._count: dict[str, int] = {}
        self._generator = None if device.type == "meta" else torch.Generator(device)

    def generator(self) -> torch.Generator | None:
        """The generator of the next draw of the part that is being computed."""
        count = self._count[self.part] = self._count.get(self.part, -1) + 1
        if self._generator is not None:
            self._generator.manual_seed(seed_of(*self.key, self.part, count))
        return self._generator

    def sliced(self, make: Any, n: int, shape: tuple[int, ...]) -> torch.Tensor:
        index, count = self.share
        total = max(n * count, self.least)
        drawn = make((total, *shape), generator=self.generator(), device=self.device)
        return drawn if total == n else drawn[index * n : (index + 1) * n]


_current: Draws | None = None


@contextmanager
def using(draws: Draws | None) -> Iterator[None]:
    """Draw from `draws` inside the block."""
    global _current
    before, _current = _current, draws
    try:
        yield
    finally:
        _current = before


def _draw(make: Any, n: int, shape: tuple[int, ...], device: torch.device | str | None) -> torch.Tensor:
    if _current is None:
        return make((n, *shape), device=device)
    return _current.sliced(make, n, shape)


def normal(n: int, *shape: int, device: torch.device | str | None = None) -> torch.Tensor:
    """N(0, 1), ``n, *shape``; `n` is this process's part of the batch."""
    return _draw(torch.randn, n, shape, device)


def uniform(
    n: int, *shape: int, low: float = 0.0, high: float = 1.0, device: torch.device | str | None = None
) -> torch.Tensor:
    """U(low, high), ``n, *shape``."""
    return low + (high - low) * _draw(torch.rand, n, shape, device)


def integers(n: int, *shape: int, high: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Uniform integers in [0, high), int64, ``n, *shape``."""
    return (_draw(_shares, n, shape, device) * high).long().clamp_(max=high - 1)


def _shares(*args: Any, **how: Any) -> torch.Tensor:
    """Numbers of which :func:`integers` are made: no value lies between two of those."""
    return torch.rand(*args, **how)


def on_sphere(first: torch.Tensor, last: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Normal numbers on the way from one draw to another, cos(t) first + sin(t) last, t = pi/2 share: normal too.

    Paper: arXiv:1609.04468 (along the sphere).
    """
    angle = share * (torch.pi / 2)
    return first * angle.cos() + last * angle.sin()
