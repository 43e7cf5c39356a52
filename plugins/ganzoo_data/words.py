"""Paths and lists as they stand in a message."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence


def printable(path: str | os.PathLike[str]) -> str:
    """A path that can be printed and written to YAML, whatever bytes its name has. Source: PEP 383."""
    return os.fsencode(path).decode("utf-8", "replace")


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key to sort names by, with the numbers in them as numbers: 2 before 10. Source: ganzoo's own."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(piece), piece) if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces]


def some(items: Sequence[str], most: int = 10) -> str:
    """The first items with commas, and how many more there are. Source: ganzoo's own."""
    more = f", and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
