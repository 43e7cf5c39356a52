"""Writing a data set into a folder of its own, all of it or nothing, with an index that says what is in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.store.files import cannot_write
from ganzoo_data.words import printable

INDEX = "index.json"
VERSION = 1


class Counted:
    """The rows of a split in chunks, counted on their way, and the fields as they turn out.

    Source: ganzoo's own.
    """

    def __init__(self, data: Any):
        self.data, self.count = data, 0
        self.fields: Mapping[str, Field] = data.fields
        labels = (name for name, field in self.fields.items() if field.kind == "label")
        self.seen = {name: np.zeros(len(self.fields[name].classes), np.int64) for name in labels}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for chunk in self.data.chunks():
            self.count += len(next(iter(chunk.values())))
            for name, seen in self.seen.items():
                seen += np.bincount(chunk[name], minlength=len(seen))
            yield chunk

    def described(self) -> dict[str, Any]:
        """What the index says of this split, frequencies as counted."""
        fields = {name: field.to_json() for name, field in self.fields.items()}
        for name, seen in self.seen.items():
            fields[name]["frequencies"] = (seen / max(self.count, 1)).round(6).tolist()
        return {"count": self.count, "fields": fields}


def write_folder(
    data: Any, folder: Path, layout: str, write: Callable[[Path, str, Counted], dict[str, Any]]
) -> dict[str, Any]:
    """Write every split of a data set with `write(place, split, rows)`, then the index; what the index says.

    Source: rename(2).

    Raises:
        UserError: the folder exists or cannot be written, or the data cannot be read row by row.
    """
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{printable(folder)} exists; give another folder with --out")
    if not hasattr(data, "chunks"):
        raise UserError(f"{type(data).__name__} cannot be packed: it has no `chunks`, as ganzoo.data.arrays.Arrays has")
    held = data.held_out()
    splits = {getattr(data, "split", "train"): data} | ({"test": held} if held is not None else {})
    place = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        place.mkdir(parents=True)
        begun = place / ".begun"
        begun.touch()
        index: dict[str, Any] = {"layout": layout, "version": VERSION, "splits": {}}
        for name, part in splits.items():
            rows = Counted(part)
            more = write(place, name, rows)
            index["splits"][name] = rows.described() | more
        (place / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
        begun.unlink()  # which fails if the folder was deleted, and made anew by what was written after that
        os.rename(place, folder)
    except OSError as error:
        written = sum(file.stat().st_size for file in place.glob("*"))
        shutil.rmtree(place, ignore_errors=True)
        raise cannot_write(folder, error, written, "give another folder with --out") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return index


def read_index(folder: Path, layout: str, other: Mapping[str, str]) -> dict[str, Any]:
    """What packing wrote about a folder.

    Source: ganzoo's own.

    Args:
        folder: The folder.
        layout: The one that is expected.
        other: The components for other layouts, to be named where it is one of these.

    Raises:
        UserError: there is no such folder or index, or it is another layout's or a later version's.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {printable(folder)}; give data.root=FOLDER")
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found, version, _ = index["layout"], index["version"], index["splits"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "`ganzoo data pack` writes one; pack the images again"
        raise UserError(f"{printable(folder)} has no {INDEX} that can be read ({reason(error)}); {advice}") from error
    if found != layout:
        raise UserError(f"{printable(folder)} is packed as {found}; write `use: {other.get(found, '???')}`")
    if version != VERSION:
        raise UserError(f"{printable(folder)} is of version {version}, and this ganzoo reads {VERSION}; pack it again")
    return index


def reason(error: Exception) -> str:
    """What went wrong with the index, in a word or two. Source: ganzoo's own."""
    return "there is none" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"


def read_fields(split: Mapping[str, Any], folder: Path) -> dict[str, Field]:
    """The fields of one split of an index. Source: ganzoo's own.

    Raises:
        UserError: it does not describe any, or under a name that no field can have.
    """
    try:
        if odd := [name for name in split["fields"] if not name.isidentifier()]:
            raise ValueError(f"{odd[0]!r} is no name of a field")
        return {name: Field.from_json(stored) for name, stored in split["fields"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"the {INDEX} of {printable(folder)} cannot be read: {reason(error)}") from error
