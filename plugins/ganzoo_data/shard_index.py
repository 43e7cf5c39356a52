"""The index of a set of shards: where in which tar file each sample's bytes are, so that any can be read alone."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganzoo.data.arrays import cache_folder
from ganzoo.data.pixels import SUFFIXES
from ganzoo.errors import UserError
from ganzoo_data.decode import Header, header
from ganzoo_data.listing import draw
from ganzoo_data.places import whole
from ganzoo_data.store import reason
from ganzoo_data.stored import Places
from ganzoo_data.survey import Survey
from ganzoo_data.words import printable

VERSION = 1
ZEROS = bytes(512)  # a tar file ends with two such blocks
NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)")  # the key of a sample is all up to the first dot of the file's name


class Role(NamedTuple):
    """What a file of a sample is: an image, a label, or a vector, and of which field."""

    field: str
    kind: str


def role(extension: str) -> Role | None:
    """``png`` is `real`, ``cls`` is `label`, ``npy`` is `vector`; ``line.png`` is an image `line`; others are nothing.

    Source: the conventions of github.com/webdataset/webdataset.
    """
    name, _, last = extension.lower().rpartition(".")
    kinds = {"cls": Role("label", "label"), "npy": Role("vector", "vector")}
    found = kinds.get(last, Role("real", "image") if f".{last}" in SUFFIXES else None)
    if found is None or (name and not name.isidentifier()):
        return None
    return found._replace(field=name) if name else found


@dataclass
class Index:
    """What is known of a set of shards.

    Args:
        shards: The name and the bytes of every tar file.
        columns: ``shard`` and ``draw``; of images and vectors F ``F.offset``, ``F.size``, ``F.crc``; of labels ``F``.
        kinds: Kinds of the fields by name: image, label or vector.
        headers: How often each header of an image field occurs.
        shapes: Shapes of the vector fields.
        ignored: How many files of each extension are in no field.
    """

    shards: list[tuple[str, int]]
    columns: dict[str, np.ndarray]
    kinds: dict[str, str]
    headers: dict[str, list[tuple[Header, int]]]
    shapes: dict[str, tuple[int, ...]]
    ignored: dict[str, int]

    def __len__(self) -> int:
        return len(self.columns["shard"])

    def places(self, field: str, rows: np.ndarray) -> Places:
        """Where the bytes of a field are."""
        columns = (self.columns[f"{field}.{name}"][rows] for name in ("offset", "size", "crc"))
        return Places(self.columns["shard"][rows], *columns)

    def survey(self, field: str) -> Survey:
        """The sizes and modes of an image field."""
        return Survey(Counter({Header(*found): count for found, count in self.headers[field]}), [])

    def save(self, path: Path) -> None:
        """Write ``path.npz``, then ``path.json``."""
        plain = {key: value for key, value in vars(self).items() if key != "columns"}
        with whole(path.with_suffix(".npz")) as place, place.open("wb") as file:
            np.savez(file, **self.columns)  # type: ignore[arg-type]
        with whole(path.with_suffix(".json")) as place:
            place.write_text(json.dumps(plain), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Index:
        """Read what was saved. Raises an error of any kind where it cannot be."""
        plain = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path.with_suffix(".npz")) as stored:
            columns = {name: stored[name] for name in stored.files}
        return cls(columns=columns, **plain)


def of_shards(paths: Sequence[Path]) -> Index:
    """The index of tar files that somebody made: read once, then kept in :func:`cache_folder`. Source: ganzoo's own.

    Raises:
        UserError: a file is damaged, or no such set.
    """
    digest = hashlib.blake2b(f"{VERSION}".encode(), digest_size=16)
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.resolve()}\0{stat.st_size} {stat.st_mtime_ns}\0".encode("utf-8", "replace"))
    kept = cache_folder() / "shards" / digest.hexdigest()
    with suppress(Exception):  # what cannot be read is made again
        return Index.load(kept)
    found = scan(paths)
    with suppress(OSError):  # without it the shards are read again the next time
        found.save(kept)
    return found


def scan(paths: Sequence[Path]) -> Index:
    """Read tar files from their beginning to their end. Source: tar(5), ustar; the conventions of webdataset.

    Raises:
        UserError: a file is damaged or compressed, or samples do not all have the same fields.
    """
    from rich.console import Console
    from rich.progress import track

    found, quiet = _Scan(), not sys.stderr.isatty()
    shown = track(paths, "indexing", console=Console(stderr=True), transient=True, disable=quiet)
    for number, path in enumerate(shown):
        found.file(number, path)
    if not found.count:
        raise UserError(f"there are no samples with images in {', '.join(printable(p.name) for p in paths[:3])}")
    return Index(
        [(path.name, path.stat().st_size) for path in paths],
        {name: np.asarray(column) for name, column in found.columns.items()},
        {r.field: r.kind for r in found.roles},
        {name: list(headers.items()) for name, headers in found.headers.items()},
        found.shapes,
        dict(found.ignored),
    )


class _Scan:
    """What has been read so far."""

    def __init__(self) -> None:
        self.count = 0
        self.roles: tuple[Role, ...] = ()
        self.columns: dict[str, Any] = {"shard": array("i"), "draw": array("d")}
        self.headers: dict[str, Counter[Header]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.ignored: Counter[str] = Counter()

    def file(self, number: int, path: Path) -> None:
        """All samples of one tar file."""
        sample: dict[Role, tuple[int, bytes]] = {}
        last = ""
        for name, offset, raw in _members(path):
            split = NAME.fullmatch(name)
            if split is None:
                continue
            key, extension = split.groups()
            if key != last:
                self.sample(number, path, last, sample)
                sample, last = {}, key
            what = role(extension)
            if what is None:
                self.ignored[extension] += 1
            elif what in sample:
                raise UserError(f"{printable(path)}: sample '{key}' has two files for `{what.field}`; leave one out")
            else:
                sample[what] = offset, raw
        self.sample(number, path, last, sample)

    def sample(self, number: int, path: Path, key: str, found: dict[Role, tuple[int, bytes]]) -> None:
        """One sample, which has to have the fields of the first."""
        if not found:
            return
        where = f"{printable(path)}: sample '{key}'"
        roles = tuple(sorted(found, key=lambda r: (r.kind != "image", r)))
        if not self.count:
            self.roles = roles
            for r in roles:
                more = {r.field: array("q")} if r.kind == "label" else _columns(r.field)
                self.columns |= more
        elif roles != self.roles:
            has, others = (" and ".join(r.field for r in rs) for rs in (roles, self.roles))
            raise UserError(f"{where} has {has}, but those before it have {others}")
        self.count += 1
        self.columns["shard"].append(number)
        self.columns["draw"].append(draw(key))
        for r in roles:
            offset, raw = found[r]
            try:
                self.value(r, raw)
            except Exception as error:  # whatever a reader raises
                raise UserError(f"{where}: its {r.kind} cannot be read: {reason(error)}") from error
            if r.kind != "label":
                for name, value in zip(("offset", "size", "crc"), (offset, len(raw), zlib.crc32(raw)), strict=True):
                    self.columns[f"{r.field}.{name}"].append(value)

    def value(self, what: Role, raw: bytes) -> None:
        """What the index keeps of the content itself."""
        if what.kind == "label":
            number = int(raw)
            if number < 0:
                raise ValueError(f"{number} is below 0")
            self.columns[what.field].append(number)
        elif what.kind == "image":
            self.headers.setdefault(what.field, Counter())[header(io.BytesIO(raw))] += 1
        else:
            shape = vector(raw).shape
            if self.shapes.setdefault(what.field, shape) != shape:
                raise ValueError(f"its shape is {shape}, but those before it are {self.shapes[what.field]}")


def _columns(field: str) -> dict[str, Any]:
    return {f"{field}.offset": array("q"), f"{field}.size": array("q"), f"{field}.crc": array("I")}


def vector(raw: bytes) -> np.ndarray:
    """The floats of a .npy file. Source: numpy.lib.format."""
    return np.load(io.BytesIO(raw), allow_pickle=False).astype(np.float32)


def _members(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """The name, offset and content of every file in a tar file."""
    try:
        with path.open("rb") as raw:
            with tarfile.open(fileobj=raw, mode="r:") as tar:
                for member in tar:
                    if member.isreg():
                        raw.seek(member.offset_data)
                        content = raw.read(member.size)
                        if len(content) != member.size:
                            raise tarfile.ReadError("unexpected end of data")
                        yield member.name, member.offset_data, content
                    tar.members = []  # type: ignore[attr-defined]  # they would all be kept
            raw.seek(-len(ZEROS), io.SEEK_END)
            if raw.read() != ZEROS:
                raise tarfile.ReadError("unexpected end of data")
    except (tarfile.TarError, OSError, EOFError) as error:
        advice = "copy it again; compressed ones have to be unpacked first (gunzip)"
        raise UserError(f"{printable(path)} is no whole tar file: {error}; {advice}") from error
