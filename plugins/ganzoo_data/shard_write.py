"""Writing shards: tar files of PNGs and labels that the webdataset library reads too."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo.data.fields import Field
from ganzoo.data.pixels import MODES
from ganzoo.errors import UserError
from ganzoo_data.pack import Counted, write_folder
from ganzoo_data.shard_index import scan
from ganzoo_data.store import cores

LAYOUT = "shards"
SIZE = 256 << 20  # bytes after which the next shard begins
PLAIN = {"real": "png", "label": "cls", "vector": "npy"}  # fields whose files have no name of their own
LAST = {"image": "png", "label": "cls"}


def pack(data: Any, folder: Path) -> dict[str, Any]:
    """Write any data of arrays as shards, images as PNG; what the index says.

    Source: the conventions of github.com/webdataset/webdataset.

    Raises:
        UserError: the folder exists or cannot be written, or an image is no PNG.
    """
    return write_folder(data, folder, LAYOUT, _write)


def _write(place: Path, split: str, rows: Counted) -> dict[str, Any]:
    names = {name: extension(name, field) for name, field in rows.fields.items()}
    with _Tars(place, split) as tars, ThreadPoolExecutor(cores()) as pool:
        for chunk in rows:
            made = {n: pool.map(encoded, [rows.fields[n].kind] * len(part), part) for n, part in chunk.items()}
            for files in zip(*made.values(), strict=True):
                tars.add(dict(zip((names[n] for n in made), files, strict=True)))
    index = scan(tars.paths)
    index.save(place / f"{split}_index")
    return {"shards": [{"name": name, "bytes": size} for name, size in index.shards]}


def extension(name: str, field: Field) -> str:
    """``png`` for `real`, ``line.png`` for an image `line`. Source: the conventions of webdataset.

    Raises:
        UserError: it is an image that no PNG holds.
    """
    if field.kind == "image" and field.shape[0] not in MODES:
        raise UserError(f"`{name}` has {field.shape[0]} channels, and a PNG 1, 3 or 4; write --format memmap")
    last = LAST.get(field.kind, "npy")
    return last if PLAIN.get(name) == last else f"{name}.{last}"


def encoded(kind: str, row: np.ndarray) -> bytes:
    """A row as the content of a file. Source: Pillow; numpy.lib.format."""
    file = io.BytesIO()
    if kind == "label":
        return str(int(row)).encode()
    if kind == "image":
        Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row).save(file, "PNG", compress_level=1)
    else:
        np.save(file, row)
    return file.getvalue()


class _Tars:
    """Tar files that follow one another as each is full."""

    def __init__(self, place: Path, split: str):
        self.place, self.split, self.count = place, split, 0
        self.paths: list[Path] = []
        self.tar: tarfile.TarFile | None = None

    def __enter__(self) -> _Tars:
        return self

    def __exit__(self, *what: object) -> None:
        if self.tar is not None:
            self.tar.close()

    def add(self, files: Mapping[str, bytes]) -> None:
        if self.tar is None or self.tar.offset > SIZE:
            self.__exit__()
            self.paths.append(self.place / f"{self.split}-{len(self.paths):06}.tar")
            self.tar = tarfile.open(self.paths[-1], "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for last, content in files.items():
            member = tarfile.TarInfo(f"{self.count:09}.{last}")
            member.size = len(content)
            self.tar.addfile(member, io.BytesIO(content))
            self.tar.members = []  # type: ignore[attr-defined]  # they would all be kept
        self.count += 1
