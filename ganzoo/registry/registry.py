"""The registry: every component and model folder that a plugin added, who added it, and how to find it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem, UserError, choices, listed, printable, similar
from ganzoo.registry.components import KINDS, Entry, Layout, Plugin
from ganzoo.registry.zoo import Zoo


@dataclass
class Failure:
    """A plugin that could not be used, or only in part: at which stage, and why."""

    plugin: Plugin
    stage: str
    error: Exception

    def __str__(self) -> str:
        return printable(f"{self.plugin} failed to {self.stage}: {type(self.error).__name__}: {self.error}")


@dataclass
class Registry:
    """All components that can be named in a config, with the plugins that failed."""

    plugins: list[Plugin] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    disabled: list[Plugin] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    folders: list[tuple[Plugin, Path]] = field(default_factory=list)
    trained: list[tuple[Plugin, Path]] = field(default_factory=list)
    layouts: list[Layout] = field(default_factory=list)

    def __repr__(self) -> str:
        kinds = Counter(entry.kind for entry in self)
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        failed = f"; {len(self.failures)} plugins failed" if self.failures else ""
        return f"<Registry of {kinds.total()} components of {len(self.plugins)} plugins: {counted}{failed}>"

    def commit(self, plugin: Plugin, module: Any, zoo: Zoo) -> None:
        """Take over everything one plugin staged."""
        self.plugins.append(plugin)
        self.modules.append(module)
        for entry in zoo.entries.values():
            self.entries.setdefault(entry.id, []).append(entry)
        self.folders.extend((plugin, folder) for folder in zoo.folders)
        self.trained.extend((plugin, folder) for folder in zoo.trained_folders)
        self.layouts.extend(zoo.layouts.values())

    def options(self, plugin: str) -> tuple[str, ...] | None:
        """What a model may write under ``plugins.<plugin>``, if the plugin says so (``options = (…)``)."""
        for known, module in zip(self.plugins, self.modules, strict=True):
            if plugin in known[:2] and hasattr(module, "options"):
                return tuple(module.options)
        return None

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
            needed = f"but {_either(map(_a, kinds))} is needed" if len(kinds) < 4 else "which cannot stand here"
            raise UserError(Problem(f"{use} is {_a(found[0].kind)}, {needed}", hint=self._available(kinds)))
        if len(found) > 1:
            claims = " and by ".join(sorted(str(e.plugin) for e in found))
            dists = [e.plugin.dist for e in found]
            ways = sorted({e.plugin.dist if dists.count(e.plugin.dist) == 1 else e.plugin.name for e in found})
            hint = "write " + _either(f"'{way}:{key}'" for way in ways)
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
            claims = _either(f"{entry.id} of {entry.plugin}" for entry in found)
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
            message += f"; disabled: {listed(sorted({p.dist for p in self.disabled}))}"
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
            return "did you mean " + _either(f"'{full}'" for full in meant[:4]) + "?"
    return ""


def _either(words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, end = words
    return f"{', '.join(most)} or {end}" if most else end


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" + (" component" if kind in ("data", "phases") else "")
