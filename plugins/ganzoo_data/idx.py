"""The IDX files of MNIST and its kin: a small header, then bytes, often compressed."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ganzoo.errors import UserError

GZIP = b"\x1f\x8b"
BYTES = 0x08  # the type code of unsigned bytes


def read(path: Path) -> np.ndarray:
    """The uint8 array of an IDX file, plain or compressed. Source: yann.lecun.com/exdb/mnist, "the IDX file format".

    Raises:
        UserError: it is no IDX file of bytes, or incomplete.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == GZIP:
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}; copy or download it again") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != BYTES or len(raw) < 4 + 4 * raw[3]:
        begin = raw[:4].hex(" ") or "nothing"
        raise UserError(f"{path} is no IDX file of bytes (it starts with {begin}); copy or download it again")
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    start = 4 + 4 * raw[3]
    if len(raw) - start != math.prod(shape):
        wanted = f"{'x'.join(map(str, shape))} = {math.prod(shape)} bytes"
        raise UserError(f"{path} holds {len(raw) - start} instead of {wanted}; copy or download it again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy()


def find(folders: Iterable[Path], part: str) -> tuple[Path, Path] | None:
    """The first folder's image and label files of a part, ``train`` or ``t10k``: plain or .gz, with ``-`` or ``.``.

    Source: the names on yann.lecun.com/exdb/mnist, and those that unpacking has given them elsewhere.
    """
    for folder in folders:
        found = [
            next((p for name in _names(part, what, rank) if (p := folder / name).is_file()), None)
            for what, rank in (("images", 3), ("labels", 1))
        ]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    return None


def _names(part: str, what: str, rank: int) -> list[str]:
    return [f"{part}-{what}{mark}idx{rank}-ubyte{suffix}" for suffix in ("", ".gz") for mark in "-."]
