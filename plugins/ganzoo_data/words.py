"""Paths and lists as they stand in a message."""

from __future__ import annotations

import os
from collections.abc import Sequence


def printable(path: str | os.PathLike[str]) -> str:
    """A path that can be printed and written to YAML, whatever bytes its name has. Source: PEP 383."""
    return os.fsencode(path).decode("utf-8", "replace")


def some(items: Sequence[str], most: int = 10) -> str:
    """The first items with commas, and how many more there are. Source: ganzoo's own."""
    more = f", and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
