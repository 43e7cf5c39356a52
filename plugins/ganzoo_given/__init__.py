"""Arrays as data: what a running program holds, and what NumPy wrote to files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import ganzoo


def _fields(args: dict[str, Any]) -> list[str] | None:
    from ganzoo_given.given import HELD

    held = HELD.get(str(args.get("content")))
    return list(held.fields) if held is not None else None


def _in_files(args: dict[str, Any]) -> list[str] | None:
    """The names in an archive's list of contents; None where it cannot be read, which the component says better."""
    found = ["real"]
    if str(args.get("file")).endswith(".npz"):
        try:
            with zipfile.ZipFile(Path(args["file"]).expanduser()) as archive:
                found = [name.removesuffix(".npy") for name in archive.namelist()]
        except (OSError, zipfile.BadZipFile):
            return None
    return [*found, "label"] if args.get("label") and "label" not in found else found


@ganzoo.hookimpl
def register(zoo: ganzoo.registry.Zoo) -> None:
    zoo.data("given", "ganzoo_given.given:Given", fields=_fields, reads="objects")
    zoo.data("arrays", "ganzoo_given.files:ArrayFiles", fields=_in_files)
