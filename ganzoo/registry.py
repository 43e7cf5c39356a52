"""The registry: every component and model folder that a plugin added, who added it, and how to find it."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partialmethod
from pathlib import Path
from typing import Any, NamedTuple

from ganzoo.errors import Problem, UserError, choices, similar

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
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.v[0-9]+)?")
_LAZY = re.compile(r"[\w.]+:[\w.]+")


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
        body: list[ast.stmt] = ast.parse(Path(spec.origin).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return Source(spec.origin, 0, "")
    found: ast.stmt | None = None
    for piece in attribute.split("."):
        found = next((node for node in body if _defines(node, piece)), None)
        body = getattr(found, "body", [])
    if found is None:
        return Source(spec.origin, 0, "")
    defined = isinstance(found, ast.ClassDef | ast.FunctionDef)
    return Source(spec.origin, found.lineno, _first_line(ast.get_docstring(found)) if defined else "")  # type: ignore[arg-type]


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    return isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name


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


@dataclass
class Failure:
    """A plugin that could not be used, or only in part: at which stage, and why."""

    plugin: Plugin
    stage: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.plugin} failed to {self.stage}: {type(self.error).__name__}: {self.error}"


class Zoo:
    """What a plugin's ``register(zoo)`` receives. Collects its components; they count only if the call returns."""

    def __init__(self, plugin: Plugin):
        self._plugin = plugin
        self.entries: dict[str, Entry] = {}
        self.folders: list[Path] = []

    def add(self, kind: str, name: str, target: Callable[..., Any] | str, **facts: Any) -> None:
        """Register `target` as ``kind.name``: a factory, or a lazy ``"package.module:attribute"``.

        Keyword arguments are facts that can be known without importing it. Of a `data` component: ``fields``, the
        names of the values that it gives, ``bundled=True`` if its files ship inside the package, ``reads="folder"``
        if its argument `root` may be any folder, and ``packs="FORMAT"`` if it has a static ``pack(data, folder)``.
        Of an `extractor`: ``takes``, the shapes of its images, such as ``[(3, None, None)]`` for colour of any size,
        and ``default=True`` if it may be chosen for them where none is named.

        Raises:
            ValueError: an unknown kind, a malformed name, a target that is no factory, or a name given twice.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind '{kind}' ({choices(kind, KINDS) or 'kinds: ' + ', '.join(KINDS)})")
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no component name: lower case letters, digits and _, then perhaps .v2")
        if isinstance(target, str) and not _LAZY.fullmatch(target):
            raise ValueError(f"{kind}.{name}: '{target}' should read 'package.module:Class'")
        if not isinstance(target, str) and not callable(target):
            raise ValueError(f"{kind}.{name}: {target!r} is neither a class or function nor 'package.module:Class'")
        entry = Entry(kind, name, target, self._plugin, facts)
        if entry.id in self.entries:
            raise ValueError(f"{entry.id} is registered twice")
        self.entries[entry.id] = entry

    generator = partialmethod(add, "generator")
    discriminator = partialmethod(add, "discriminator")
    encoder = partialmethod(add, "encoder")
    extractor = partialmethod(add, "extractor")
    adversarial = partialmethod(add, "adversarial")
    loss = partialmethod(add, "loss")
    regularizer = partialmethod(add, "regularizer")
    prior = partialmethod(add, "prior")
    op = partialmethod(add, "op")
    data = partialmethod(add, "data")
    augment = partialmethod(add, "augment")
    optimizer = partialmethod(add, "optimizer")
    schedule = partialmethod(add, "schedule")
    metric = partialmethod(add, "metric")
    phases = partialmethod(add, "phases")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no zoo.{name} ({choices(name, (*KINDS, 'add', 'configs')) or 'see zoo.add'})")

    def configs(self, folder: str | Path) -> None:
        """Add a folder of models, ``<paper>/<variant>.yaml``: a path, or the name of a package that holds it.

        Raises:
            ValueError: there is no such folder.
        """
        path = Path(folder)
        if not path.is_dir() and isinstance(folder, str) and re.fullmatch(r"[\w.]+", folder):
            spec = _find_without_import(folder)
            if spec is not None and spec.submodule_search_locations:
                path = Path(next(iter(spec.submodule_search_locations)))
        if not path.is_dir():
            raise ValueError(f"there is no folder of models at '{folder}'")
        self.folders.append(path.resolve())


@dataclass
class Registry:
    """All components that can be named in a config, with the plugins that failed."""

    plugins: list[Plugin] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    disabled: list[Plugin] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    folders: list[tuple[Plugin, Path]] = field(default_factory=list)

    def commit(self, plugin: Plugin, module: Any, zoo: Zoo) -> None:
        """Take over everything one plugin staged."""
        self.plugins.append(plugin)
        self.modules.append(module)
        for entry in zoo.entries.values():
            self.entries.setdefault(entry.id, []).append(entry)
        self.folders.extend((plugin, folder) for folder in zoo.folders)

    def __iter__(self):
        """Every entry, sorted by name and plugin."""
        for key in sorted(self.entries):
            yield from sorted(self.entries[key], key=lambda e: e.plugin)

    def match(self, pattern: str) -> list[Entry]:
        """The entries whose ``kind.name`` matches a shell pattern; a plain word matches anywhere in the name."""
        glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        return [entry for entry in self if fnmatchcase(entry.id, glob)]

    def find(self, use: str, kinds: Sequence[str] = KINDS) -> Entry:
        """The entry named ``kind.name`` or ``distribution:kind.name``.

        Raises:
            UserError: there is none, it is of another kind than `kinds`, or two plugins claim the name.
        """
        dist, _, key = use.rpartition(":")
        found = [e for e in self.entries.get(key, ()) if not dist or dist in (e.plugin.dist, e.plugin.name)]
        if not found:
            raise UserError(self._not_found(use, dist, key, kinds))
        if found[0].kind not in kinds:
            needed = f"but {_listed(map(_a, kinds))} is needed" if len(kinds) < 4 else "which cannot stand here"
            raise UserError(Problem(f"{use} is {_a(found[0].kind)}, {needed}", hint=self._available(kinds)))
        if len(found) > 1:
            claims = " and by ".join(sorted(str(e.plugin) for e in found))
            dists = [e.plugin.dist for e in found]
            ways = sorted({e.plugin.dist if dists.count(e.plugin.dist) == 1 else e.plugin.name for e in found})
            hint = "write " + _listed(f"'{way}:{key}'" for way in ways)
            raise UserError(Problem(f"{key} is claimed by {claims}", hint=hint))
        return found[0]

    def offering(self, fact: str, wanted: str) -> Entry:
        """The one component that was registered with a fact of this value.

        Raises:
            UserError: there is none, or several.
        """
        known = {entry.id: entry.facts[fact] for entry in self if fact in entry.facts}
        found = [entry for entry in self if entry.facts.get(fact) == wanted]
        if not found:
            hint = choices(wanted, set(known.values()))
            raise UserError(Problem(f"no component {fact} '{wanted}'", hint=hint))
        if len(found) > 1:
            claims = _listed(f"{entry.id} of {entry.plugin}" for entry in found)
            raise UserError(Problem(f"several components claim that one {fact} '{wanted}'", hint=claims))
        return found[0]

    def default_extractor(self, shape: Sequence[int]) -> Entry | None:
        """The first extractor, by name, that needs nothing fetched (``default=True``) and takes images ``C H W``."""

        def fits(wanted: Sequence[int | None]) -> bool:
            return len(wanted) == len(shape) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True))

        extractors = (entry for entry in self if entry.kind == "extractor" and entry.facts.get("default"))
        return next((entry for entry in extractors if any(map(fits, entry.facts.get("takes", ())))), None)

    def _not_found(self, use: str, dist: str, key: str, kinds: Sequence[str]) -> Problem:
        present = {p.dist for p in self.plugins} | {p.name for p in self.plugins}
        failures = self.failures
        if dist and dist not in present:
            failures = [f for f in self.failures if dist in (f.plugin.dist, f.plugin.name)]
            if failures:
                return Problem(f"{use} cannot be used: {failures[0]}")
            if dist in {p.dist for p in self.disabled} | {p.name for p in self.disabled}:
                return Problem(f"the plugin '{dist}' is disabled", hint="by GANZOO_PLUGINS or GANZOO_DISABLE")
            if dist.endswith(".py"):
                return Problem(f"the local plugin {dist} is not loaded, so there is no {key}", hint=f"--code {dist}")
            close = difflib.get_close_matches(dist, present, n=1, cutoff=0.75)
            hint = f"did you mean '{close[0]}:{key}', or pip install {dist}?" if close else f"pip install {dist}"
            return Problem(f"the plugin '{dist}' is not installed, so there is no {key}", hint=hint)
        entries = [e for e in self if not dist or dist in (e.plugin.dist, e.plugin.name)]
        hint = _meant(key, sorted({e.id for e in entries if e.kind in kinds}))
        message = f"there is no component '{use}'"
        for failure in failures:
            message += f"; note that {failure}"
        if self.disabled and not hint:
            message += f"; disabled: {', '.join(sorted({p.dist for p in self.disabled}))}"
        return Problem(message, hint=hint or self._available(kinds, key))

    def _available(self, kinds: Iterable[str], key: str = "") -> str:
        kind = key.split(".", 1)[0]
        wanted = {kind} if kind in kinds else set(kinds)
        names = sorted({e.id for e in self if e.kind in wanted})
        return f"there are {', '.join(names)}" if 0 < len(names) <= 15 else "`ganzoo list` shows them all"


def _meant(key: str, known: Sequence[str]) -> str:
    """Which component a name that does not exist may mean: names are compared within their kind if that exists."""
    kind, dot, name = key.partition(".")
    if not dot:
        kind, name = "", key
    short = {full: full.partition(".")[2] for full in known}
    alike = similar(kind, {full.partition(".")[0] for full in known})
    of_kind = [full for full in known if full.partition(".")[0] in alike] or list(known)
    for group in (of_kind, known):
        names = similar(name, sorted({short[full] for full in group}))
        meant = [full for wanted in names for full in group if short[full] == wanted]
        if meant:
            return "did you mean " + _listed(f"'{full}'" for full in meant[:4]) + "?"
    return ""


def _listed(words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, end = words
    return f"{', '.join(most)} or {end}" if most else end


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" + (" component" if kind in ("data", "phases") else "")
