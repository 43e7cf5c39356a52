"""A blueprint: everything about a model that is settled before it is built for real, and how it is built then."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ganzoo.config.expression import Attr, Call, Name, walk
from ganzoo.config.spec import Component, Part, Spec
from ganzoo.data.fields import Field
from ganzoo.data.reference import Reference
from ganzoo.errors import EvaluationError, Problem, UserError
from ganzoo.model import factory
from ganzoo.model.modes import keep_fixed, lay_out
from ganzoo.model.rewrite import rewrite
from ganzoo.model.turn import Turn
from ganzoo.parallel import draw
from ganzoo.parallel.shards import Shards

DRY_BATCH = 2


@dataclass
class Blueprint:
    """Everything about a model that is settled before it is built for real.

    `args` holds the complete arguments of every component by its path in the YAML: given, facts, and defaults.
    `parts` are throw-away parts on `device`; `shapes` are those that the dry run saw, `computed` the named values that
    it computed in each turn, by phase and player, `called` the modules that it called of parts to be sharded.
    """

    spec: Spec
    data: Any
    fields: dict[str, Field]
    device: torch.device
    factories: dict[str, Callable[..., Any]] = field(default_factory=dict)
    args: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    computed: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    called: dict[str, set[str]] = field(default_factory=dict)
    reference: Reference | None = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Blueprint of {self.spec.name}: parts {', '.join(self.parts)}; shapes {self.shapes}>"

    @cached_property
    def inputs(self) -> Reference:
        """Where metrics take the model's inputs from: what its data holds out, or else what it trains on."""
        assert self.spec.data is not None
        split = "train" if self.data.held_out() is None else "held_out"
        return Reference(self.data, self.spec.data.entry.id, split)

    def kind(self, name: str) -> str | None:
        part = self.spec.parts.get(name)
        return part.kind if part is not None else None

    def make(self, component: Component) -> Any:
        """A component made with its complete arguments."""
        return factory.make(component, self.factories[component.path], self.args[component.path])

    def build(
        self, device: torch.device | str, names: Collection[str] | None = None, shards: Shards | None = None
    ) -> dict[str, Any]:
        """The parts for real, or those of these names; with `shards`, of some of them only this process's pieces.

        Each starts from a seed of its own, so that changing one leaves the others alone.
        """
        parts = {}
        for name, part in self.spec.parts.items():
            if name not in self.parts or (names is not None and name not in names):
                continue  # a metric of data that is not here, or not needed
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(draw.seed_of(self.spec.train.seed, "init", name))
                parts[name] = self.put_on(part, self.make(part))
            if isinstance(parts[name], nn.Module):
                if self.spec.train.rewrite:
                    rewrite(parts[name])
                if part.shard and shards is not None:
                    shards.add(name, parts[name], self.called.get(name, ()), self.methods(name))
                    keep_fixed(parts[name])
                    continue
                parts[name].to(device)
                lay_out(parts[name])
        return parts

    def methods(self, name: str) -> set[str]:
        """The methods of a part that the model's equations call."""
        pieces = (piece for value in self.spec.equations() for piece in walk(value.expr))
        calls = [piece.func for piece in pieces if isinstance(piece, Call) and isinstance(piece.func, Attr)]
        return {func.field for func in calls if func.base == Name(name)}

    def put_on(self, part: Part, built: Any) -> Any:
        """What ``with:`` lists, put on a part in its order."""
        for put in part.puts.values():
            if not hasattr(self.factories[put.path], "attach"):
                hint = "call it in the flow" if put.kind == "augment" else "use it under minimize: or after:"
                message = f"{put.entry.id} cannot be put on a part: it has no attach(part)"
                raise UserError(Problem(message, put.origin, put.path, hint))
            tool = self.make(put)
            try:
                built = tool.attach(built) or built
            except (ValueError, TypeError, AttributeError) as error:
                message = f"{put.entry.id} cannot be put on {part.entry.id}: {error}"
                raise UserError(Problem(message, put.origin, put.path)) from error
        if isinstance(built, nn.Module):
            keep_fixed(built)
        return built


def load_factories(spec: Spec) -> dict[str, Callable[..., Any]]:
    """The factory of every component by path, with the YAML's arguments checked against all of them.

    Raises:
        UserError: with every problem found.
    """
    problems: list[Problem] = []
    found: dict[str, Callable[..., Any]] = {}
    seen: dict[str, Component] = {}
    for component in spec.components():
        if component.path not in seen:
            seen[component.path] = component
            made = factory.check(component, problems)
            if made is not None:
                found[component.path] = made
        elif component.path in found:
            component.args = seen[component.path].args
    if problems:
        raise UserError(problems)
    return found


def make_data(component: Component | None, factories: dict[str, Callable[..., Any]]) -> Any:
    """A data component; its files are only opened when it is asked for what the YAML does not state."""
    if component is None:
        return None
    maker = factories[component.path]
    return factory.make(component, maker, factory.complete(component, maker, {}))


def make_reference(spec: Spec, factories: dict[str, Callable[..., Any]], data: Any) -> Reference | None:
    """What metrics measure against: a split of the data, or of ``evaluate.against``."""
    component = spec.against or spec.data
    if component is None:
        return None
    source = data if spec.against is None else make_data(component, factories)
    return Reference(source, component.entry.id, spec.evaluate.split)


@contextmanager
def reading(component: Component | None) -> Iterator[None]:
    """What a data component complains of inside the block stands at its line."""
    try:
        yield
    except UserError as error:
        if component is None:
            raise
        raise UserError(p if p.origin else _at_data(p, component) for p in error.problems) from error


def _at_data(problem: Problem, data: Component) -> Problem:
    """A problem of the data at the argument whose value it speaks of, or else at the component."""
    for key, value in data.args.items():
        text = os.path.expanduser(value) if isinstance(value, str | os.PathLike) else ""
        if text and text in problem.message:
            return replace(problem, origin=data.at(key), path=f"{data.path}.{key}")
    return replace(problem, origin=data.origin, path=data.path)


def dry_turn(blueprint: Blueprint, player: str = "", rows: int = DRY_BATCH) -> Turn:
    """A turn with a made-up batch, of two if not given, on the blueprint's device."""
    draws = draw.Draws((0, "dry", player), blueprint.device)
    batch = {name: f.batch(rows, blueprint.device) for name, f in blueprint.fields.items()}
    return Turn(batch, rows, 0, draws, player)


def note(error: EvaluationError, problems: list[Problem], hint: str = "") -> None:
    """An error as a problem, unless the same equation is among them already: one player's message is enough."""
    problem = replace(error.problem(), hint=hint)
    if not any((p.origin, p.path) == (problem.origin, problem.path) for p in problems):
        problems.append(problem)


def no_meta(error: BaseException | None) -> bool:
    """Whether the meta device, not the model, is what failed."""
    while error is not None:
        if isinstance(error, NotImplementedError) or re.search("meta (device type )?tensor", str(error).lower()):
            return True
        error = error.__cause__
    return False
