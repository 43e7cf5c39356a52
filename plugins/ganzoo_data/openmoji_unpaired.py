"""OpenMoji as two sets: colour drawings, and the line art of others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ganzoo.data.fields import Field
from ganzoo_data.base import Split
from ganzoo_data.openmoji import TILE, OpenMoji
from ganzoo_data.unpaired import Unpaired


class OpenMojiUnpaired(Unpaired):
    """Emoji drawings without pairs, bundled: 958 in colour, `real_a`, and the line art of 958 others, `real_b`.

    The 247 for testing are in both, in one order, so that translations can be measured. Source: OpenMoji 17.0.0, see
    `data.openmoji`. Licence: CC BY-SA 4.0; see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of the images; below 64 each pixel is the mean of the area it covers.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(self, split: Split = "train", range: tuple[float, float] = (-1.0, 1.0), size: int = TILE):
        super().__init__(split, range)
        self.size = size
        self._drawings(split)

    def _drawings(self, split: Split) -> OpenMoji:
        return OpenMoji(("real", "line"), split, self.range, self.size)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {"real_a": self.image(3, self.size, self.size), "real_b": self.image(1, self.size, self.size)}

    def load(self) -> dict[str, np.ndarray]:
        rows = self._drawings(self.split).load()
        colour, line = rows["real"], rows["line"]
        if self.split == "test":
            return {"real_a": colour, "real_b": line}
        order = np.random.default_rng(0).permutation(len(colour))
        half = len(order) // 2
        return {"real_a": colour[order[:half]], "real_b": line[order[half:]]}
