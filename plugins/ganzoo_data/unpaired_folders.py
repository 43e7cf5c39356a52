"""Two folders of images without pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ganzoo_data.base import Split
from ganzoo_data.decode import Fit
from ganzoo_data.folders import Two
from ganzoo_data.unpaired import Unpaired


class UnpairedFolders(Two, Unpaired):
    """Images `real_a` and `real_b` from two folders, each in an order of its own.

    By default ``root/trainA``, ``root/trainB`` and, for testing, ``root/testA``, ``root/testB``. An epoch shows each
    image of the larger folder once; the partner of an image is another one in each epoch. Source: arXiv:1703.10593,
    its data sets and code.

    Args:
        root: The folder in which the others are.
        a: The folder of `real_a` below it; ``{split}`` stands for ``train`` or ``test``.
        b: The folder of `real_b`.
        split: ``train`` or ``test``.
        range: The values of black and white: (-1, 1) or (0, 1).
        size: ``[H, W]``, or one number for a square. Not needed where all files of a folder have one size.
        channels: 1 grey, 3 colour; as the files of each folder need if not given.
        fit: What happens to other sizes: ``crop``, ``stretch`` or ``pad``, as in `data.image_folder`.
        holdout: The part of the files that is set aside for ``test``, where the folders have no ``{split}``.
        memory: How many bytes of decoded images may be in memory, as in `data.image_folder`.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        root: Path,
        a: str = "{split}A",
        b: str = "{split}B",
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int | tuple[int, int] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        fit: Fit = "crop",
        holdout: float = 0.0,
        memory: float = 1e9,
    ):
        self.a, self.b = a, b
        super().__init__(root, split, range, size, channels, fit, holdout, memory)
