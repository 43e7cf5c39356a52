"""When which resolution comes in: the phases, the level that training has reached, and images of that level."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ganzoo.bounds import PositiveInt

Batch = PositiveInt | dict[str, PositiveInt]


def _ladder(
    resolutions: list[PositiveInt], images: PositiveInt, batch: Batch, last: PositiveInt | None
) -> list[tuple[str, int, int]]:
    """Name, steps and batch of every phase.

    Raises:
        ValueError: a resolution is not twice the one before it, or has no batch size.
    """
    for small, large in itertools.pairwise(resolutions):
        if large != 2 * small:
            raise ValueError(f"resolutions go from {small} to {large}, but each should be twice the one before")
    found = []
    for place, side in enumerate(resolutions):
        size = batch if isinstance(batch, int) else batch.get(str(side))
        if size is None:
            raise ValueError(f"batch has no size for resolution {side}")
        if place:
            found.append((f"fade_{side}", max(images // size, 1), size))
        count = last if last is not None and side == resolutions[-1] else images
        found.append((f"train_{side}", max(count // size, 1), size))
    return found


def progressive(
    resolutions: list[PositiveInt],
    images: PositiveInt = 600_000,
    batch: Batch = 16,
    last: PositiveInt | None = None,
    players: list[str] | None = None,
) -> Mapping[str, Any]:
    """A phase for every resolution, and before each but the first one in which it fades in.

    Paper: arXiv:1710.10196 section 2 and appendix A.

    Args:
        resolutions: Sides of the images, each twice the one before.
        images: Number of real images that D sees in each phase.
        batch: The batch size, or a mapping from resolutions to batch sizes.
        last: Number of images in the last phase; `images` if not given.
        players: Who plays, in this order; D and G if not given.

    Raises:
        ValueError: a resolution is not twice the one before it, or has no batch size.
    """
    return {
        name: {"steps": steps, "players": {player: {"batch": size} for player in players or ["D", "G"]}}
        for name, steps, size in _ladder(resolutions, images, batch, last)
    }


class Grow:
    """The level that training has reached: 0 at the first resolution, 1.5 half way from the second to the third.

    Takes what `phases.progressive` takes, so that both agree: ``grow(step)``.

    Paper: arXiv:1710.10196 section 2 and appendix A.

    Args:
        resolutions: Sides of the images, each twice the one before.
        images: Number of real images that D sees in each phase.
        batch: The batch size, or a mapping from resolutions to batch sizes.

    Raises:
        ValueError: a resolution is not twice the one before it, or has no batch size.
    """

    def __init__(self, resolutions: list[PositiveInt], images: PositiveInt = 600_000, batch: Batch = 16):
        self.phases = _ladder(resolutions, images, batch, None)[:-1]  # the last level stays
        self.top = len(resolutions) - 1

    def __call__(self, step: int) -> float:
        level = 0.0
        for name, steps, _ in self.phases:
            if step < steps:
                return level + step / steps if name.startswith("fade") else level
            step -= steps
            level += name.startswith("fade")
        return float(self.top)


class Fade:
    """Images with the detail of a level, at their own size: ``B C H W -> B C H W``.

    Between two levels, (1 - t) coarse + t fine. Coarse images are means of squares of pixels, repeated.

    Paper: arXiv:1710.10196 appendix A, as its code treats real images.

    Args:
        base: The side at level 0.

    Raises:
        ValueError: (when called) the size is not the base doubled.
    """

    def __init__(self, base: PositiveInt = 4):
        self.base = base

    def __call__(self, x: Tensor, level: float | None = None) -> Tensor:
        """All detail where no level is given."""
        if level is None:
            return x
        least = min(x.shape[2:])
        top = round(math.log2(least / self.base)) if least >= self.base else -1
        if top < 0 or least != self.base * 2**top or any(side % 2**top for side in x.shape[2:]):
            raise ValueError(f"images of {x.shape[2]}x{x.shape[3]} are no map of side {self.base} doubled")
        coarse, part = math.floor(level), level % 1
        seen = _blocks(x, 2 ** max(top - coarse, 0))
        return seen if part == 0 else torch.lerp(seen, _blocks(x, 2 ** max(top - coarse - 1, 0)), part)


def _blocks(x: Tensor, factor: int) -> Tensor:
    return x if factor == 1 else interpolate(avg_pool2d(x, factor), scale_factor=factor, mode="nearest")


class Drift:
    """The mean square of D's scores of real samples, held near 0 by it: E[x^2]. Paper: arXiv:1710.10196 app. A."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.square().mean()
