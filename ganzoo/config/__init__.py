"""From YAML to a checked description of a model. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganzoo.config import changes, compose, habits, layout, static
from ganzoo.config.read import Reader
from ganzoo.config.spec import Component, Spec
from ganzoo.config.tree import Node, wrap
from ganzoo.errors import Origin, Problem, UserError
from ganzoo.registry import Entry, Registry, plugins


def load(
    model: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | Iterable[str],
    registry: Registry,
    instead: Mapping[str, Any] | None = None,
) -> Spec:
    """A model, composed and checked as far as that goes without importing a component.

    Raises:
        UserError: with every problem found.
    """
    problems: list[Problem] = []
    name, tree = compose.compose(model, overrides, registry, problems, instead)
    locked = tree.get("locked", "model")  # a run's locked.yaml keeps the name of its model
    spec = _checked(name if locked is None else str(locked.value), tree, registry, problems)
    if tree.get("locked", "changes") is not None:
        spec.warnings.append(f"the run that wrote {model} was changed on its way; it holds the last of its settings")
    return spec


def from_plain(
    name: str,
    config: Mapping[str, Any],
    where: str,
    registry: Registry,
    moved: Iterable[str] = (),
    measure: Mapping[str, Any] | None = None,
) -> Spec:
    """A model from a complete config, such as a checkpoint holds; `where` stands for the file in messages.

    Where its data and its device are can have `moved`, such as ``data.root=FOLDER``, and ``train.graphs`` and which
    parts are sharded, which shall change no number; so can what a run may change on its way (`ganzoo.config.changes`).
    If it is to `measure` something, by these overrides, that is ``evaluate.…``, the arguments of metrics, extractors
    and priors, and parts to add instead.

    Raises:
        UserError: with every problem found, such as a plugin that is not installed.
    """
    problems: list[Problem] = []
    tree = compose.override(layout.normalise(wrap(config, Origin(where))), measure or {}, problems)
    free = ["data.", "train.device=", "train.graphs=", *(f"parts.{name}.shard=" for name in config["parts"])]
    if measure is not None:
        measuring = [k for k, v in tree.value["parts"].value.items() if _kind(v) in ("metric", "extractor", "prior")]
        free += ["evaluate.", *(f"parts.{name}." for name in measuring)]
    moved, changing = list(moved), []
    for text in moved:
        name_of_part = text.partition("=")[0].split(".")[1:2]
        adds = measure is not None and text.startswith("parts.") and name_of_part[0] not in config["parts"]
        if adds or (text.startswith(tuple(free)) and not text.startswith("data.use=")):
            continue
        if measure is None and not text.startswith(("data.", "parts.")):
            changing.append(text)
            continue
        measured = "data.…, train.device, train.graphs, parts.NAME.shard, evaluate.…, metrics, extractors, priors"
        only = measured if measure is not None else changes.MAY
        hint = f"only {only} can; {changes.ELSEWHERE}"
        problems.append(Problem("cannot be changed in a run", Origin(f"{compose.COMMAND_LINE}: {text}"), hint=hint))
    tree = compose.override(tree, [text for text in moved if text not in changing], problems)
    if changing:
        known, tree = tree.plain(), compose.override(tree, changing, problems)
        problems += changes.check(known, tree, changing, compose.COMMAND_LINE)
    return _checked(name, tree, registry, problems)


def _kind(part: Node) -> str:
    use = part.value.get("use") if isinstance(part.value, dict) else None
    return str(use.value).rpartition(":")[2].partition(".")[0] if use is not None else ""


def component(
    entry: Entry, args: Mapping[str, Any], overrides: Iterable[str], registry: Registry, where: str = "command line"
) -> Component:
    """A component that is in no model, such as the reader of a folder: its arguments, and more of them as ``k=v``.

    Raises:
        UserError: with every problem found.
    """
    problems: list[Problem] = []
    tree = wrap({"use": entry.id, **args}, Origin(where))
    for key, value in compose.pairs(overrides, problems):
        tree = layout.merge(tree, Node({key: value}, value.origin))
    found = Reader(plugins.use(registry), problems).component(tree, entry.kind, (entry.kind,))
    if problems:
        raise UserError(in_order(problems))
    return found


def _checked(name: str, tree: Node, registry: Registry, problems: list[Problem]) -> Spec:
    reader = Reader(plugins.use(registry), problems)
    epochs = habits.written_epochs(tree)
    spec = reader.spec(name, tree)
    problems += static.check(spec)
    if problems:
        raise UserError(in_order(habits.counted(problems, epochs, spec)))
    return spec


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems file by file in the order of their lines."""
    problems, nowhere = list(problems), Origin("")
    files = list(dict.fromkeys((p.origin or nowhere).file for p in problems))
    return sorted(problems, key=lambda p: (files.index((p.origin or nowhere).file), (p.origin or nowhere).line or 0))
