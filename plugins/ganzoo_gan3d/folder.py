"""Voxels from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganzoo.bounds import PositiveInt
from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field
from ganzoo.errors import UserError

SUFFIXES = (".npy", ".binvox")


class VoxelFolder(Arrays):
    """The voxels under a folder, field `real`, ``1 D H W`` of 0 and 1: files ``.npy``, ``D H W``, or ``.binvox``.

    What is not 0 is filled. A file of a multiple of `size` is made smaller: a voxel is filled where one of those that
    it takes the place of is. Format: https://www.patrickmin.com/binvox/binvox.html.

    Source: ganzoo's own.

    Args:
        root: The folder; files are found in folders below it, too.
        size: Voxels along each side.

    Raises:
        UserError: (when read) there are no such files, or one is of another size or broken.
    """

    def __init__(self, root: Path, size: PositiveInt):
        self.root, self.size = Path(root).expanduser(), size

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"real": Field("vector", (1, self.size, self.size, self.size), (0.0, 1.0))}

    def load(self) -> dict[str, np.ndarray]:
        files = sorted(path for path in self.root.rglob("*") if path.suffix in SUFFIXES)
        if not files:
            raise UserError(
                f"no voxels under {self.root}; `root:` should be a folder with files {' or '.join(SUFFIXES)}"
            )
        return {"real": np.stack([self._one(path) for path in files])[:, None].astype(np.float32)}

    def _one(self, path: Path) -> np.ndarray:
        try:
            filled = (binvox(path.read_bytes()) if path.suffix == ".binvox" else np.load(path)) != 0
        except (ValueError, OSError, EOFError) as error:
            raise UserError(f"{path} cannot be read: {error}") from None
        sides = set(filled.shape)
        if filled.ndim != 3 or len(sides) != 1 or filled.shape[0] % self.size:
            said = "x".join(map(str, filled.shape))
            raise UserError(f"{path} is {said}; `size: {self.size}` takes cubes of that side or of a multiple of it")
        step = filled.shape[0] // self.size
        return filled.reshape(self.size, step, self.size, step, self.size, step).any((1, 3, 5))


def binvox(content: bytes) -> np.ndarray:
    """The voxels of a binvox file, ``x z y`` as it stores them: runs of a value and how often it stands.

    Raises:
        ValueError: it is none, or its runs do not fill it.
    """
    head, mark, data = content.partition(b"\ndata\n")
    lines = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    if not mark or b"#binvox" not in lines or b"dim" not in lines:
        raise ValueError("it is no binvox file")
    shape = tuple(int(n) for n in lines[b"dim"].split())
    runs = np.frombuffer(data[: len(data) // 2 * 2], np.uint8).reshape(-1, 2)
    values = np.repeat(runs[:, 0], runs[:, 1])
    if len(values) != np.prod(shape):
        raise ValueError(f"its runs give {len(values)} voxels, not {np.prod(shape)}")
    return values.reshape(shape)
