"""How well generated points cover a known distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ganzoo.contract import Measured

SURE = 14  # samples expected near a mode, or in a sector, from which on none there is no chance: exp(-14) < 1e-6


class Modes:
    """How many modes of a mixture are hit, and how many samples lie near one: ``B 2 -> {hit, high_quality}``.

    A sample is near a mode within `within` standard deviations; a mode is hit if at least one sample is near it. The
    verdict is given where modes are missed, of 14 samples a mode or more: chance misses one with less than 1e-6.

    Source: the convention of VEEGAN and PacGAN, arXiv:1712.04086 section 4.1.

    Args:
        data: The mixture, which knows its `centers` and `std`.
        within: Distance from a mode, in standard deviations, that counts as near it.

    Raises:
        ValueError: the data is no mixture.
    """

    better = "higher"

    def __init__(self, data: Any, within: float = 3.0):
        if not hasattr(data, "centers"):
            raise ValueError("the data has no modes to count")
        self.centers = torch.as_tensor(data.centers, dtype=torch.float32)
        self.within, self.radius = within, within * data.std

    def __call__(self, fake: Tensor) -> Measured:
        distance, nearest = torch.cdist(fake.cpu().float(), self.centers).min(1)
        near = distance <= self.radius
        hit, modes = nearest[near].unique().numel(), len(self.centers)
        missed = hit < modes and len(fake) >= SURE * modes
        verdict = f"collapsed: {hit} of {modes} modes are hit" if missed else ""
        values = {"hit": float(hit), "high_quality": near.float().mean().item()}
        return Measured(values, {"modes": modes, "within": self.within}, verdict)


class CircleFit:
    """How well points lie on a circle around the origin: ``B 2 -> {radius, radius_std, sectors}``.

    `radius` is the mean distance from the origin and `radius_std` its standard deviation, both relative to the
    circle's own radius; `sectors` counts the equal sectors that hold a point. The verdict is given where some hold
    none, of 14 samples a sector or more: chance leaves one empty with less than 1e-6.

    Source: the acceptance figures of the circle tutorial.

    Args:
        data: The circle, which knows its `radius`.
        sectors: How many.

    Raises:
        ValueError: the data is no circle.
    """

    better: ClassVar = {"sectors": "higher"}

    def __init__(self, data: Any, sectors: int = 36):
        if not hasattr(data, "radius"):
            raise ValueError("the data is no circle")
        self.radius, self.sectors = data.radius, sectors

    def __call__(self, fake: Tensor) -> Measured:
        fake = fake.cpu().float()
        distance = fake.norm(dim=1) / self.radius
        turn = torch.atan2(fake[:, 1], fake[:, 0]) / (2 * torch.pi) % 1.0
        hit = (turn * self.sectors).long().clamp(max=self.sectors - 1).unique().numel()
        missed = hit < self.sectors and len(fake) >= SURE * self.sectors
        verdict = f"collapsed: {hit} of {self.sectors} sectors hold a sample" if missed else ""
        values = {"radius": distance.mean().item(), "radius_std": distance.std().item(), "sectors": float(hit)}
        return Measured(values, {"of_sectors": self.sectors}, verdict)
