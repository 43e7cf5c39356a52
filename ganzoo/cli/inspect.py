"""What there is: components, models, plugins. Nothing here imports torch, but for `show` of a component or model."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Annotated, Any

import typer

from ganzoo.api import registry as load_registry
from ganzoo.cli import completion
from ganzoo.cli.options import Code, Json, print_json
from ganzoo.config import compose
from ganzoo.errors import UserError
from ganzoo.evaluation.records import short
from ganzoo.registry import Entry, Plugin, Registry
from ganzoo.registry.hookspecs import RunHooks
from ganzoo.store import names

MOST = 4  # numbers of a trained model on its line
Pattern = Annotated[
    str | None,
    typer.Argument(help="part of a name, or a pattern such as 'generator.*'", autocompletion=completion.components),
]


def list_(pattern: Pattern = None, as_json: Json = False, code: Code = None) -> None:
    """List components and models; with zoo: or zoo:PATTERN the trained models, and what was measured."""
    registry = load_registry(code)
    if pattern is not None and pattern.startswith(names.ZOO):
        _trained(registry, pattern.removeprefix(names.ZOO), as_json)
        return
    entries = registry.match(pattern) if pattern else list(registry)
    models = {name: path for name, path in compose.models(registry).items() if _matches(name, pattern)}
    if as_json:
        print_json(
            {
                "components": [_plain(entry) for entry in entries],
                "models": [{"name": n, "title": compose.title(p), "file": str(p)} for n, p in models.items()],
            }
        )
        return
    for kind, group in groupby(entries, key=lambda entry: entry.kind):
        print(kind)
        for entry in group:
            dist = "" if entry.plugin.dist == "ganzoo" else f"  [{entry.plugin.dist}]"
            print(f"  {entry.id:<36} {entry.source().summary}{dist}")
    if models:
        print("models")
    for name, path in models.items():
        print(f"  {name:<36} {compose.title(path)}")
    if not entries and not models:
        raise UserError(f"nothing matches '{pattern}'")
    _failures(registry)


def _trained(registry: Registry, pattern: str, as_json: bool) -> None:
    found = [(model, plugin) for model, plugin in names.every(registry) if _matches(model.name, pattern or None)]
    if as_json:
        print_json(
            [
                {
                    "name": f"{names.ZOO}{model.name}",
                    "folder": str(model.path),
                    "distribution": plugin.dist,
                    "bytes": model.bytes,
                    "licence": model.header["data"]["licence"],
                    "records": model.records,
                }
                for model, plugin in found
            ]
        )
        return
    if not found:
        raise UserError(f"no trained model matches '{pattern}'" if pattern else "no trained model is installed")
    for model, plugin in found:
        dist = "" if plugin.dist == "ganzoo" else f"  [{plugin.dist}]"
        numbers = "  ".join(f"{short(name)} {value:.4g}" for name, value in list(model.values.items())[:MOST])
        numbers += ", …" if len(model.values) > MOST else ""
        print(f"{names.ZOO}{model.name:<32} {model.bytes / 1e6:5.2f} MB  {numbers}{dist}")
    if not names.has_more(registry):
        typer.echo(f"more: {names.EXTRA}", err=True)
    _failures(registry)


def _matches(name: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    return fnmatchcase(name, pattern if any(c in pattern for c in "*?[") else f"*{pattern}*")


def _plain(entry: Entry) -> dict[str, Any]:
    source = entry.source()
    return {
        "name": entry.id,
        "plugin": entry.plugin.name,
        "distribution": entry.plugin.dist,
        "version": entry.plugin.version,
        "file": source.file,
        "line": source.line,
        "summary": source.summary,
    }


def _failures(registry: Registry) -> None:
    for failure in registry.failures:
        typer.echo(f"warning: {failure}", err=True)


def plugins(as_json: Json = False, code: Code = None) -> None:
    """List plugins, what they add, and what is wrong with them."""
    registry = load_registry(code)
    added = _added(registry)
    if as_json:
        rows = [
            {**plugin._asdict(), **{word.replace(" ", "_"): count for word, count in what.items()}, "problem": None}
            for plugin, what in added.items()
        ]
        rows += [{**f.plugin._asdict(), "components": 0, "problem": str(f)} for f in registry.failures]
        print_json(rows)
        return
    for plugin, what in added.items():
        counted = [f"{count} {word if count > 1 else word[:-1]}" for word, count in what.items() if count]
        print(f"{plugin.name:<20} {plugin.dist} {plugin.version:<10} {', '.join(counted) or 'nothing'}")
    for layout in registry.layouts:
        if layout.target not in registry.entries:
            message = f"the layout {layout.name} is for {layout.target}, which no plugin adds"
            typer.echo(f"warning: {layout.plugin}: {message}", err=True)
    _failures(registry)


def _added(registry: Registry) -> dict[Plugin, dict[str, int]]:
    """How many of each kind of thing every plugin adds."""
    added = {
        "components": Counter(entry.plugin for entry in registry),
        "models": Counter[Plugin](),
        "trained models": Counter(plugin for _, _, plugin in names.trained(registry)),
        "layouts": Counter(layout.plugin for layout in registry.layouts),
        "run hooks": Counter[Plugin](),
    }
    for plugin, folder in registry.folders:
        added["models"][plugin] += len(compose.models(Registry(folders=[(plugin, folder)])))
    for plugin, module in zip(registry.plugins, registry.modules, strict=True):
        added["run hooks"][plugin] = sum(hasattr(module, hook) for hook in vars(RunHooks) if hook.startswith("on_"))
    return {plugin: {word: counts[plugin] for word, counts in added.items()} for plugin in registry.plugins}


def show(
    name: Annotated[str, typer.Argument(help="a component or a model", autocompletion=completion.components)],
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Show a component's signature and docstring, or a model's summary."""
    registry = load_registry(code)
    key = name.rpartition(":")[2]
    if key in registry.entries:
        _component(registry.find(name), as_json)
        return
    try:
        compose.find(name, registry)
    except UserError as error:
        if "/" in name or name.endswith(".yaml"):
            raise
        registry.find(name if "." in name else f"{name}.{name}")  # its message names components that are near
        raise error from None
    from ganzoo.cli.models import described
    from ganzoo.model import explain

    blueprint = described(name, (), registry).blueprint
    if as_json:
        print_json(explain.explain(blueprint))
    else:
        print(explain.text(blueprint))


def _component(entry: Entry, as_json: bool) -> None:
    import inspect

    from ganzoo.config.typecheck import describe
    from ganzoo.model.factory import EMPTY, arguments

    factory = entry.load()
    known = arguments(factory)
    doc = inspect.getdoc(factory) or ""
    source = entry.source()
    if as_json:
        rows = [
            {
                "name": a.name,
                "type": None if a.annotation is EMPTY else describe(a.annotation),
                "default": None if a.default is EMPTY else a.default,
                "required": a.default is EMPTY and not a.is_fact,
                "fact": a.is_fact,
            }
            for a in known.values()
        ]
        print_json({**_plain(entry), "arguments": rows, "doc": doc})
        return
    print(f"{entry.id}   {entry.plugin}   {source.file}:{source.line}\n")
    for argument in known.values():
        note = "   (read from the model if not given)" if argument.is_fact else ""
        print(f"  {argument}{note}")
    print(f"\n{doc}")
