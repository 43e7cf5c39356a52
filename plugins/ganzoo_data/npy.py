"""Arrays in .npy files, written row after row."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np


def header(count: int, shape: tuple[int, ...], dtype: np.dtype = np.dtype(np.uint8)) -> bytes:  # noqa: B008
    """Always 128 bytes, so that the count may change. Source: numpy.lib.format, version 1.0."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    text = repr({"descr": descr, "fortran_order": False, "shape": (count, *shape)})
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


class NpyWriter:
    """A .npy file that grows, for more rows than memory holds. Source: numpy.lib.format, version 1.0.

    Args:
        path: The file.
        shape: Shape of one row.
        dtype: Type of all values.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any = np.uint8):
        self.shape, self.dtype, self.count = tuple(shape), np.dtype(dtype), 0
        self.path = path
        self._file = path.open("wb")
        self._file.write(header(0, self.shape, self.dtype))

    def append(self, rows: np.ndarray) -> None:
        """Add rows, ``N *shape``."""
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.count += len(rows)

    def close(self) -> None:
        """The file is only readable after this. Raises FileNotFoundError where it was deleted in the meantime."""
        self._file.seek(0)
        self._file.write(header(self.count, self.shape, self.dtype))
        self._file.close()
        if not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
