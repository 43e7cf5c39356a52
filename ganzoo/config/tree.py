"""A configuration as a tree in which every node remembers the file and line it was written on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import Origin

Path_ = tuple[str, ...]
MISSING = "???"  # a value that must still be given; also stands in the place of one already complained of


@dataclass(slots=True)
class Node:
    """A mapping, a list or a scalar, and where it was written.

    `deletes` marks a `null` that deleted an entry, `reported` a value already complained of.
    """

    value: Any
    origin: Origin
    deletes: bool = False
    reported: bool = False

    @property
    def missing(self) -> bool:
        """Whether no value stands here, so that there is nothing to check and nothing more to say."""
        return isinstance(self.value, str) and self.value == MISSING

    def plain(self) -> Any:
        """The tree as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def copy(self) -> Node:
        if isinstance(self.value, dict):
            return Node({key: child.copy() for key, child in self.value.items()}, self.origin)
        if isinstance(self.value, list):
            return Node([child.copy() for child in self.value], self.origin)
        return Node(self.value, self.origin)

    def get(self, *path: str) -> Node | None:
        """The node at a path, or None."""
        node: Node | None = self
        for key in path:
            node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
        return node

    def leaves(self, path: Path_ = ()) -> Iterator[tuple[Path_, Node]]:
        """Every scalar below this node, with its path."""
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.leaves((*path, key))
        elif isinstance(self.value, list):
            for index, child in enumerate(self.value):
                yield from child.leaves((*path, str(index)))
        else:
            yield path, self


def wrap(value: Any, origin: Origin) -> Node:
    """Plain Python as a tree, all of one origin."""
    if isinstance(value, Mapping):
        return Node({str(key): wrap(child, origin) for key, child in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([wrap(child, origin) for child in value], origin)
    return Node(os.fspath(value) if isinstance(value, os.PathLike) else value, origin)


def shown(value: Any, levels: int = 40) -> str:
    """A value as YAML writes it, on one line and cut where it is long or has too many levels, for messages."""
    if levels == 0:
        return "…"
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(shown(item, levels - 1) for item in value)}]"
    elif isinstance(value, dict):
        text = (
            "{"
            + ", ".join(f"{k if k.isprintable() else ascii(k)}: {shown(v, levels - 1)}" for k, v in value.items())
            + "}"
        )
    else:
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
