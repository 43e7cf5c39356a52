"""Fashion-MNIST and MNIST in full, from their IDX files wherever those are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ganzoo.data.arrays import label_field
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_data import idx
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.download import fetch
from ganzoo_data.places import data_folders

SIDE = 28
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class IdxSet(ImageSet):
    """Grey 28x28 images with ten classes from IDX files. Source: yann.lecun.com/exdb/mnist."""

    torchvision: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]
    counts: ClassVar[Mapping[str, tuple[int, ...]]]
    elsewhere: ClassVar[tuple[Path, ...]] = ()
    advice: ClassVar[str]

    def __init__(
        self,
        root: Path | None = None,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: Literal[28, 32] = 28,
        download: bool = False,
    ):
        super().__init__(split, range)
        if size not in (28, 32):
            raise ValueError(f"size is {size}, but should be 28, or 32 for a border of two black pixels")
        self.root = Path(root).expanduser() if root is not None else None
        self.size, self.download = size, download

    @property
    def folders(self) -> list[Path]:
        """Where the files may be: `root` and torchvision's folders in it, or else the usual places."""
        names = (Path(self.torchvision) / "raw", Path("raw"), Path(self.torchvision.lower()))
        if self.root is not None:
            return [self.root, *(self.root / name for name in names)]
        return [folder / name for folder in data_folders() for name in names if name != Path("raw")] + [*self.elsewhere]

    @property
    def files(self) -> tuple[Path, Path] | None:
        """This split's files of images and labels, if they are here."""
        return idx.find(self.folders, "train" if self.split == "train" else "t10k")

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Without the files, the class frequencies of the official set."""
        found = self.files
        labels = _labels(found[1]) if found else np.repeat(np.arange(10), self.counts[self.split])
        return {"real": self.image(1, self.size, self.size), "label": label_field(labels, self.classes)}

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where the files are absent or damaged."""
        if self.files is None and self.download:
            fetch(self.torchvision, f"{self.torchvision}/raw", self.root or data_folders()[0])
        found = self.files
        if found is None:
            where = self.root or ", ".join(map(str, self.folders))
            raise UserError(f"the {self.split} split of {self.torchvision} is not in {where}; {self.advice}")
        images, labels = idx.read(found[0]), _labels(found[1])
        if images.shape != (len(labels), SIDE, SIDE):
            shape = "x".join(map(str, images.shape))
            raise UserError(f"{found[0]} is {shape}, but its labels want {len(labels)}x28x28; download both again")
        return {"real": bordered(images, self.size), "label": labels}

    def held_out(self) -> ImageSet | None:
        """The test split; None where its files are neither here nor to be downloaded."""
        other = super().held_out()
        return other if self.download or (isinstance(other, IdxSet) and other.files) else None


def bordered(images: np.ndarray, size: int) -> np.ndarray:
    """Images ``N H W`` as ``N size size 1``, zeros around them. Source: LeCun et al. 1998, the input of LeNet-5."""
    border = (size - images.shape[1]) // 2
    return np.pad(images, ((0, 0), (border, border), (border, border)))[..., None]


def _labels(path: Path) -> np.ndarray:
    labels = idx.read(path).astype(np.int64)
    if labels.ndim != 1 or labels.max(initial=0) > 9:
        raise UserError(f"{path} does not hold labels from 0 to 9")
    return labels


class FashionMnist(IdxSet):
    """Fashion-MNIST, 60000 + 10000 grey images of ten kinds of clothes, fields `real` and `label`.

    Without `root` it is looked for in ``$GANZOO_DATA``, ``~/.cache/ganzoo`` and the folder of the Debian package
    ``dataset-fashion-mnist``. Paper: arXiv:1708.07747.

    Args:
        root: The folder with the four IDX files (plain or .gz), or the one above torchvision's ``FashionMNIST/raw``.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: 28, or 32 for a border of two black pixels; images are never resized.
        download: Let torchvision fetch what is absent, into `root` or the first of the usual places.

    Raises:
        ValueError: an argument is out of bounds.
    """

    torchvision = "FashionMNIST"
    classes = FASHION
    counts: ClassVar[Mapping[str, tuple[int, ...]]] = {"train": (6000,) * 10, "test": (1000,) * 10}
    elsewhere = (DEBIAN,)
    advice = (
        "install the Debian package dataset-fashion-mnist, write `root: FOLDER` or `download: true`, "
        "or use the bundled data.fashion_mnist_sample"
    )


class Mnist(IdxSet):
    """MNIST, 60000 + 10000 grey images of handwritten digits, fields `real` and `label`.

    Without `root` it is looked for in ``$GANZOO_DATA`` and ``~/.cache/ganzoo``. Source: yann.lecun.com/exdb/mnist.

    Args:
        root: The folder with the four IDX files (plain or .gz), or the one above torchvision's ``MNIST/raw``.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: 28, or 32 for a border of two black pixels; images are never resized.
        download: Let torchvision fetch what is absent, into `root` or the first of the usual places.

    Raises:
        ValueError: an argument is out of bounds.
    """

    torchvision = "MNIST"
    classes = tuple("0123456789")
    counts: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    }
    advice = "write `root: FOLDER` or `download: true`, or use the bundled data.fashion_mnist_sample"
