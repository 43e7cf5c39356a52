"""Images of one half of a set, and the edges of the other half."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.fashion_sample import FashionMnistSample
from ganzoo_data.idx_sets import Mnist
from ganzoo_data.unpaired import Unpaired
from torch import Tensor
from torch.nn.functional import max_pool2d

from ganzoo.data.fields import Field


def edges(images: np.ndarray) -> np.ndarray:
    """The largest of the 3x3 pixels around each, minus the pixel: uint8 ``N H W C -> N H W C``.

    Paper: arXiv:1606.07536 section 3, with the 3x3 dilation of its code.
    """
    height, width = images.shape[1:3]
    around = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [around[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.maximum.reduce(shifted) - images


class Edges:
    """Edges of images in the data's range, 3x3 dilation minus image: ``B C H W -> B C H W``, where no edge is black.

    Paper: arXiv:1606.07536 section 3.

    Args:
        in_range: The values of black and white.

    Raises:
        ValueError: `in_range` is not known, or (when called) these are no images.
    """

    def __init__(self, in_range: tuple[float, float] | None = (0.0, 1.0)):
        if in_range is None:
            raise ValueError("in_range is not known; write the values of black and white, such as [-1, 1]")
        self.black = in_range[0]

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ValueError(f"it takes images, B C H W, not {x.ndim} axes")
        return max_pool2d(x, 3, 1, 1) - x + self.black


class Halves(Unpaired):
    """Half of a labelled set as `real_a`, `label_a`, the edges of the other half as `real_b`, `label_b`.

    In the training split no image is in both halves, and rows are paired anew in each epoch. In the test split row k is
    the k-th image and the edges of the same, so that what is said of both can be compared.
    Paper: arXiv:1606.07536 section 3.
    """

    def whole(self, split: Split) -> ImageSet:
        """The labelled set that is halved."""
        raise NotImplementedError

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        found = self.whole(self.split).fields
        return {f"{name}_{domain}": found[name] for domain in "ab" for name in ("real", "label")}

    def load(self) -> dict[str, np.ndarray]:
        rows = self.whole(self.split).load()
        a = b = np.arange(len(rows["real"]))
        if self.split == "train":
            a, b = np.array_split(np.random.default_rng(0).permutation(len(a)), 2)
        return {
            "real_a": rows["real"][a],
            "label_a": rows["label"][a],
            "real_b": edges(rows["real"][b]),
            "label_b": rows["label"][b],
        }

    def batch(self, index: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        row, counts = index % len(self), {domain: len(self.arrays[f"real_{domain}"]) for domain in "ab"}
        places = {"a": row % counts["a"], "b": self._partners(index // len(self), row % counts["b"])}
        return {name: self._rows(name, rows, places[name[-1]], device) for name, rows in self.arrays.items()}


class MnistEdges(Halves):
    """MNIST's digits, `real_a`, and the edges of others, `real_b`, of 30000 each, with `label_a` and `label_b`.

    Paper: arXiv:1606.07536 section 3.

    Args:
        root: The folder of MNIST's files; see `data.mnist`.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        download: Let torchvision fetch what is absent.
    """

    def __init__(
        self,
        root: Path | None = None,
        split: Split = "train",
        range: tuple[float, float] = (0.0, 1.0),
        download: bool = False,
    ):
        super().__init__(split, range)
        self.root, self.download = root, download

    def whole(self, split: Split) -> Mnist:
        return Mnist(self.root, split, self.range, download=self.download)

    def held_out(self) -> ImageSet | None:
        """The test split; None where its files are neither here nor to be downloaded."""
        return super().held_out() if self.whole("train").held_out() is not None else None


class FashionEdges(Halves):
    """Bundled clothes, `real_a`, and the edges of others, `real_b`, 5000 each, with `label_a` and `label_b`.

    2000 are for testing, in both. Paper: arXiv:1606.07536 section 3. Licence: MIT, see files/CREDITS.md.

    Args:
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
    """

    def __init__(self, split: Split = "train", range: tuple[float, float] = (0.0, 1.0)):
        super().__init__(split, range)

    def whole(self, split: Split) -> FashionMnistSample:
        return FashionMnistSample(split, self.range)
