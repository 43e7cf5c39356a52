"""Two mixtures of points, and which modes of one become which of the other."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ganzoo.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from ganzoo.contract import Measured
from ganzoo.data.arrays import Arrays, label_field
from ganzoo.data.fields import Field


class Mixtures(Arrays):
    """Points of two mixtures without pairs: `real_a` with its mode `label_a`, and `real_b`, ``2`` each.

    The modes of `real_a` are normal distributions evenly spaced on a line through the origin, those of `real_b` on a
    circle around it.

    Paper: arXiv:1703.05192 section 3.3, five modes, and ten on a circle; it does not say where the five are.

    Args:
        points: How many of each.
        modes_a: How many distributions `real_a` is of.
        modes_b: How many `real_b` is of.
        radius: Radius of the circle, and half the length of the line.
        std_a: Standard deviation of each mode of `real_a`.
        std: Standard deviation of each mode of `real_b`.
        seed: Seed of the drawing.
    """

    def __init__(
        self,
        points: PositiveInt = 50_000,
        modes_a: PositiveInt = 5,
        modes_b: PositiveInt = 10,
        radius: PositiveFloat = 2.0,
        std_a: NonNegativeFloat = 0.2,
        std: NonNegativeFloat = 0.05,
        seed: int = 0,
    ):
        self.points, self.modes_a, self.seed = points, modes_a, seed
        self.sources, self.std_a = np.stack([np.linspace(-radius, radius, modes_a), np.zeros(modes_a)], 1), std_a
        angle = 2 * math.pi * np.arange(modes_b) / modes_b
        self.centers, self.std = radius * np.stack([np.cos(angle), np.sin(angle)], 1), std

    @property
    def fields(self) -> Mapping[str, Field]:
        label = label_field(np.arange(self.modes_a), tuple(map(str, range(self.modes_a))))
        return {"real_a": Field("vector", (2,)), "real_b": Field("vector", (2,)), "label_a": label}

    def load(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng(self.seed)
        found: dict[str, np.ndarray] = {}
        for name, centers, std in (("a", self.sources, self.std_a), ("b", self.centers, self.std)):
            label = random.integers(len(centers), size=self.points)
            noise = std * random.standard_normal((self.points, 2))
            found |= {f"real_{name}": (centers[label] + noise).astype(np.float32), f"label_{name}": label}
        return {name: found[name] for name in self.fields}


class ModeMap:
    """Where translated points land: ``B 2, B -> {hit, near, own}``.

    A point is near a mode of the target within `within` standard deviations. `hit` counts the modes that hold at least
    `least` of an even share of all points; `near` is the share of points that are near any. `own` is the share that are
    near a mode which holds more points of their own source mode than of any other: 1 where no two source modes meet.

    Source: the reading of figure 3 of arXiv:1703.05192.

    Args:
        data: The mixtures, which know the `centers` and `std` of the target.
        within: Distance from a mode, in standard deviations, that counts as near it.
        least: Part of an even share of the points by which a mode counts as hit.

    Raises:
        ValueError: the data is no mixture.
    """

    better = "higher"

    def __init__(self, data: object, within: PositiveFloat = 3.0, least: PositiveFloat = 0.1):
        if not hasattr(data, "centers") or not hasattr(data, "std"):
            raise ValueError("the data has no modes to land on")
        self.centers = torch.as_tensor(data.centers, dtype=torch.float32)
        self.within, self.least, self.radius = within, least, within * data.std

    def __call__(self, fake: Tensor, label: Tensor) -> Measured:
        distance, mode = torch.cdist(fake.cpu().float(), self.centers).min(1)
        near, label = distance <= self.radius, label.cpu()
        table = torch.zeros(len(self.centers), int(label.max()) + 1)
        table.index_put_((mode[near], label[near]), torch.ones(int(near.sum())), accumulate=True)
        hit = (table.sum(1) >= self.least * len(fake) / len(self.centers)).sum()
        values = {
            "hit": float(hit),
            "near": near.float().mean().item(),
            "own": (table.amax(1).sum() / len(fake)).item(),
        }
        return Measured(values, {"modes": len(self.centers), "within": self.within, "least": self.least})
