"""What the shell offers at TAB: models, components, runs, values, overrides. Nothing here imports torch."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any, get_type_hints

import typer

from ganzoo.config import compose, layout, schema
from ganzoo.config.limits import DEVICES
from ganzoo.config.read import PART_KINDS
from ganzoo.config.tree import Node, shown
from ganzoo.errors import UserError
from ganzoo.registry import Registry, plugins

Offered = list[str | tuple[str, str]]
_SAFE = re.compile(r"[\w.+-]+")  # what a shell leaves as it is
_SETTINGS = {"train": schema.Train, "evaluate": schema.Evaluate, "stop": schema.Stop, "show": schema.Show}


class _Value(str):
    """A value that bash completes behind an `=`, where the word that it says is typed is not the value's beginning."""

    def startswith(self, *_: Any) -> bool:
        return True


def _quiet(offer: Callable[..., Offered]) -> Callable[..., Offered]:
    """Nothing is offered where something is wrong: the command will say what."""

    @wraps(offer)
    def offered(ctx: typer.Context, incomplete: str) -> Offered:
        try:
            return offer(ctx, incomplete)
        except (UserError, OSError, ValueError, LookupError, TypeError, AttributeError):
            return []

    return offered


@_quiet
def models(ctx: typer.Context, incomplete: str) -> Offered:
    """Models by name, with their titles."""
    found = compose.models(plugins.installed())
    return [(name, compose.title(path)) for name, path in found.items() if name.startswith(incomplete)]


@_quiet
def components(ctx: typer.Context, incomplete: str) -> Offered:
    """Components and models."""
    entries = (entry for entry in plugins.installed() if entry.id.startswith(incomplete))
    return [*((entry.id, entry.source().summary) for entry in entries), *models(ctx, incomplete)]


@_quiet
def runs(ctx: typer.Context, incomplete: str) -> Offered:
    """Run folders below the folder typed so far; files are left to the shell."""
    folder, typed = os.path.split(incomplete)
    places = (path for depth in ("*", "*/*") for path in Path(folder or ".").glob(f"{depth}/locked.yaml"))
    found = {path.parent for path in places if str(path.relative_to(folder or ".")).startswith(typed)}
    return [str(path) for path in sorted(found)]


@_quiet
def values(ctx: typer.Context, incomplete: str) -> Offered:
    """The named values of a run or a model."""
    tree = _tree(ctx, ())
    flow = tree.get("flow")
    return [(key, shown(child.plain())) for key, child in (flow.value if flow is not None else {}).items()]


@_quiet
def inputs(ctx: typer.Context, incomplete: str) -> Offered:
    """The data fields of a run as ``name=``, a label with its classes, and its named values."""
    typed, begin = _typed(incomplete)
    tree = _tree(ctx, ())
    known = tree.get("locked", "fields")
    described = known.plain() if known is not None else {}
    key, equals, _ = typed.partition("=")
    if equals:
        classes = described.get(key, {}).get("classes") or ()
        return _values([str(name) for name in classes if _SAFE.fullmatch(str(name))], begin, key)
    flow = tree.get("flow")
    return [f"{name}=" for name in (*described, *(flow.value if flow is not None else ()))]


@_quiet
def overrides(ctx: typer.Context, incomplete: str) -> Offered:
    """The settings of a model with their values; behind an ``=``, what the setting may be."""
    typed, begin = _typed(incomplete)
    key, equals, _ = typed.partition("=")
    registry = plugins.installed()
    before = re.sub(r" = ", "=", " ".join(ctx.params.get("overrides") or ()))  # bash tears them at the =
    tree = _tree(ctx, [text for text in before.split() if "=" in text])
    if equals:
        return _values(_choices(tuple(key.split(".")), tree, registry), begin, key)
    return [_stated(path, value) for path, value in _settings(tree, registry).items() if path.startswith(typed)]


# -- what is typed -----------------------------------------------------------------------------------------------------


def _typed(incomplete: str) -> tuple[str, str]:
    """The word so far, and what stands before the piece of it that the shell completes.

    Bash takes ``train.batch``, ``=`` and ``64`` for three words, and completes the last.
    """
    words, at = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD", 0))
    if 0 < at < len(words) and words[at] == "=":
        return f"{words[at - 1]}=", "="
    if 1 < at < len(words) and words[at - 1] == "=":
        return f"{words[at - 2]}={words[at]}", "="
    return incomplete, ""


def _values(found: Iterable[str], begin: str, key: str) -> Offered:
    """Values as the shell wants them: alone where it completes what stands behind an `=`, else with their key."""
    if not begin:
        return [f"{key}={value}" for value in found]
    typed = os.environ["COMP_WORDS"].split("\n")[int(os.environ["COMP_CWORD"])].removeprefix("=")
    return [_Value(value) for value in found if value.startswith(typed)]


def _stated(path: str, value: Any) -> str:
    text = shown(value).strip("'")
    return f"{path}={text}" if value is not None and _SAFE.fullmatch(text) else f"{path}="


# -- what there is -----------------------------------------------------------------------------------------------------


def _tree(ctx: typer.Context, stated: Iterable[str]) -> Node:
    """The model, or that of the run, which the command line names."""
    named = ctx.params.get("model") or ctx.params["run"]
    locked = Path(named) / "locked.yaml"
    return compose.compose(locked if locked.is_file() else str(named), stated, plugins.installed(), [])[1]


def _settings(tree: Node, registry: Registry) -> dict[str, Any]:
    """Every setting that can be overridden by its path: those of the model, and those that have defaults."""
    known = _known(registry)
    found: dict[str, Any] = {}
    for section, cls in _SETTINGS.items():
        for item in fields(cls) if section != "stop" or tree.get("stop") is not None else ():
            found[f"{section}.{item.name}"] = None if callable(item.default_factory) else item.default
    for item in fields(schema.Keep):
        found[f"train.keep.{item.name}"] = item.default
    del found["train.keep"]
    walk: list[tuple[tuple[str, ...], Node]] = [((), tree)]
    while walk:
        path, node = walk.pop()
        key = ".".join(path)
        if layout.is_component(path, node) and isinstance(node.value, dict) and "use" in node.value:
            use = node.value["use"].plain()
            found[key] = use
            arguments = known.get(str(use).rpartition(":")[2], {}).get("properties", {})
            found |= {f"{key}.{name}": made.get("default") for name, made in arguments.items() if "$ref" not in made}
        if isinstance(node.value, dict):
            walk += [((*path, name), child) for name, child in node.value.items()]
        elif path[0] not in ("about", "locked", "requires"):
            found[key.removesuffix(".of")] = node.plain()
    return {key: value for key, value in sorted(found.items()) if not key.endswith(".use")}


def _choices(path: tuple[str, ...], tree: Node, registry: Registry) -> list[str]:
    """What a setting may be, where that is a choice."""
    node = tree.get(*path)
    if path == ("train", "device"):
        return list(DEVICES)
    if layout.is_component(path, node):
        use = node.get("use") if node is not None else None
        now = str(use.plain()).rpartition(":")[2].partition(".")[0] if use is not None else ""
        kinds = [now] if now else PART_KINDS if path[0] == "parts" else [path[-1]]
        return [entry.id for entry in registry if entry.kind in kinds]
    if path[-1] in ("sample", "show", "share"):
        flow = tree.get("flow")
        return list(flow.value) if flow is not None else []
    hint: Any = _SETTINGS.get(path[0])
    for name in path[1:]:
        hint = get_type_hints(hint).get(name) if is_dataclass(hint) else None
    if hint is not None:
        from ganzoo.config.json_types import of

        return _of(of(hint))
    owner = tree.get(*path[:-1], "use")
    made = _known(registry).get(str(owner.plain()).rpartition(":")[2], {}) if owner is not None else {}
    return _of(made.get("properties", {}).get(path[-1], {}))


def _of(made: dict[str, Any]) -> list[str]:
    """The values that a schema names."""
    if "boolean" in made.get("type", ()):
        return ["true", "false"]
    named = [value for one in (made, *made.get("anyOf", ())) for value in one.get("enum", ())]
    return [shown(value).strip("'") for value in named]


def _known(registry: Registry) -> dict[str, Any]:
    """The arguments of components, from the schemas that lie beside the models of plugins."""
    found: dict[str, Any] = {}
    for _, folder in registry.folders:
        if (path := folder / "schema.json").is_file():
            found |= json.loads(path.read_text(encoding="utf-8"))["definitions"]
    return found
