"""Sine waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from annotated_types import Ge

from ganzoo.bounds import PositiveFloat, PositiveInt
from ganzoo.data.arrays import Arrays, label_field
from ganzoo.data.fields import Field

BANDS = ("slow", "medium", "fast")


class Sines(Arrays):
    """Sine waves of random frequency, amplitude and phase, `real`, ``T C`` in (-1, 1), with `label`.

    a sin(2 pi f t / T + p), t = 1 … T, f ~ U(low, high), a ~ U(0.1, 0.9), p ~ U(-pi, pi)

    The label says in which third of the frequencies f lies; channels of a sample share it, and nothing else. Waves are
    made from a seed when first needed; as many again as a quarter of them are held out.

    Paper: arXiv:1706.02633 section 4.2, without the labels.

    Args:
        count: How many there are to train on.
        length: Steps of a wave, T.
        channels: Waves of a sample.
        low: The lowest frequency, in periods a sample.
        high: The highest frequency.
        seed: Seed of the drawing.
        split: ``train`` or ``test``.

    Raises:
        ValueError: `high` is not above `low`.
    """

    def __init__(
        self,
        count: PositiveInt = 14_000,
        length: Annotated[int, Ge(4)] = 30,
        channels: PositiveInt = 1,
        low: PositiveFloat = 1.0,
        high: PositiveFloat = 5.0,
        seed: int = 0,
        split: str = "train",
    ):
        if high <= low:
            raise ValueError(f"high is {high}, but should be above low, {low}")
        self.count, self.length, self.channels, self.low, self.high = count, length, channels, low, high
        self.seed, self.split = seed, split

    @property
    def fields(self) -> Mapping[str, Field]:
        real = Field("vector", (self.length, self.channels), (-1.0, 1.0))
        return {"real": real, "label": label_field(np.arange(len(BANDS)), BANDS)}

    def load(self) -> dict[str, np.ndarray]:
        count, test = (self.count, 0) if self.split == "train" else (max(self.count // 4, 1), 1)
        random = np.random.default_rng((self.seed, test))
        label = random.integers(len(BANDS), size=count)
        share = (label[:, None] + random.random((count, self.channels))) / len(BANDS)
        frequency = self.low + (self.high - self.low) * share
        amplitude = random.uniform(0.1, 0.9, (count, self.channels))
        phase = random.uniform(-math.pi, math.pi, (count, self.channels))
        t = np.arange(1, self.length + 1)[:, None] / self.length
        waves = amplitude[:, None] * np.sin(2 * math.pi * frequency[:, None] * t + phase[:, None])
        return {"real": waves.astype(np.float32), "label": label.astype(np.int64)}

    def held_out(self) -> Self | None:
        """Other waves."""
        return self.of_split("test") if self.split == "train" else None
