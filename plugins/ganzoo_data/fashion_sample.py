"""The part of Fashion-MNIST that ships with ganzoo."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from ganzoo.data.arrays import stated_label
from ganzoo.data.fields import Field
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.idx_sets import FASHION, bordered
from ganzoo_data.places import BUNDLED


class FashionMnistSample(ImageSet):
    """12000 images of Fashion-MNIST, bundled: the first 1000 + 200 of each class; fields `real` and `label`.

    Paper: arXiv:1708.07747. Licence: MIT, see files/CREDITS.md.

    Args:
        split: ``train`` (10000) or ``test`` (2000).
        range: The values of black and white: (-1, 1) or (0, 1).
        size: 28, or 32 for a border of two black pixels; images are never resized.
        each: The number of training images of each class, at most 1000.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: Literal[28, 32] = 28,
        each: Annotated[int, Ge(1), Le(1000)] = 1000,
    ):
        super().__init__(split, range)
        if size not in (28, 32):
            raise ValueError(f"size is {size}, but should be 28, or 32 for a border of two black pixels")
        self.size, self.each = size, each

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {"real": self.image(1, self.size, self.size), "label": stated_label(FASHION)}

    def load(self) -> dict[str, np.ndarray]:
        with np.load(BUNDLED / "fashion_mnist_sample.npz") as stored:
            images, labels = stored[f"{self.split}_images"], stored[f"{self.split}_labels"].astype(np.int64)
        if self.split == "train" and self.each < 1000:
            rows = np.sort(np.concatenate([np.flatnonzero(labels == k)[: self.each] for k in np.unique(labels)]))
            images, labels = images[rows], labels[rows]
        return {"real": bordered(images, self.size), "label": labels}
