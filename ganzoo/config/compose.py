"""Find a model file, merge what it extends, apply overrides, resolve interpolations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

from ganzoo.config import layout, references
from ganzoo.config.tree import MISSING, Node, Path_, shown, wrap
from ganzoo.config.typecheck import coerce
from ganzoo.config.yaml12 import read_file, read_value
from ganzoo.errors import Origin, Problem, UserError, did_you_mean, listed, similar
from ganzoo.registry import Registry

COMMAND_LINE = "command line"
LACKING = "is required and not given"
IN_PYTHON = "model"  # the name of a model that no file holds
LIST = "`ganzoo list` shows them all"
_SHOWN = 200  # characters of an override in messages
_DEEPEST = 100  # keys of an override's path
_SCALARS = (str, int, float, bool, type(None))


def compose(
    model: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | Iterable[str],
    registry: Registry,
    problems: list[Problem],
    instead: Mapping[str, Any] | None = None,
) -> tuple[str, Node]:
    """The name of a model and its complete tree: ``extends`` merged, overrides applied, interpolations resolved.

    What goes wrong on the way is added to `problems`; the values concerned are left out of all further checks.

    Raises:
        UserError: there is no such model, or no tree can be made of its files.
    """
    if isinstance(model, Mapping):
        name, tree = IN_PYTHON, _merged(_given(model, problems), Path(IN_PYTHON), registry, (), problems)
    else:
        name, path = find(model, registry)
        tree = _extended(path, registry, (), problems)
    tree = override(tree, instead or {}, problems)
    tree = override(tree, overrides, problems)
    layout.prune(tree, (), problems)
    layout.settle(tree)
    _interpolate(tree, problems)
    _ladder(tree, registry, problems)
    tree = layout.normalise(tree)
    _mandatory(tree, name, registry, problems)
    return name, tree


def override(tree: Node, overrides: Mapping[str, Any] | Iterable[str], problems: list[Problem]) -> Node:
    """A tree with ``parts.G.width=64`` and the like put in; a component before its arguments, in whatever order."""
    ordered: list[tuple[str, Node]] = []
    for key, value in pairs(overrides, problems):
        chosen = key.removesuffix(".use") + "."
        inside = [place for place, (other, _) in enumerate(ordered) if other.startswith(chosen) and other != key]
        first = inside[0] if inside and isinstance(value.value, str) else len(ordered)
        ordered.insert(first, (key, value))
    for key, value in ordered:
        tree = _override(tree, key, value, problems)
    return tree


def find(model: str | Path, registry: Registry) -> tuple[str, Path]:
    """The name and file of a model: a path, ``paper/variant``, or ``paper`` for ``paper/paper``.

    Raises:
        UserError: there is none.
    """
    text = str(model)
    if text.endswith((".yaml", ".yml")) or _is_file(Path(text)):
        path = Path(text)
        if not _is_file(path):
            hint = _hint(text.rsplit(".", 1)[0], registry)
            raise UserError(Problem(f"there is no file {text}", hint="" if hint == LIST else hint))
        for _, folder in registry.folders:
            if path.resolve().is_relative_to(folder):
                return path.resolve().relative_to(folder).with_suffix("").as_posix(), path
        return path.stem, path
    name = text if "/" in text else f"{text}/{text}"
    found = [path for _, folder in registry.folders if _is_file(path := folder / f"{name}.yaml")]
    if not found:
        raise UserError(Problem(f"there is no model '{text}'", hint=_hint(name, registry)))
    if len(found) > 1:
        files = " and ".join(map(str, found))
        raise UserError(Problem(f"two plugins have a model '{name}': {files}", hint="give the path"))
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
    paper, _, variant = name.partition("/")
    variants = {m.partition("/")[2]: m for m in known if m.startswith(f"{paper}/")}
    if variants:
        near = similar(variant, variants) if variant != paper else []
        return did_you_mean(variants[near[0]], known) if near else f"there are {listed(variants.values())}"
    return did_you_mean(name, known) or did_you_mean(paper, {m.split("/")[0] for m in known}) or LIST


def _extended(path: Path, registry: Registry, chain: tuple[Path, ...], problems: list[Problem]) -> Node:
    return _merged(read_file(path, problems), path, registry, chain, problems)


def _given(model: Mapping[str, Any], problems: list[Problem]) -> Node:
    """A model that was written in Python."""
    node = wrap(model, Origin(IN_PYTHON))
    for path, leaf in node.leaves():
        if not isinstance(leaf.value, _SCALARS):
            message = f"a value of type {type(leaf.value).__name__} cannot stand in a config"
            problems.append(Problem(message, leaf.origin, _key(path), "numbers, texts, lists and dicts can"))
            leaf.value, leaf.reported = MISSING, True
    return node


def _merged(node: Node, path: Path, registry: Registry, chain: tuple[Path, ...], problems: list[Problem]) -> Node:
    """A model's own tree, merged over those that it extends; `path` is its file."""
    resolved = path.resolve()
    node = layout.normalise(node)
    extends = node.value.pop("extends", None)
    merged: Node | None = None
    if extends is not None and not isinstance(extends.value, list):  # normalised: a mapping, or null
        extends = Node([extends] if extends.value is not None else [], extends.origin)
    for item in extends.value if extends is not None else ():
        if not isinstance(item.value, str):
            problems.append(Problem("should be a path or a list of paths", item.origin, "extends"))
            continue
        base_path = _base(item, path, registry)
        if base_path.resolve() in (*chain, resolved):
            names = " -> ".join(p.name for p in (*chain, resolved, base_path))
            raise UserError(Problem(f"extends in a circle: {names}", item.origin, "extends"))
        base = _extended(base_path, registry, (*chain, resolved), problems)
        base.value.pop("about", None)  # what a file says of itself does not hold for those that extend it
        merged = layout.merge(merged, base)
    return layout.merge(merged, node)


def _base(item: Node, path: Path, registry: Registry) -> Path:
    """The file that a model extends: beside it, then in the folder of models that it is in, then in any plugin's.

    Raises:
        UserError: there is none, or two other plugins have one.
    """
    name = item.value if item.value.endswith((".yaml", ".yml")) else f"{item.value}.yaml"
    folders = list(dict.fromkeys(folder for _, folder in registry.folders))
    own = [folder for folder in folders if path.resolve().is_relative_to(folder)]
    near = next(filter(_is_file, [path.parent / name, *(folder / name for folder in own)]), None)
    found = [near] if near is not None else [place for folder in folders if _is_file(place := folder / name)]
    if len(found) == 1:
        return found[0]
    if found:
        files = " and ".join(map(str, found))
        raise UserError(Problem(f"two plugins have '{item.value}': {files}", item.origin, "extends", "give the path"))
    known = {p.relative_to(f).as_posix() for _, f in registry.folders for p in f.glob("**/*.yaml")}
    known |= {p.name for p in path.parent.glob("*.yaml")} - {path.name}
    hint = did_you_mean(name, known) or "give a model's name, or a path from this file's folder"
    raise UserError(Problem(f"there is no file '{item.value}'", item.origin, "extends", hint))


def _is_file(path: Path) -> bool:
    """Whether there is a file; a name that is too long for one names none."""
    try:
        return path.is_file()
    except OSError:
        return False


def pairs(overrides: Mapping[str, Any] | Iterable[str], problems: list[Problem]) -> Iterable[tuple[str, Node]]:
    """The keys and values of overrides; what is none becomes a problem."""
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            node = wrap(value, Origin(f"override {key}"))
            odd = {type(n.value).__name__ for _, n in node.leaves() if not isinstance(n.value, _SCALARS)}
            if odd:
                message = f"a value of type {' or '.join(sorted(odd))} cannot stand in a config"
                problems.append(Problem(message, node.origin, str(key), "numbers, texts, lists and dicts can"))
            else:
                yield str(key), node
        return
    for text in overrides:
        key, equals, value = text.partition("=")
        origin = Origin(f"{COMMAND_LINE}: {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}")
        if not equals or not key.strip() or key.startswith("-"):
            hint = "an option is followed by a space: `--out FOLDER`" if key.startswith("-") else "write path=value"
            problems.append(Problem("is not an override", origin, hint=hint))
            continue
        try:
            yield key.strip(), read_value(value, origin)
        except UserError as error:
            problems.extend(error.problems)


def _override(tree: Node, key: str, value: Node, problems: list[Problem]) -> Node:
    path = tuple(key.split("."))
    if not all(path) or path[0] == "extends" or len(path) > _DEEPEST:
        what = "cannot be overridden" if all(path) and path[0] == "extends" else "is no path"
        problems.append(Problem(what, value.origin, key[:_SHOWN], "write it as in parts.G.width=64"))
        return tree
    node: Node | None = tree
    origins, siblings = [], None
    for depth, piece in enumerate(path):
        node = None if node is not None and node.value is None else node
        if node is not None and not isinstance(node.value, dict):
            above = ".".join(path[:depth])
            what = "a list: give it whole" if isinstance(node.value, list) else f"{shown(node.plain())}, not a mapping"
            hint = f"give {above} first" if node.missing else ""
            problems.append(Problem(f"{above} is {what}", value.origin, key, hint))
            return tree
        origins.append(node.origin if node is not None else value.origin)
        if node is not None and piece not in node.value:
            siblings = piece, list(node.value)
        node = node.value.get(piece) if node is not None else None
    if siblings is not None and value.value is None and layout.holds_entries(path[:-1]):
        problems.append(Problem("there is nothing to delete", value.origin, key, did_you_mean(*siblings)))
        return tree
    layer = value
    for piece, origin in zip(reversed(path), reversed(origins), strict=True):
        layer = Node({piece: layer}, origin)
    return layout.merge(tree, layout.normalise(layer))


def _interpolate(tree: Node, problems: list[Problem]) -> None:
    """Replace every ``${path}`` by its value; OmegaConf does the resolving."""
    pending = [(path, node) for path, node in tree.leaves() if isinstance(node.value, str) and "${" in node.value]
    if not pending:
        return
    if reason := references.too_many(tree, pending):
        message = f"its references (`${{…}}`) cannot be resolved: {reason}"
        raise UserError([*problems, Problem(message, tree.origin, hint="write values where they are needed")])
    from omegaconf import OmegaConf
    from omegaconf.errors import GrammarParseError, InterpolationToMissingValueError, OmegaConfBaseException

    known = [_key(path) for path, _ in tree.leaves()]

    def give_up(path: Path_, node: Node, message: str = "") -> None:
        if message:
            wanted = node.value.partition("${")[2].partition("}")[0]
            hint = did_you_mean(wanted, known) or "`${train.batch}` stands for a value, `${oc.env:HOME}` for a variable"
            problems.append(Problem(f"cannot resolve `{node.value}`: {message}", node.origin, _key(path), hint))
        node.value, node.reported = MISSING, True

    for path, node in pending:
        try:
            OmegaConf.create({"text": node.value})
        except GrammarParseError:
            give_up(path, node, "it is no interpolation")
            continue
        if reason := references.refused(node.value):
            give_up(path, node, reason)
    config = OmegaConf.create(tree.plain())
    for path, node in pending:
        if node.reported:
            continue
        try:
            value: Any = config
            for key in path:
                value = value[int(key) if OmegaConf.is_list(value) else key]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except InterpolationToMissingValueError:
            give_up(path, node)  # what it refers to is reported where it stands
            continue
        except OmegaConfBaseException as error:
            text = str(error).split("\n")[0].split("resolving interpolation: ")[-1].strip('"')
            give_up(path, node, text[:1].lower() + text[1:])
            continue
        node.value = wrap(value, node.origin).value


def _key(path: Path_) -> str:
    return ".".join(path)


def _ladder(tree: Node, registry: Registry, problems: list[Problem]) -> None:
    """``phases: {use: phases.NAME, …}``: a component that writes out the phases, for long ladders.

    What stands beside its arguments under the name of a phase is merged over that phase.
    """
    node, use = tree.get("phases"), tree.get("phases", "use")
    if node is None or use is None or not isinstance(use.value, str) or use.missing:
        return
    try:
        factory = registry.find(use.value, ("phases",)).load()
        known = inspect.signature(factory).parameters
        over = {key: child for key, child in node.value.items() if key not in known and isinstance(child.value, dict)}
        given = {key: child for key, child in node.value.items() if key != "use" and key not in over}
        if wrong := _of_wrong_type(factory, given):
            raise UserError(wrong)
        made = factory(**{key: child.plain() for key, child in given.items()})
        if not isinstance(made, Mapping):
            raise TypeError(f"it gave {shown(made)}, which is no mapping of phases")
        if unknown := set(over) - set(made):
            raise TypeError(f"it has no argument, and gave no phase, '{min(unknown)}'")
        tree.value["phases"] = layout.merge(wrap(dict(made), node.origin), Node(over, node.origin), ("phases",))
    except UserError as error:
        problems += [p if p.origin else replace(p, origin=use.origin, path="phases.use") for p in error.problems]
        node.value, node.reported = MISSING, True
    except (TypeError, ValueError) as error:
        problems.append(Problem(f"{use.value}: {error}", use.origin, "phases"))
        node.value, node.reported = MISSING, True


def _of_wrong_type(factory: Callable[..., Any], given: Mapping[str, Node]) -> list[Problem]:
    """What is wrong with the arguments of a ladder, by its annotations."""
    try:
        wanted = get_type_hints(factory, include_extras=True)
    except Exception:  # annotations that do not resolve are not checked
        return []
    found = []
    for key, child in given.items():
        try:
            coerce(wanted.get(key, Any), child.plain())
        except TypeError as error:
            found.append(Problem(str(error), child.origin, f"phases.{key}"))
    return found


def _mandatory(tree: Node, name: str, registry: Registry, problems: list[Problem]) -> None:
    for path, node in tree.leaves():
        if node.missing and not node.reported:
            key = _key(path[:-1] if path[-1] == "use" else path)
            hint = f"give it: {key}=…"
            if path[0] == "data":
                hint += bundled_variants(name, registry)
            problems.append(Problem(LACKING, node.origin, key, hint))


def bundled_variants(name: str, registry: Registry) -> str:
    """A sentence that names the models of the same paper whose data ships with a plugin; none for such a model."""
    paper = name.split("/")[0]
    bundled = {e.id for e in registry if e.kind == "data" and e.facts.get("bundled")}
    found = []
    for model, path in models(registry).items():
        if model.startswith(f"{paper}/"):
            try:
                use = _extended(path, registry, (), []).get("data", "use")
            except UserError:
                continue
            if use is not None and use.value in bundled:
                found.append(model)
    return f"; on bundled data: {listed(found)}" if found and name not in found else ""
