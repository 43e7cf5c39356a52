"""CIFAR-10 through torchvision, which knows its files and their checksums."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from ganzoo.data.arrays import stated_label
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.download import fetch
from ganzoo_data.places import data_folders

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
INNER = "cifar-10-batches-py"


class Cifar10(ImageSet):
    """CIFAR-10, 50000 + 10000 colour images 32x32 of ten classes, fields `real` and `label`.

    Without `root` it is looked for in ``$GANZOO_DATA`` and ``~/.cache/ganzoo``. Source: Krizhevsky 2009, "Learning
    multiple layers of features from tiny images", cs.toronto.edu/~kriz/cifar.html (its python version).

    Args:
        root: The folder above ``cifar-10-batches-py``.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        download: Let torchvision fetch it if it is absent, into `root` or the first of the usual places.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path | None = None,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        download: bool = False,
    ):
        super().__init__(split, range)
        self.root = Path(root).expanduser() if root is not None else None
        self.download = download

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {"real": self.image(3, 32, 32), "label": stated_label(CLASSES)}

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where the files are absent or damaged."""
        homes = [self.root] if self.root is not None else data_folders()
        home = next((folder for folder in homes if (folder / INNER).is_dir()), None)
        if home is None and self.download:
            home = homes[0]
            fetch("CIFAR10", INNER, home)
        if home is None:
            where = ", ".join(map(str, homes))
            advice = "write `root: FOLDER` (the one above it) or `download: true`"
            raise UserError(f"there is no {INNER} in {where}; {advice}")
        from torchvision import datasets  # type: ignore[import-untyped]

        try:
            read = datasets.CIFAR10(str(home), train=self.split == "train")
        except RuntimeError as error:  # a file is missing or its checksum is wrong
            raise UserError(f"{home / INNER} is damaged or incomplete ({error}); delete and download it") from error
        return {"real": np.ascontiguousarray(read.data), "label": np.asarray(read.targets, np.int64)}
