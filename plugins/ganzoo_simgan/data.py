"""Drawings of clothes beside photographs of clothes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from ganzoo_data.base import Split
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.unpaired import Unpaired

from ganzoo.bounds import PositiveInt
from ganzoo.data.fields import Field
from ganzoo_simgan.drawings import clothes

TEST = 2000


class DrawnClothes(Unpaired):
    """Clothes drawn by rules, `real_a` with `label_a`, and photographs of others, `real_b` with `label_b`.

    The photographs are `data.fashion_mnist_sample`, 10000 and 2000 for testing; the drawings, in the same ten classes,
    are made when first needed. Row k of both has nothing in common. `label_b` is there to measure by.
    Paper: arXiv:1708.07747 (the photographs). Licence: MIT, see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        drawings: How many drawings there are to train on; 2000 others are for testing.
        greys: The darkest and the lightest grey of a drawing, from 0 for black to 1 for white; two alike for flat ones.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        drawings: PositiveInt = 5000,
        greys: tuple[float, float] = (0.5, 0.5),
    ):
        super().__init__(split, range)
        if not 0 < greys[0] <= greys[1] <= 1:
            raise ValueError(f"greys is {list(greys)}, but should be [dark, light], from above 0 to 1")
        self.drawings, self.greys = drawings, greys

    def photographs(self) -> FashionMnistSample:
        return FashionMnistSample(self.split, self.range)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        found = self.photographs().fields
        return {f"{name}_{domain}": found[name] for domain in "ab" for name in ("real", "label")}

    def load(self) -> dict[str, np.ndarray]:
        train = self.split == "train"
        drawn, labels = clothes(self.drawings if train else TEST, seed=int(not train), greys=self.greys)
        rows = self.photographs().load()
        return {"real_a": drawn, "label_a": labels, "real_b": rows["real"], "label_b": rows["label"]}

    def batch(self, index: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        row, counts = index % len(self), {domain: len(self.arrays[f"real_{domain}"]) for domain in "ab"}
        places = {"a": row % counts["a"], "b": self._partners(index // len(self), row % counts["b"])}
        return {name: self._rows(name, rows, places[name[-1]], device) for name, rows in self.arrays.items()}
