"""Discovery: find entry points of the group ``ganzoo``, load each plugin apart, keep what failed.

Environment: ``GANZOO_PLUGINS`` (only these distributions or plugins, comma separated; empty for none),
``GANZOO_DISABLE`` (all but these), ``GANZOO_STRICT=1`` (a plugin that fails is fatal).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from ganzoo.errors import UserError, choices
from ganzoo.registry import Failure, Plugin, Registry, Zoo, hookspecs, local

GROUP = "ganzoo"
T = TypeVar("T", bound=Callable[..., Any])


@lru_cache(maxsize=1)
def installed() -> Registry:
    """The registry of everything installed, made once a process."""
    return discover()


_in_use: Registry | None = None


def use(registry: Registry) -> Registry:
    """Make a registry the one that components ask for others, such as the encoder of captions; the same registry."""
    global _in_use
    _in_use = registry
    return registry


def in_use() -> Registry:
    """The registry of the model that was read last, with what ``--code`` added to it; or everything installed."""
    return _in_use if _in_use is not None else installed()


def component(name: str, **facts: Any) -> Callable[[T], T]:
    """Register a class or function under ``kind.name``, from a notebook's cell or a script.

        @ganzoo.component("generator.mine")
        class Mine(nn.Module): ...

    Running the cell again replaces it. In a file that is loaded by ``--code`` it belongs to that file.

    Args:
        name: The kind and the name, such as ``loss.mine``.
        facts: What can be known without calling it, as for :meth:`ganzoo.registry.Zoo.add`.

    Raises:
        ValueError: there is no such kind, or an installed plugin has a component of that name.
    """
    kind, _, short = name.partition(".")

    def register(target: T) -> T:
        registry = installed()
        other = [e for e in registry.entries.get(name, ()) if e.plugin != local.PLUGIN]
        if other:
            raise ValueError(f"{other[0].plugin} has a {name} already; choose another name")
        if local.add(kind, short, target, facts):
            local.add_to(registry)
        return target

    return register


def discover() -> Registry:
    """Load every enabled plugin into a fresh registry. A plugin that fails is kept as a failure, never half loaded.

    Raises:
        UserError: a plugin fails and ``GANZOO_STRICT`` is set, or ``GANZOO_PLUGINS`` names one that is not there.
    """
    registry = Registry()
    plugins = list(_named(entry_points(group=GROUP)))
    names = {name for plugin, _ in plugins for name in plugin[:2]}
    for unknown in sorted(_listed("GANZOO_PLUGINS") - names):
        raise UserError(f"GANZOO_PLUGINS names '{unknown}', which is not installed ({choices(unknown, names)})")
    for plugin, point in sorted(plugins, key=lambda found: (found[0], found[1].value)):
        if _enabled(plugin):
            add(registry, plugin, point)
        else:
            registry.disabled.append(plugin)
    local.add_to(registry)
    return registry


def add(registry: Registry, plugin: Plugin, point: Any) -> None:
    """Load one plugin (an entry point, or a module) into the registry: everything it registers, or nothing."""
    stage = "load"
    try:
        module = point.load() if isinstance(point, EntryPoint) else point
        stage = "register"
        registry.commit(plugin, module, _staged(plugin, module))
    except (Exception, SystemExit) as error:
        failed = error if isinstance(error, Exception) else RuntimeError(f"it exits with {error}")
        failure = Failure(plugin, stage, failed)
        if os.environ.get("GANZOO_STRICT", "") not in ("", "0"):
            raise UserError(f"{failure} (GANZOO_STRICT is set)") from error
        registry.failures.append(failure)


def add_file(registry: Registry, file: str | Path) -> None:
    """Load a local plugin, a Python file with the same ``register(zoo)`` (``--code file.py``).

    Raises:
        UserError: the file does not exist or fails.
    """
    path = Path(file).resolve()
    if not path.is_file():
        raise UserError(f"--code {file}: there is no such file")
    if any(getattr(module, "__file__", None) == str(path) for module in registry.modules):
        return
    plugin = Plugin(path.stem, path.name, "local")
    name = f"ganzoo_code_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        zoo = Zoo(plugin)
        with local.collecting(zoo):
            spec.loader.exec_module(module)
        registry.commit(plugin, module, _staged(plugin, module, zoo))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(f"--code {file} failed to load: {type(error).__name__}: {error}") from error


def _staged(plugin: Plugin, module: Any, decorated: Zoo | None = None) -> Zoo:
    """What the plugin registers, with what ``@ganzoo.component`` has added while it was loaded."""
    zoo = decorated or Zoo(plugin)
    if decorated is not None and decorated.entries and not hasattr(module, "register"):
        return zoo
    for hook in _hooks(module):
        hook(zoo=zoo)
    return zoo


def _named(points: Iterable[EntryPoint]) -> Iterator[tuple[Plugin, EntryPoint]]:
    """Each entry point with its plugin; the metadata of a distribution, which hold its whole README, are read once."""
    read: dict[Any, tuple[str, str]] = {}
    for point in points:
        dist = point.dist
        if dist not in read:
            stated: Any = dist.metadata if dist is not None else {}
            read[dist] = (stated.get("Name") or "?", stated.get("Version") or "?")
        yield Plugin(point.name, *read[dist]), point


def _listed(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def _enabled(plugin: Plugin) -> bool:
    names = {plugin.dist, plugin.name}
    if "GANZOO_PLUGINS" in os.environ and not names & _listed("GANZOO_PLUGINS"):
        return False
    return not names & _listed("GANZOO_DISABLE")


def _hooks(module: Any) -> list[Any]:
    """The plugin's implementations of ``register``, after pluggy has checked every hook it marks.

    Raises:
        ValueError: the module marks a hook that does not exist, or none.
        pluggy.PluginValidationError: a hook's arguments are not those of its specification.
    """
    manager = _specified()
    try:
        manager.register(module)
        marked = manager.get_hookcallers(module) or []
        known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
        for caller in marked:
            if not caller.has_spec():
                raise ValueError(f"there is no hook '{caller.name}' ({choices(caller.name, known)})")
        if not marked:
            raise ValueError("it marks no hook: it needs `@ganzoo.hookimpl def register(zoo)`")
        return [impl.function for impl in manager.hook.register.get_hookimpls()]
    finally:
        if manager.is_registered(module):
            manager.unregister(module)


@lru_cache(maxsize=1)
def _specified() -> pluggy.PluginManager:
    """A manager that knows every hook; one for all plugins, each of which is taken out again when it was looked at."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.add_hookspecs(hookspecs.RunHooks)
    return manager


def run_hooks(registry: Registry, own: Iterable[Any] = ()) -> pluggy.PluginManager:
    """A manager that calls the run hooks of `own` callbacks first, in order, then those of every plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs.RunHooks)
    for module in (*reversed(registry.modules), *reversed(list(own))):
        if not manager.is_registered(module):
            manager.register(module)
    return manager
