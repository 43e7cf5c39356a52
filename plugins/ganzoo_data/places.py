"""Where files are kept: what ships with the package, and what was downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUNDLED = Path(__file__).parent / "files"


def data_folders() -> list[Path]:
    """Where data sets are looked for: ``$GANZOO_DATA`` if it is set, and ``~/.cache/ganzoo``. Source: ganzoo's own."""
    given = os.environ.get("GANZOO_DATA")
    return [*([Path(given).expanduser()] if given else []), Path.home() / ".cache" / "ganzoo"]


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write to, moved to `path` when the block ends well and removed otherwise. Source: rename(2)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield place
        os.replace(place, path)
    finally:
        place.unlink(missing_ok=True)
