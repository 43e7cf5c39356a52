"""Rows that stay in files until they are asked for, and are read ahead of that by threads."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganzoo.errors import UserError
from ganzoo_data.store import cores, reason
from ganzoo_data.words import printable

MOST = 512 << 20  # bytes of rows that may wait to be taken
STALE = 16  # announcements after which rows that nobody took are forgotten


class Places(NamedTuple):
    """Where each row's bytes are: the number of its file, its offset and size there, and their CRC-32."""

    file: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    crc: np.ndarray


class _Waiting(NamedTuple):
    """A row that is being read: with which others, which of them it is, and since which announcement."""

    chunk: Future[np.ndarray]
    position: int
    born: int


class StoredRows:
    """An array ``N *shape`` whose rows are read and decoded when it is indexed, or earlier, after :meth:`ahead`.

    What it gives depends on the index alone: rows that were not announced, or were forgotten, are read on demand.
    Source: ganzoo's own.

    Args:
        files: The files.
        places: Where in them the rows are.
        decode: Makes a row from its bytes.
        shape: Shape of one row.
        dtype: Type of all values.
    """

    def __init__(
        self,
        files: Sequence[Path],
        places: Places,
        decode: Callable[[bytes], np.ndarray],
        shape: tuple[int, ...],
        dtype: Any = np.uint8,
    ):
        self.files, self.places, self.decode = files, places, decode
        self.dtype = np.dtype(dtype)
        self.shape = (len(places.size), *shape)
        self.nbytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        self._room = max(MOST * len(self) // max(self.nbytes, 1), 64)
        self._waiting: dict[int, _Waiting] = {}
        self._clock = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        rows = np.asarray(index)
        return self._take(rows) if rows.ndim else self._take(rows[None])[0]

    def ahead(self, index: np.ndarray) -> None:
        """Begin to read these rows, unless too many are waiting already."""
        self._clock += 1
        old = takewhile(lambda item: item[1].born < self._clock - STALE, self._waiting.items())
        for row, _ in list(old):  # the oldest come first
            del self._waiting[row]
        if len(self._waiting) + len(index) <= self._room:
            self._waiting |= self._begin(index, self._waiting)

    def _take(self, index: np.ndarray) -> np.ndarray:
        found = {row: self._waiting.pop(row) for row in set(index.tolist()) & self._waiting.keys()}
        found |= self._begin(index, found)
        out = np.empty((len(index), *self.shape[1:]), self.dtype)
        for place, row in enumerate(index.tolist()):
            out[place] = found[row].chunk.result()[found[row].position]
        return out

    def _begin(self, index: np.ndarray, under_way: Mapping[int, _Waiting]) -> dict[int, _Waiting]:
        """The rows that are not under way, each read by one of the threads."""
        new = sorted(set(index.tolist()) - under_way.keys())
        found: dict[int, _Waiting] = {}
        for chunk in np.array_split(np.array(new, np.int64), min(len(new), 2 * _workers())) if new else ():
            future = _pool().submit(self._read, chunk)
            found |= {row: _Waiting(future, position, self._clock) for position, row in enumerate(chunk.tolist())}
        return found

    def _read(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for position, row in enumerate(rows.tolist()):
            out[position] = self._row(row)
        return out

    def _row(self, row: int) -> np.ndarray:
        file, offset, size, crc = (int(column[row]) for column in self.places)
        path = self.files[file]
        try:
            with path.open("rb", buffering=0) as opened:
                opened.seek(offset)
                raw = opened.read(size)
        except OSError as error:
            raise UserError(f"{printable(path)} cannot be read: {error}") from error
        if raw is None or len(raw) != size or zlib.crc32(raw) != crc:
            raise UserError(f"{printable(path)} has changed since it was indexed: row {row}, {size} bytes at {offset}")
        try:
            return self.decode(raw)
        except Exception as error:  # Pillow's readers raise anything
            raise UserError(f"{printable(path)}: row {row} cannot be read: {reason(error)}") from error


def _workers() -> int:
    return min(cores(), 8)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_workers(), "ganzoo-data")
