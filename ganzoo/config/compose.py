"""Find a model file, merge what it extends, apply overrides, resolve interpolations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganzoo.config import layout
from ganzoo.config.tree import Node, Path_, read_file, read_value, wrap
from ganzoo.errors import Origin, Problem, UserError, did_you_mean
from ganzoo.registry import Registry

COMMAND_LINE = "command line"


def compose(model: str | Path, overrides: Mapping[str, Any] | Iterable[str], registry: Registry) -> tuple[str, Node]:
    """The name of a model and its complete tree: ``extends`` merged, overrides applied, interpolations resolved.

    Raises:
        UserError: with every problem found.
    """
    name, path = find(model, registry)
    tree = _extended(path, registry, ())
    problems: list[Problem] = []
    for key, value in _pairs(overrides, problems):
        tree = _override(tree, key, value, problems)
    _interpolate(tree, problems)
    _mandatory(tree, name, registry, problems)
    if problems:
        raise UserError(problems)
    return name, tree


def find(model: str | Path, registry: Registry) -> tuple[str, Path]:
    """The name and file of a model: a path, ``paper/variant``, or ``paper`` for ``paper/paper``.

    Raises:
        UserError: there is none.
    """
    text = str(model)
    if text.endswith((".yaml", ".yml")) or Path(text).is_file():
        path = Path(text)
        if not path.is_file():
            raise UserError(f"there is no file {text}" + _hint(text.rsplit(".", 1)[0], registry))
        for _, folder in registry.folders:
            if path.resolve().is_relative_to(folder):
                return path.resolve().relative_to(folder).with_suffix("").as_posix(), path
        return path.stem, path
    name = text if "/" in text else f"{text}/{text}"
    found = [path for _, folder in registry.folders if (path := folder / f"{name}.yaml").is_file()]
    if not found:
        raise UserError(f"there is no model '{text}'" + _hint(name, registry))
    if len(found) > 1:
        raise UserError(f"two plugins have a model '{name}': {' and '.join(map(str, found))}; give the path")
    return name, found[0]


def models(registry: Registry) -> dict[str, Path]:
    """Every model by name. Files in a folder named ``base`` are there to be extended, and are no models."""
    found = {}
    for _, folder in registry.folders:
        for path in folder.glob("**/*.yaml"):
            relative = path.relative_to(folder)
            if relative.parts[0] != "base":
                found[relative.with_suffix("").as_posix()] = path
    return dict(sorted(found.items()))


def title(path: Path) -> str:
    """The first line of a model file, its comment ``# Title, arXiv:…``."""
    with path.open(encoding="utf-8") as file:
        line = file.readline().strip()
    return line.lstrip("# ") if line.startswith("#") else ""


def _hint(name: str, registry: Registry) -> str:
    known = models(registry)
    paper = name.split("/")[0]
    variants = [m for m in known if m.startswith(f"{paper}/")]
    hint = did_you_mean(name, known)
    if variants and not hint:
        hint = f"there are {', '.join(variants)}"
    if not hint:
        papers = {m.split("/")[0] for m in known}
        hint = did_you_mean(paper, papers) or "`ganzoo list` shows them all"
    return f" ({hint})"


def _extended(path: Path, registry: Registry, chain: tuple[Path, ...]) -> Node:
    resolved = path.resolve()
    node = layout.normalise(read_file(path))
    if resolved in chain:
        names = " -> ".join(p.name for p in (*chain, resolved))
        raise UserError(Problem(f"extends in a circle: {names}", node.origin, "extends"))
    extends = node.value.pop("extends", None)
    merged: Node | None = None
    for item in extends.value if extends is not None else ():
        if not isinstance(item.value, str):
            raise UserError(Problem("should be a path or a list of paths", item.origin, "extends"))
        base = _extended(_base(item, path, registry), registry, (*chain, resolved))
        base.value.pop("about", None)  # what a file says of itself does not hold for those that extend it
        merged = layout.merge(merged, base)
    return layout.merge(merged, node)


def _base(item: Node, path: Path, registry: Registry) -> Path:
    name = item.value if item.value.endswith((".yaml", ".yml")) else f"{item.value}.yaml"
    candidates = [path.parent / name, *(folder / name for _, folder in registry.folders)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = {p.relative_to(f).as_posix() for _, f in registry.folders for p in f.glob("**/*.yaml")}
    known |= {p.name for p in path.parent.glob("*.yaml")} - {path.name}
    raise UserError(Problem(f"there is no file '{item.value}'", item.origin, "extends", did_you_mean(name, known)))


def _pairs(overrides: Mapping[str, Any] | Iterable[str], problems: list[Problem]) -> Iterable[tuple[str, Node]]:
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            yield key, wrap(value, Origin(f"override {key}"))
        return
    for text in overrides:
        key, equals, value = text.partition("=")
        origin = Origin(f"{COMMAND_LINE}: {text}")
        if not equals or not key.strip():
            hint = "options such as --out start with two dashes" if key.startswith("-") else "write path=value"
            problems.append(Problem("is not an override", origin, hint=hint))
            continue
        try:
            yield key.strip(), read_value(value, origin)
        except UserError as error:
            problems.extend(error.problems)


def _override(tree: Node, key: str, value: Node, problems: list[Problem]) -> Node:
    path = tuple(key.split("."))
    node: Node | None = tree
    for depth, piece in enumerate(path):
        if node is not None and not isinstance(node.value, dict):
            what = "a list: give it whole" if isinstance(node.value, list) else f"{node.plain()!r}, not a mapping"
            problems.append(Problem(f"{'.'.join(path[:depth])} is {what}", value.origin, key))
            return tree
        if node is not None and piece not in node.value and value.value is None and depth == len(path) - 1:
            if layout.holds_entries(path[:depth]):
                hint = did_you_mean(piece, node.value)
                problems.append(Problem(f"there is no '{piece}' to delete", value.origin, key, hint))
                return tree
        node = node.value.get(piece) if node is not None else None
    layer = value
    for piece in reversed(path):
        layer = Node({piece: layer}, value.origin)
    return layout.merge(tree, layout.normalise(layer))


def _interpolate(tree: Node, problems: list[Problem]) -> None:
    """Replace every ``${path}`` by its value; OmegaConf does the resolving."""
    pending = [(path, node) for path, node in tree.leaves() if isinstance(node.value, str) and "${" in node.value]
    if not pending:
        return
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config = OmegaConf.create(tree.plain())
    for path, node in pending:
        try:
            value = OmegaConf.select(config, _key(path), throw_on_missing=True)
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except (OmegaConfBaseException, ValueError) as error:
            text = str(error).split("\n")[0]
            known = [".".join(p) for p, _ in tree.leaves()]
            wanted = node.value.partition("${")[2].partition("}")[0]
            problems.append(
                Problem(f"cannot resolve {node.value!r}: {text}", node.origin, _key(path), did_you_mean(wanted, known))
            )
            continue
        node.value = wrap(value, node.origin).value


def _key(path: Path_) -> str:
    return ".".join(path)


def _mandatory(tree: Node, name: str, registry: Registry, problems: list[Problem]) -> None:
    for path, node in tree.leaves():
        if isinstance(node.value, str) and node.value == "???":
            key = _key(path)
            hint = f"give it: {key}=…"
            if path[0] == "data":
                hint += bundled_variants(name, registry)
            problems.append(Problem("is required and not given", node.origin, key, hint))


def bundled_variants(name: str, registry: Registry) -> str:
    """A sentence that names the models of the same paper whose data ships with a plugin."""
    paper = name.split("/")[0]
    bundled = {e.id for e in registry if e.kind == "data" and e.facts.get("bundled")}
    found = []
    for model, path in models(registry).items():
        if model.startswith(f"{paper}/") and model != name:
            try:
                use = _extended(path, registry, ()).get("data", "use")
            except UserError:
                continue
            if use is not None and use.value in bundled:
                found.append(model)
    return f"; on bundled data: {', '.join(found)}" if found else ""
