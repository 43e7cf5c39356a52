"""Data sets packed into memory maps: one .npy file a field."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_data.base import ImageSet, Split
from ganzoo_data.npy import NpyWriter
from ganzoo_data.pack import Counted, read_fields, read_index, write_folder
from ganzoo_data.store import reason
from ganzoo_data.words import printable

LAYOUT, OTHER = "memmap", {"shards": "data.webdataset"}


class Packed(ImageSet):
    """What ``ganzoo data pack`` wrote as a memory map, with the fields of the data that was packed.

    A row costs one read of its own bytes, and nothing is decoded. Source: ganzoo's own.

    Args:
        root: The folder that was written.
        split: ``train``, or ``test`` if the data had rows that are held out.
        range: The values of black and white: (-1, 1) or (0, 1).
        memory: How many bytes may be read into memory, and from there to an accelerator; larger sets are mapped.

    Raises:
        ValueError: an argument is out of bounds.
    """

    def __init__(
        self, root: Path, split: Split = "train", range: tuple[float, float] = (-1.0, 1.0), memory: float = 1e9
    ):
        super().__init__(split, range)
        self.root, self.memory = Path(root).expanduser(), memory

    @cached_property
    def packed(self) -> dict[str, Any]:
        """What the index says. Raises UserError where there is none, or no split of this name."""
        splits = read_index(self.root, LAYOUT, OTHER)["splits"]
        if self.split not in splits:
            has = " and ".join(splits)
            raise UserError(f"{printable(self.root)} has no {self.split} split, only {has}; pack with `holdout=0.1`")
        return splits

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        found = read_fields(self.packed[self.split], self.root)
        return {n: replace(f, range=self.range) if f.kind == "image" else f for n, f in found.items()}

    def load(self) -> dict[str, np.ndarray]:
        """Raises UserError where a file is not as it was written."""
        found = {name: self._open(name) for name in self.fields}
        small = sum(rows.nbytes for rows in found.values()) <= self.memory
        return {n: np.array(rows) if small or rows.ndim == 1 else rows for n, rows in found.items()}

    def _open(self, name: str) -> np.ndarray:
        path = self.root / self.split / f"{name}.npy"
        field, count = self.fields[name], self.packed[self.split]["count"]
        shape = (*field.shape[1:], field.shape[0]) if field.kind == "image" else field.shape
        try:
            rows = np.load(path, mmap_mode="r")
        except Exception as error:  # numpy raises many kinds for headers that are not its own
            raise UserError(f"{printable(path)} cannot be read: {reason(error)}; pack the images again") from error
        if rows.shape != (count, *shape):
            is_, should = ("x".join(map(str, s)) for s in (rows.shape, (count, *shape)))
            raise UserError(f"{printable(path)} has changed since it was packed: it is {is_}, and should be {should}")
        return rows

    def held_out(self) -> ImageSet | None:
        """The test split, or None where there is none."""
        return self.of_split("test") if self.split == "train" and "test" in self.packed else None

    @staticmethod
    def pack(data: Any, folder: Path) -> dict[str, Any]:
        """Write any data of arrays as memory maps; what the index says.

        Raises:
            UserError: the folder exists or cannot be written.
        """
        return write_folder(data, folder, LAYOUT, _write)


def _write(place: Path, split: str, rows: Counted) -> dict[str, Any]:
    files: dict[str, NpyWriter] = {}
    (place / split).mkdir()
    with ExitStack() as stack:
        for chunk in rows:
            for name, part in chunk.items():
                if name not in files:
                    file = NpyWriter(place / split / f"{name}.npy", part.shape[1:], part.dtype)
                    files[name] = stack.enter_context(closing(file))
                files[name].append(part)
    return {}
