"""YAML as a tree in which every node remembers the file and line it was written on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ganzoo.errors import Origin, Problem, UserError

Path_ = tuple[str, ...]


@dataclass(slots=True)
class Node:
    """A mapping, a list or a scalar, and where it was written."""

    value: Any
    origin: Origin

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
    if isinstance(value, dict):
        return Node({str(key): wrap(child, origin) for key, child in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([wrap(child, origin) for child in value], origin)
    return Node(value, origin)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's scalars: ``on``, ``no`` and ``012`` are what they look like, ``1e-4`` is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|True|false|False", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    (
        "float",
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.nan|\.NaN",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)


def read_file(path: Path) -> Node:
    """Read one YAML file.

    Raises:
        UserError: it cannot be read, is not YAML, is not a mapping, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    node = _parse(text, Origin(_display(path)))
    if not isinstance(node.value, dict):
        raise UserError(Problem("a model is a mapping (data:, parts:, flow:, players:)", node.origin))
    return node


def read_value(text: str, origin: Origin) -> Node:
    """Read the right-hand side of an override such as ``[0, 1]`` or ``1e-4``; every part keeps `origin`."""
    node = _parse(text, origin)

    def stamp(node: Node) -> Node:
        node.origin = origin
        for child in node.value.values() if isinstance(node.value, dict) else ():
            stamp(child)
        for child in node.value if isinstance(node.value, list) else ():
            stamp(child)
        return node

    return stamp(node)


def _display(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _parse(text: str, origin: Origin) -> Node:
    loader = _Loader(text)
    try:
        tree = loader.get_single_node()
        if tree is None:
            return Node(None, origin)
        problems: list[Problem] = []
        node = _build(loader, tree, origin.file, (), problems)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or str(error)
        hint = ""
        if "tab" in str(error) or "'\\t'" in str(error):
            hint = "indent with spaces"
        elif "mapping values are not allowed" in message:
            hint = "quote a text that holds ': '"
        elif "alias" in message or "alias" in str(getattr(error, "context", "")):
            hint = "quote a text that begins with *"
        elif mark and "???" in text.split("\n")[mark.line]:
            hint = "inside { } write '???' in quotes, or use block style"
        where = Origin(origin.file, mark.line + 1) if mark else origin
        raise UserError(Problem(f"not valid YAML: {message}", where, hint=hint)) from None
    finally:
        loader.dispose()
    if problems:
        raise UserError(problems)
    return node


def _build(loader: Any, tree: yaml.Node, file: str, path: Path_, problems: list[Problem]) -> Node:
    origin = Origin(file, tree.start_mark.line + 1)
    if isinstance(tree, yaml.MappingNode):
        mapping: dict[str, Node] = {}
        for key_node, value_node in tree.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            where = Origin(file, key_node.start_mark.line + 1)
            if key is None:
                problems.append(Problem("a key must be a plain word", where, ".".join(path)))
                continue
            if key in mapping:
                first = mapping[key].origin.line
                problems.append(Problem(f"'{key}' is given twice, first on line {first}", where, ".".join(path)))
            child = _build(loader, value_node, file, (*path, key), problems)
            if isinstance(value_node, yaml.ScalarNode):
                child.origin = where
            mapping[key] = child
        return Node(mapping, origin)
    if isinstance(tree, yaml.SequenceNode):
        return Node([_build(loader, item, file, (*path, str(i)), problems) for i, item in enumerate(tree.value)], origin)
    if not tree.tag.startswith("tag:yaml.org,2002:") or tree.tag.startswith("tag:yaml.org,2002:python"):
        problems.append(Problem(f"tags such as {tree.tag} are not allowed", origin, ".".join(path)))
        return Node(None, origin)
    return Node(_scalar(loader, tree), origin)


def _scalar(loader: Any, tree: yaml.Node) -> Any:
    text = tree.value
    if tree.tag == "tag:yaml.org,2002:int":
        return int(text.replace("_", ""))
    return loader.construct_object(tree)
