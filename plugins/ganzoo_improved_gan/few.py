"""Images without labels, and a few with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.idx_sets import Mnist
from ganzoo_data.unpaired import shuffled

from ganzoo.bounds import PositiveInt
from ganzoo.data.fields import Field
from ganzoo.errors import UserError


class FewLabels(ImageSet):
    """All images as `real`, and labelled ones, `few` with their `label`, of which training has as many of each class.

    A batch holds as many of `few` as of `real`; each is seen again and again, in an order of its own. In the test split
    every image is labelled, and both fields hold it. Paper: arXiv:1606.03498 section 6.

    Raises:
        ValueError: `labels` are no equal number for each class.
    """

    renewed = True
    classes = 10

    def __init__(self, split: Split, range: tuple[float, float], labels: int, choice: int):
        super().__init__(split, range)
        self.labels, self.choice = labels, choice
        if labels % self.classes:
            raise ValueError(f"labels is {labels}, but should be a multiple of the {self.classes} classes")

    def whole(self, split: Split) -> ImageSet:
        """The labelled set that the images are of."""
        raise NotImplementedError

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        found = self.whole(self.split).fields
        return {"real": found["real"], "few": found["real"], "label": found["label"]}

    def load(self) -> dict[str, np.ndarray]:
        rows = self.whole(self.split).load()
        chosen = np.arange(len(rows["label"])) if self.split == "test" else self._chosen(rows["label"])
        return {"real": rows["real"], "few": rows["real"][chosen], "label": rows["label"][chosen]}

    def _chosen(self, label: np.ndarray) -> np.ndarray:
        order = np.random.default_rng(self.choice).permutation(len(label))
        each = self.labels // self.classes
        rows = [order[label[order] == k][:each] for k in range(self.classes)]
        if min(map(len, rows)) < each:
            raise UserError(f"data.labels: {self.labels}, but a class has only {min(map(len, rows))} images")
        return np.concatenate(rows)

    def __len__(self) -> int:
        return len(self.arrays["real"])

    def chunks(self, size: int = 128) -> Iterator[dict[str, np.ndarray]]:
        """Raises UserError: two sets of rows are not one."""
        raise UserError("images with few labels cannot be packed as one set of rows")

    def batch(self, index: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        rows = {"real": index % len(self), "few": index % len(self)}
        if self.split == "train":
            count = len(self.arrays["few"])
            rows["few"] = shuffled(index // count, index % count, count)
        rows["label"] = rows["few"]
        return {name: self._rows(name, values, rows[name], device) for name, values in self.arrays.items()}


class MnistFew(FewLabels):
    """MNIST's digits as `real`, and the labelled ones among them, `few` with `label`.

    Paper: arXiv:1606.03498 section 6.1.

    Args:
        root: The folder of MNIST's files; see `data.mnist`.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        labels: How many training images are labelled, as many of each class.
        choice: Which they are: the seed of the draw.
        download: Let torchvision fetch what is absent.
    """

    def __init__(
        self,
        root: Path | None = None,
        split: Split = "train",
        range: tuple[float, float] = (0.0, 1.0),
        labels: PositiveInt = 100,
        choice: int = 0,
        download: bool = False,
    ):
        self.root, self.download = root, download
        super().__init__(split, range, labels, choice)

    def whole(self, split: Split) -> Mnist:
        return Mnist(self.root, split, self.range, download=self.download)

    def held_out(self) -> ImageSet | None:
        """The test split; None where its files are neither here nor to be downloaded."""
        return super().held_out() if self.whole("train").held_out() is not None else None


class FashionFew(FewLabels):
    """Bundled clothes as `real`, 10000, and the labelled ones among them, `few` with `label`; 2000 are for testing.

    Paper: arXiv:1606.03498 section 6. Licence: MIT, see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        labels: How many training images are labelled, as many of each class.
        choice: Which they are: the seed of the draw.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (0.0, 1.0),
        labels: PositiveInt = 100,
        choice: int = 0,
    ):
        super().__init__(split, range, labels, choice)

    def whole(self, split: Split) -> FashionMnistSample:
        return FashionMnistSample(split, self.range)
