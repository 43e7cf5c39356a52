"""How well generated points cover a known distribution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Modes:
    """How many modes of a mixture are hit, and how many samples lie near one: ``B 2 -> {hit, high_quality}``.

    A sample is near a mode within `within` standard deviations; a mode is hit if at least one sample is near it.

    Source: the convention of VEEGAN and PacGAN, arXiv:1712.04086 section 4.1.

    Args:
        data: The mixture, which knows its `centers` and `std`.
        within: In standard deviations.

    Raises:
        ValueError: the data is no mixture.
    """

    def __init__(self, data: Any, within: float = 3.0):
        if not hasattr(data, "centers"):
            raise ValueError("the data has no modes to count")
        self.centers = torch.as_tensor(data.centers, dtype=torch.float32)
        self.radius = within * data.std

    def __call__(self, fake: Tensor) -> dict[str, float]:
        distance, nearest = torch.cdist(fake.cpu().float(), self.centers).min(1)
        near = distance <= self.radius
        return {"hit": float(nearest[near].unique().numel()), "high_quality": near.float().mean().item()}


class CircleFit:
    """How well points lie on a circle around the origin: ``B 2 -> {radius, radius_std, sectors}``.

    `radius` is the mean distance from the origin and `radius_std` its standard deviation, both relative to the
    circle's own radius; `sectors` counts the equal sectors that hold a point.

    Source: the acceptance figures of the circle tutorial.

    Args:
        data: The circle, which knows its `radius`.
        sectors: How many.

    Raises:
        ValueError: the data is no circle.
    """

    def __init__(self, data: Any, sectors: int = 36):
        if not hasattr(data, "radius"):
            raise ValueError("the data is no circle")
        self.radius, self.sectors = data.radius, sectors

    def __call__(self, fake: Tensor) -> dict[str, float]:
        fake = fake.cpu().float()
        distance = fake.norm(dim=1) / self.radius
        turn = torch.atan2(fake[:, 1], fake[:, 0]) / (2 * torch.pi) % 1.0
        hit = (turn * self.sectors).long().clamp(max=self.sectors - 1).unique().numel()
        return {"radius": distance.mean().item(), "radius_std": distance.std().item(), "sectors": float(hit)}
