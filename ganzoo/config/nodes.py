"""Reading single nodes: settings, names, components, expressions. Every problem is noted, none raised."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganzoo.config import typecheck
from ganzoo.config.expression import HOLE, ExpressionError, parse
from ganzoo.config.spec import Component, Value
from ganzoo.config.tree import Node, shown
from ganzoo.errors import Problem, UserError, did_you_mean
from ganzoo.registry import Registry

_HOLDS = {
    "minimize": "expressions",
    "flow": "expressions",
    "values": "expressions",
    "log": "expressions",
    "with": "components",
    "parts": "components",
    "after": "components",
    "players": "what each trains and minimises",
    "phases": "steps and players",
    "plugins": "options",
}


class NodeReader:
    """Reads nodes of a tree; `problems` grows."""

    def __init__(self, registry: Registry, problems: list[Problem]):
        self.registry = registry
        self.problems = problems

    def problem(self, message: str, node: Node, path: str, hint: str = "") -> None:
        self.problems.append(Problem(message, node.origin, path, hint))

    def settings(self, cls: type, tree: Node, key: str) -> Any:
        node = tree.get(key)
        return typecheck.read(cls, node, key, self.problems) if node is not None else cls()

    def entries(self, tree: Node, *path: str, under: str = "") -> dict[str, Node]:
        """A mapping whose keys the user named; `under` is the path of the tree itself."""
        node, where = tree.get(*path), ".".join([under, *path] if under else path)
        if node is None or node.value is None or node.missing:
            return {}
        if not isinstance(node.value, dict):
            node.reported = True
            hint = "write `name: …` lines, not a list" if isinstance(node.value, list) else "write `name: …` lines"
            self.problem(f"should be a mapping of names to {_HOLDS.get(path[-1], path[-1])}", node, where, hint)
            return {}
        found = {}
        for key, child in node.value.items():
            if path[-1] == "plugins" or (key.isidentifier() and not keyword.iskeyword(key) and key != HOLE):
                found[key] = child
            else:
                hint = "letters, digits and _ make one; words such as `in` and `class` are taken"
                self.problem(f"'{key}' is not a name", child, f"{where}.{key}", hint)
        return found

    def word(self, tree: Node, key: str, default: str) -> str:
        """A setting that is one name, or its default."""
        node = tree.get(key)
        if node is None or node.missing:
            return default
        if not isinstance(node.value, str):
            self.problem(f"{shown(node.plain())} should be one name", node, key)
            return default
        return node.value

    def names(self, tree: Node, key: str) -> list[str]:
        """A setting that is a list of names; empty where it is not given."""
        node = tree.get(key)
        if node is None or node.value is None or node.missing:
            return []
        values = node.plain()
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            self.problem(f"{shown(values)} should be a list of names", node, key)
            return []
        return values

    def component(
        self, node: Node | None, path: str, kinds: Sequence[str], keep: Sequence[str] = (), near: str = ""
    ) -> Any:
        """A component node as a :class:`Component`, or None if it is no good.

        `keep` are keys that are no arguments, `near` is what to hint at where the component is not named.
        """
        if node is None or node.missing:
            return None
        if not isinstance(node.value, dict):
            short = " or ".join(f"{kind}.NAME" for kind in kinds[:3])
            self.problem(f"{shown(node.plain())} should name a component", node, path, f"such as {short}")
            return None
        use = node.value.get("use")
        if use is None:
            hint = did_you_mean("use", node.value) or near or f"write `use: {kinds[0]}.NAME`"
            self.problem("does not say which component to use", node, path, hint)
            return None
        if use.missing:
            return None
        if not isinstance(use.value, str):
            self.problem(f"{shown(use.plain())} should be a component's name", use, f"{path}.use", f"{kinds[0]}.NAME")
            return None
        try:
            entry = self.registry.find(use.value, kinds)
        except UserError as error:
            self.problems += [replace(p, origin=use.origin, path=path) for p in error.problems]
            return None
        args = {k: child for k, child in node.value.items() if k != "use" and k not in keep}
        return Component(
            path,
            entry,
            {key: child.plain() for key, child in args.items()},
            use.origin,
            {key: child.origin for key, child in args.items()},
        )

    def value(self, cls: type, name: str, node: Node | None, path: str, **more: Any) -> Any:
        """An expression as an equation of class `cls`, with what `more` adds to it; None if it is no good."""
        if node is None or node.missing:
            return None
        if not isinstance(node.value, str):
            hint = "write each as its own entry" if isinstance(node.value, list) else "such as `G(z)`"
            self.problem(f"{shown(node.plain())} should be an expression", node, path, hint)
            return None
        try:
            return cls(name, node.value, parse(node.value), node.origin, path, **more)
        except ExpressionError as error:
            self.problem(str(error), node, path, error.hint)
            return None

    def equations(self, where: str, entries: Mapping[str, Node]) -> dict[str, Value]:
        """Named expressions; what cannot be read is left out."""
        found = {key: self.value(Value, key, node, f"{where}.{key}") for key, node in entries.items()}
        return {key: value for key, value in found.items() if value is not None}

    def values(self, node: Node | None, path: str) -> list[Value]:
        """A list of expressions, each named by its own text."""
        if node is None or node.value is None or node.missing:
            return []
        if not isinstance(node.value, list):
            self.problem(f"{shown(node.plain())} should be a list of expressions", node, path)
            return []
        items = node.value
        found = (self.value(Value, str(item.plain()), item, path) for item in items)
        return [value for value in found if value is not None]
