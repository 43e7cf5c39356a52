"""Photographs cut into patches, for super-resolution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from ganzoo.errors import UserError
from ganzoo.fields import Field
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.places import BUNDLED

FOLDER = BUNDLED / "photos"
TEST = ("sunset", "dragonfly", "wine", "picosdeeuropa")
SHORT = 512  # the short side of every photograph
MOST = 4 << 30  # bytes of patches


class Photos(ImageSet):
    """Square patches of 13 photographs, bundled, field `real`; four whole photographs are held out for testing.

    Each photograph is cut row by row from its upper left corner; what is left at its right and lower edge is not used.
    The photographs for testing are sunset, dragonfly, wine and picosdeeuropa. Source: the Debian package
    lomiri-wallpapers-16.04. Licence: CC BY 4.0, CC BY-SA 4.0 and CC0, credits in files/CREDITS.md.

    Args:
        split: ``train`` (9 photographs) or ``test`` (4).
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of a patch, up to 512.
        stride: From one patch to the next; `size` if not given, so that patches do not overlap.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        split: Split = "train",
        range: tuple[float, float] = (-1.0, 1.0),
        size: int = 96,
        stride: int | None = None,
    ):
        super().__init__(split, range)
        if not 1 <= size <= SHORT:
            raise ValueError(f"size is {size}, but should be from 1 to 512, the short side of the photographs")
        if stride is not None and stride < 1:
            raise ValueError(f"stride is {stride}, but should be at least 1")
        self.size, self.stride = size, stride or size

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        return {"real": self.image(3, self.size, self.size)}

    @property
    def files(self) -> list[Path]:
        """The photographs of this split, sorted by name."""
        return [p for p in sorted(FOLDER.glob("*.jpg")) if (p.name.split("_by_")[0] in TEST) == (self.split == "test")]

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where so small a stride gives more patches than memory should hold."""
        grids = [patches(path, self.size, self.stride) for path in self.files]
        total = sum(grid.shape[0] * grid.shape[1] for grid in grids)
        if total * self.size**2 * 3 > MOST:
            gigabytes = total * self.size**2 * 3 / 1e9
            raise UserError(
                f"data.photos: stride {self.stride} gives {total} patches, {gigabytes:.1f} GB; write a larger `stride:`"
            )
        return {"real": np.concatenate([grid.reshape(-1, self.size, self.size, 3) for grid in grids])}


def patches(path: Path, size: int, stride: int) -> np.ndarray:
    """The patches of one photograph, uint8 ``rows columns size size 3``, as a view of it. Source: ganzoo's own."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))[::stride, ::stride]
    return windows.transpose(0, 1, 3, 4, 2)
