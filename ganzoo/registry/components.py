"""A component: what a plugin registered under ``kind.name``, where it is defined, and how it is loaded."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ganzoo.errors import UserError

KINDS = (
    "generator",
    "discriminator",
    "encoder",
    "extractor",
    "adversarial",
    "loss",
    "regularizer",
    "prior",
    "op",
    "data",
    "augment",
    "optimizer",
    "schedule",
    "metric",
    "phases",
)


class Plugin(NamedTuple):
    """Where a plugin comes from: its entry point, its distribution and that distribution's version."""

    name: str
    dist: str
    version: str

    def __str__(self) -> str:
        return f"{self.dist} {self.version}" + (f" (plugin '{self.name}')" if self.name != self.dist else "")


class Source(NamedTuple):
    """The file and line where a component is defined, and the first line of its docstring."""

    file: str
    line: int
    summary: str


@dataclass(frozen=True)
class Entry:
    """One registered component. `target` is the factory, or a lazy ``"package.module:attribute"``."""

    kind: str
    name: str
    target: Callable[..., Any] | str
    plugin: Plugin
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.kind}.{self.name}"

    def load(self) -> Callable[..., Any]:
        """The factory itself; imports the module of a lazy entry.

        Raises:
            UserError: the module or the attribute cannot be imported.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for piece in attribute.split("."):
                found = getattr(found, piece)
        except Exception as error:
            raise UserError(
                f"{self.id} of {self.plugin} cannot be imported from {self.target}: {type(error).__name__}: {error}"
            ) from error
        return found

    def source(self) -> Source:
        """Where the component is defined, read from the source text without importing it."""
        return _source(self.target)


Renamed = str | Callable[[re.Match[str], Any], str | None] | None


@dataclass(frozen=True)
class Layout:
    """How weights of one component are named in files that others publish; see :meth:`ganzoo.registry.Zoo.weights`."""

    name: str
    target: str
    plugin: Plugin
    keys: tuple[re.Pattern[str], ...]
    renames: tuple[tuple[re.Pattern[str], Renamed], ...]
    convert: Callable[..., Any] | str | None = None
    source: str = ""
    back: Callable[..., Any] | str | None = None
    names: Callable[..., Any] | str | None = None

    def share(self, names: Iterable[str]) -> float:
        """How much of what it is recognised by stands among the names of a file's tensors, from 0 to 1."""
        known = list(names)
        return sum(any(key.fullmatch(name) for name in known) for key in self.keys) / len(self.keys)

    def renamed(self, name: str, part: Any) -> str | None:
        """The component's own name of a tensor; None where the component has no use for it."""
        for pattern, to in self.renames:
            found = pattern.fullmatch(name)
            if found:
                return found.expand(to) if isinstance(to, str) else to(found, part) if to else None
        return name

    def converted(self, tensors: dict[str, Any], part: Any) -> dict[str, Any]:
        """Renamed tensors as the component computes with them.

        Raises:
            ValueError: the component has a setting with which they would mean something else.
        """
        return self._call(self.convert, tensors, part) if self.convert is not None else tensors

    def reverted(self, tensors: dict[str, Any], part: Any) -> dict[str, Any]:
        """The inverse of :meth:`converted`; the caller asks first whether there is one."""
        return self._call(self.back, tensors, part) if self.back is not None else tensors

    def listed(self, part: Any) -> list[str]:
        """Names in a file that patterns alone do not tell."""
        return list(self._call(self.names, part)) if self.names is not None else []

    def _call(self, function: Callable[..., Any] | str, *args: Any) -> Any:
        return Entry("weights", self.name, function, self.plugin).load()(*args)


def _source(target: Callable[..., Any] | str) -> Source:
    if not isinstance(target, str):
        try:
            file, line = inspect.getsourcefile(target) or "?", inspect.getsourcelines(target)[1]
        except (TypeError, OSError):
            file, line = "?", 0
        return Source(file, line, _first_line(target.__doc__))
    module, _, attribute = target.partition(":")
    try:
        spec = importlib.util.find_spec(module) if "." not in module else _find_without_import(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return Source(module, 0, "")
    try:
        found = _glanced(spec.origin, attribute)
        if found is None:
            found = _defined(spec.origin, Path(spec.origin).stat().st_mtime_ns).get(attribute, (0, ""))
        line, summary = found
    except (OSError, SyntaxError, ValueError):
        line, summary = 0, ""
    return Source(spec.origin, line, summary)


def _glanced(file: str, name: str) -> tuple[int, str] | None:
    """Line and summary of a name, if the text alone shows them: parsing whole files is most of what a list takes."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    found = list(re.finditer(rf"^(class |def |async def )?{re.escape(name)}\b", text, re.MULTILINE))
    if len(found) != 1 or found[0][1] not in ("class ", "def "):
        return None
    start = found[0].start()
    quotes = [text.find('"""', start)]
    quotes.append(text.find('"""', quotes[0] + 3))
    if -1 in quotes:
        return None
    try:
        (node,) = ast.parse(text[start : quotes[1] + 3]).body  # to the end of its docstring, or of one further down
    except (SyntaxError, ValueError):
        return None
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    return text.count("\n", 0, start) + 1, _first_line(ast.get_docstring(node))


@cache
def _defined(file: str, _changed: int) -> dict[str, tuple[int, str]]:
    """Line and summary of each name that a file and its classes define, by ``name`` or ``Class.name``."""
    found: dict[str, tuple[int, str]] = {}

    def walk(body: list[ast.stmt], outer: str) -> None:
        for node in body:
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                found.update((outer + name, (node.lineno, "")) for name in names if outer + name not in found)
            elif isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.setdefault(outer + node.name, (node.lineno, _first_line(ast.get_docstring(node))))
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{outer}{node.name}.")

    walk(ast.parse(Path(file).read_bytes()).body, "")
    return found


def _find_without_import(module: str) -> Any:
    """The spec of a submodule, without importing a parent package that is not imported yet."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    for piece in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(piece, list(spec.submodule_search_locations))
    return spec


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n", 1)[0]
