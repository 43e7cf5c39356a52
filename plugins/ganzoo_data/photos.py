"""Photographs cut into patches, for super-resolution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from einops import rearrange
from PIL import Image

from ganzoo.data.fields import Field
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.places import BUNDLED

FOLDER = BUNDLED / "photos"
TEST = ("sunset", "dragonfly", "wine", "picosdeeuropa")
SHORT = 512  # the short side of every photograph


class Photos(ImageSet):
    """Square patches of 13 photographs, bundled, field `real`; four whole photographs are held out for testing.

    Each photograph is cut row by row from its upper left corner; what is left at its right and lower edge is not used.
    Patches that overlap are cut when they are asked for, so with a `stride` of 1 every place of a photograph has one,
    and shuffled they are random crops. What is held out of training never overlaps.
    The photographs for testing are sunset, dragonfly, wine and picosdeeuropa. Source: the Debian package
    lomiri-wallpapers-16.04. Licence: CC BY 4.0, CC BY-SA 4.0 and CC0, credits in files/CREDITS.md.

    Args:
        split: ``train`` (9 photographs) or ``test`` (4).
        range: The values of black and white: (-1, 1) or (0, 1).
        size: Side of a patch, up to 512.
        stride: Distance from one patch to the next; `size` if not given, so that patches do not overlap.

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

    def held_out(self) -> Photos | None:
        held = super().held_out()
        if isinstance(held, Photos):
            held.stride = max(self.stride, self.size)
            return held
        return None

    def load(self) -> dict[str, Any]:
        grids = [patches(path, self.size, self.stride) for path in self.files]
        if self.stride < self.size:
            return {"real": Windows(grids)}
        return {"real": np.concatenate([rearrange(grid, "down across h w c -> (down across) h w c") for grid in grids])}


class Windows:
    """Patches that overlap, as views of their photographs: rows are cut out when asked for. Source: ganzoo's own.

    Args:
        grids: The patches of every photograph, ``rows columns size size 3``.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, grids: list[np.ndarray]):
        self.grids = grids
        self.ends = np.cumsum([grid.shape[0] * grid.shape[1] for grid in grids])
        self.shape = (int(self.ends[-1]), *grids[0].shape[2:])
        self.nbytes = int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """The rows of a slice or of an array of numbers, or one row."""
        rows = np.asarray(range(len(self))[index] if isinstance(index, slice) else index)
        if rows.ndim == 0:
            return self[rows[None]][0]
        rows = np.where(rows < 0, rows + len(self), rows)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"there are {len(self)} rows")
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        photograph = np.searchsorted(self.ends, rows, "right")
        for number, grid in enumerate(self.grids):
            mine = np.flatnonzero(photograph == number)
            start = self.ends[number] - grid.shape[0] * grid.shape[1]
            found[mine] = grid[np.divmod(rows[mine] - start, grid.shape[1])]
        return found


def patches(path: Path, size: int, stride: int) -> np.ndarray:
    """The patches of one photograph, uint8 ``rows columns size size 3``, as a view of it. Source: ganzoo's own."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))[::stride, ::stride]
    return rearrange(windows, "down across c h w -> down across h w c")
