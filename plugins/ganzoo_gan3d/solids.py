"""Primitive solids as voxels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from annotated_types import Ge

from ganzoo.bounds import PositiveInt
from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field

KINDS = ("sphere", "box", "cylinder", "cone")


class Solids(Arrays):
    """Balls, boxes, cylinders and cones of many measures as voxels, ``real``, ``1 D H W`` of 0 and 1, with `label`.

    Cylinders and cones stand along any of the three axes, cones either way; all lie near the middle. They are made from
    a seed when first needed; as many again as a quarter of them are held out.

    Source: ganzoo's own.

    Args:
        count: How many there are to train on.
        size: Voxels along each side.
        seed: Seed of the measures.
        split: ``train`` or ``test``.
    """

    def __init__(
        self, count: PositiveInt = 4000, size: Annotated[int, Ge(8)] = 16, seed: int = 0, split: str = "train"
    ):
        self.count, self.size, self.seed, self.split = count, size, seed, split

    @property
    def fields(self) -> Mapping[str, Field]:
        shares = (1 / len(KINDS),) * len(KINDS)
        side = self.size
        return {
            "real": Field("vector", (1, side, side, side), (0.0, 1.0)),
            "label": Field("label", (), None, KINDS, shares),
        }

    def load(self) -> dict[str, np.ndarray]:
        count, test = (self.count, 0) if self.split == "train" else (max(self.count // 4, 1), 1)
        random = np.random.default_rng((self.seed, test))
        label = np.arange(count) % len(KINDS)
        axis = (np.arange(self.size) + 0.5) / self.size - 0.5
        place = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
        real = np.stack([solid(KINDS[kind], place, random) for kind in label])
        return {"real": real[:, None].astype(np.float32), "label": label.astype(np.int64)}

    def held_out(self) -> Self | None:
        """Other solids."""
        return self.of_split("test") if self.split == "train" else None


def solid(kind: str, place: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Which of the places, ``3 D H W`` from -0.5 to 0.5, are inside a solid of random measures: ``D H W``."""
    place = place - random.uniform(-0.06, 0.06, 3)[:, None, None, None]
    if kind == "sphere":
        return np.square(place).sum(0) <= random.uniform(0.24, 0.4) ** 2
    if kind == "box":
        half = random.uniform(0.18, 0.4, 3)
        return (np.abs(place) <= half[:, None, None, None]).all(0)
    along, *across = np.roll(place, random.integers(3), axis=0)
    away = np.hypot(*across)
    if kind == "cylinder":
        return (away <= random.uniform(0.18, 0.36)) & (np.abs(along) <= random.uniform(0.26, 0.42))
    tall = random.uniform(0.3, 0.42)
    left = (tall - random.choice([-1, 1]) * along) / (2 * tall)  # from 1 at the foot to 0 at the tip
    return (left >= 0) & (left <= 1) & (away <= random.uniform(0.28, 0.42) * left)
