"""Points in the plane, made from a seed when first needed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from einops import rearrange

from ganzoo.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field


class Points(Arrays):
    """A fixed set of points, field `real` of shape ``2``. A subclass draws them."""

    def __init__(self, points: PositiveInt, seed: int = 0):
        self.points, self.seed = points, seed

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"real": Field("vector", (2,))}

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """All points, ``points 2``."""
        raise NotImplementedError

    def load(self) -> dict[str, np.ndarray]:
        return {"real": self.draw(np.random.default_rng(self.seed)).astype(np.float32)}


class Circle(Points):
    """Points on a circle's circumference at uniform angles. Source: the classic tutorial (1000 points, radius 1).

    Args:
        points: How many.
        radius: Radius of the circle around the origin.
        noise: Standard deviation added to each coordinate.
        seed: Seed of the drawing.
    """

    def __init__(
        self, points: PositiveInt = 1000, radius: PositiveFloat = 1.0, noise: NonNegativeFloat = 0.0, seed: int = 0
    ):
        super().__init__(points, seed)
        self.radius, self.noise = radius, noise

    def draw(self, random: np.random.Generator) -> np.ndarray:
        angle = random.uniform(0, 2 * math.pi, self.points)
        on_circle = self.radius * np.stack([np.cos(angle), np.sin(angle)], 1)
        return on_circle + self.noise * random.standard_normal(on_circle.shape)


class Mixture(Points):
    """Equally likely normal distributions around `centers`, each with standard deviation `std`."""

    centers: np.ndarray
    std: float

    def draw(self, random: np.random.Generator) -> np.ndarray:
        which = random.integers(len(self.centers), size=self.points)
        return self.centers[which] + self.std * random.standard_normal((self.points, 2))


class Ring(Mixture):
    """Normal distributions evenly spaced on a circle. Paper: arXiv:1704.00028 section 3.2 (its 8 Gaussians).

    Args:
        points: How many.
        modes: How many distributions.
        radius: Radius of the circle; the paper's code has 2 / 1.414.
        std: Standard deviation of each mode; the paper's code has 0.02 / 1.414.
        seed: Seed of the drawing.
    """

    def __init__(
        self,
        points: PositiveInt = 50_000,
        modes: PositiveInt = 8,
        radius: PositiveFloat = 1.4144,
        std: NonNegativeFloat = 0.014144,
        seed: int = 0,
    ):
        super().__init__(points, seed)
        angle = 2 * math.pi * np.arange(modes) / modes
        self.centers, self.std = radius * np.stack([np.cos(angle), np.sin(angle)], 1), std


class Grid(Mixture):
    """Normal distributions on a square grid. Paper: arXiv:1704.00028 section 3.2 (its 25 Gaussians).

    Args:
        points: How many.
        side: Distributions along a side.
        spacing: Between neighbours; the paper's code has 2 / 2.828.
        std: Standard deviation of each mode; the paper's code has 0.05 / 2.828.
        seed: Seed of the drawing.
    """

    def __init__(
        self,
        points: PositiveInt = 50_000,
        side: PositiveInt = 5,
        spacing: PositiveFloat = 0.70721,
        std: NonNegativeFloat = 0.01768,
        seed: int = 0,
    ):
        super().__init__(points, seed)
        places = spacing * (np.arange(side) - (side - 1) / 2)
        self.centers, self.std = rearrange(np.stack(np.meshgrid(places, places)), "xy i j -> (i j) xy"), std


class SwissRoll(Points):
    """A spiral, (t cos t, t sin t) with t ~ 1.5 pi (1 + 2 U(0, 1)), noisy, scaled. Paper: arXiv:1704.00028 section 3.2.

    Args:
        points: How many.
        noise: Standard deviation before scaling.
        scale: Divides the coordinates.
        seed: Seed of the drawing.
    """

    def __init__(
        self, points: PositiveInt = 50_000, noise: NonNegativeFloat = 0.25, scale: PositiveFloat = 7.5, seed: int = 0
    ):
        super().__init__(points, seed)
        self.noise, self.scale = noise, scale

    def draw(self, random: np.random.Generator) -> np.ndarray:
        t = 1.5 * math.pi * (1 + 2 * random.random(self.points))
        spiral = np.stack([t * np.cos(t), t * np.sin(t)], 1)
        return (spiral + self.noise * random.standard_normal(spiral.shape)) / self.scale
