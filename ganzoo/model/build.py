"""From a spec to parts: factories checked, facts read from the flow, parts built on the meta device and for real."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_type_hints

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ganzoo import draw
from ganzoo.config import static
from ganzoo.config.spec import Component, Part, Spec, Value
from ganzoo.contract import first
from ganzoo.errors import EvaluationError, Problem, UserError, choices
from ganzoo.expression import Call, Expr, Name, has_hole, root, walk
from ganzoo.fields import Field
from ganzoo.model import factory
from ganzoo.model.modes import keep_fixed, lay_out
from ganzoo.model.program import Program, Turn, bound
from ganzoo.model.rewrite import rewrite
from ganzoo.reference import Reference

DRY_BATCH = 2


@dataclass
class Blueprint:
    """Everything about a model that is settled before it is built for real.

    `args` holds the complete arguments of every component by its path in the YAML: given, facts, and defaults.
    `parts` are throw-away parts on `device`; `shapes` are those that the dry run saw, `computed` the named values that
    it computed in each turn, by phase and player.
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
    reference: Reference | None = None
    notes: list[str] = field(default_factory=list)

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

    def build(self, device: torch.device | str, names: Collection[str] | None = None) -> dict[str, Any]:
        """The parts for real, or those of these names.

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
                parts[name].to(device)
                if self.spec.train.rewrite:
                    rewrite(parts[name])
                lay_out(parts[name])
        return parts

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


def draw_up(
    spec: Spec, fields: dict[str, Field] | None = None, device: str = "meta", measuring: bool = False
) -> Blueprint:
    """A blueprint: factories and data checked, every fact filled, every part built once on `device`.

    With `fields` the data itself is not needed: a checkpoint brings them. Only metrics, if `measuring`, read it.

    Raises:
        UserError: with every problem found.
    """
    factories = load_factories(spec)
    data = reference = None
    if fields is None or measuring:
        data = make_data(spec.data, factories)
        reference = make_reference(spec, factories, data)
    if fields is None:
        with reading(spec.data):
            fields = dict(data.fields) if data is not None else {}
    rows(spec, fields)
    if spec.fields is None:
        spec.found_fields = list(fields)
        problems = static.check(spec)
        if problems:
            raise UserError(problems)
    blueprint = Blueprint(spec, data, fields, torch.device(device), factories, reference=reference)
    puts = {put.path for part in spec.parts.values() for put in part.puts.values()}
    for component in spec.components():
        if component.path in factories and not isinstance(component, Part) and component.path not in puts:
            blueprint.args[component.path] = factory.complete(component, factories[component.path], {})
    _Facts(blueprint).fill()
    return blueprint


def rows(spec: Spec, fields: dict[str, Field]) -> None:
    """A picture's rows are those of a label."""
    name = spec.show.rows
    labels = [key for key, found in fields.items() if found.kind == "label"]
    if name is not None and name not in labels:
        hint = choices(name, labels) or "the data has no labels"
        raise UserError(Problem(f"there is no label '{name}'", spec.origins.get("show.rows"), "show.rows", hint))


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
        if isinstance(value, str) and value and value in problem.message:
            return replace(problem, origin=data.at(key), path=f"{data.path}.{key}")
    return replace(problem, origin=data.origin, path=data.path)


class _Facts:
    """Builds parts on demand, in the order in which the flow needs them, reading facts from their first calls."""

    def __init__(self, blueprint: Blueprint):
        self.blueprint = blueprint
        self.spec = blueprint.spec
        self.program = Program(self.spec.flow, self.part, blueprint.kind, dry=blueprint.device.type == "meta")
        self.turn = dry_turn(blueprint)
        self.building: list[str] = []

    def fill(self) -> None:
        problems: list[Problem] = []
        for name, part in self.spec.parts.items():
            if part.kind == "metric" and self.blueprint.reference is None:
                continue
            try:
                with draw.using(self.turn.draws):
                    self.part(name)
            except UserError as error:
                problems += error.problems
            except EvaluationError as error:
                if self.blueprint.device.type == "meta" and no_meta(error):
                    raise
                note(error, problems)
        if problems:
            raise UserError(problems)

    def part(self, name: str) -> Any:
        blueprint = self.blueprint
        if name not in blueprint.parts:
            part = self.spec.parts[name]
            if name in self.building:
                circle = " -> ".join([*self.building[self.building.index(name) :], name])
                message = f"its facts depend on themselves: {circle}"
                raise UserError(Problem(message, part.origin, part.path, "state one, such as in_channels or z_dim"))
            self.building.append(name)
            try:
                maker = blueprint.factories[part.path]
                facts = blueprint.facts[name] = self.facts(part, maker)
                blueprint.args[part.path] = factory.complete(part, maker, facts)
                for put in part.puts.values():
                    asks = Part(put.path, put.entry, put.args, put.origin, put.origins, name, part.like)
                    maker = blueprint.factories[put.path]
                    blueprint.args[put.path] = factory.complete(put, maker, self.facts(asks, maker))
                with torch.device(blueprint.device):
                    blueprint.parts[name] = blueprint.put_on(part, blueprint.make(part))
                self.settings(part, maker, blueprint.parts[name])
            finally:
                self.building.pop()
        return blueprint.parts[name]

    def settings(self, part: Part, maker: Callable[..., Any], built: Any) -> None:
        """Settings of a part that would do nothing are refused."""
        modules = list(built.modules()) if isinstance(built, nn.Module) else []
        asks = {*factory.OUTPUT_FACTS, "num_classes"} & set(factory.arguments(maker))
        idle = {
            "like": "asks nothing of a data field" if part.like is not None and not asks else "",
            "eval_bn": "has no batch norm" if part.eval_bn == "batch" and not _any(modules, _BatchNorm) else "",
            "eval_dropout": "has no dropout" if part.eval_dropout and not _any(modules, _DropoutNd) else "",
        }
        for key, why in idle.items():
            if why:
                message = f"{part.entry.id} {why}"
                raise UserError(Problem(message, part.at(key), f"{part.path}.{key}", f"leave `{key}` out"))

    def facts(self, part: Part, maker: Callable[..., Any]) -> dict[str, Any]:
        """The facts that this factory asks for and the YAML does not state."""
        found: dict[str, Any] = {}
        missing: dict[tuple[str, str], list[str]] = {}
        for argument in factory.arguments(maker).values():
            if not argument.is_fact or argument.name in part.args:
                continue
            try:
                value = self.fact(argument.name, part, maker)
            except _Unknown as unknown:
                if argument.default is factory.EMPTY:
                    missing.setdefault((str(unknown), unknown.hint), []).append(argument.name)
                continue
            found[argument.name] = value
        problems = []
        for (reason, hint), names in missing.items():
            message = f"{part.entry.id} needs {' and '.join(names)}, but {reason}"
            hint = hint or " and ".join(f"write `{name}: …`" for name in names)
            problems.append(Problem(message, part.origin, part.path, hint))
        if problems:
            raise UserError(problems)
        return found

    def fact(self, name: str, part: Part, maker: Callable[..., Any]) -> Any:
        if name == "data":
            return self.blueprint.data
        if name == "reference":
            if self.blueprint.reference is None:
                raise _Unknown("the model has no data", "give `evaluate.against:` a data component")
            return self.blueprint.reference
        if name in factory.OUTPUT_FACTS:
            return _output_fact(name, self.like(part))
        parameter = factory.INPUT_FACTS[name]
        signature = forward_of(maker)
        if name == "num_classes" and parameter not in (signature or {}):
            return _classes(self.like(part, "label"))
        if signature is None or parameter not in signature:
            raise _Unknown(f"{part.entry.id} has no parameter '{parameter}' to read it from")
        where, expr = self.first_argument(part.name, parameter, signature)
        if name == "num_classes":
            return self.num_classes(where, expr)
        return _input_fact(name, self.tensor(where, expr), expr)

    def tensor(self, where: Value, expr: Expr) -> torch.Tensor:
        """A piece of an equation, computed."""
        value = first(self.program.value(where, expr)(self.turn))
        if not isinstance(value, torch.Tensor):
            raise _Unknown(f"`{expr}` is no tensor")
        return value

    def like(self, part: Part, kind: str = "") -> Field:
        """The data field that a part's output resembles."""
        fields = self.blueprint.fields
        if part.like is not None:
            if part.like not in fields:
                near = choices(part.like, fields)
                message = f"there is no data field '{part.like}'"
                raise UserError(Problem(message, part.at("like"), f"{part.path}.like", near))
            return fields[part.like]
        for wanted in [kind] if kind else ["image", "vector"]:
            found = [name for name, f in fields.items() if f.kind == wanted]
            if len(found) == 1:
                return fields[found[0]]
            if found:
                lines = " or ".join(f"`like: {name}`" for name in found)
                raise _Unknown(f"the data has {len(found)} {wanted} fields", f"write {lines}")
        raise _Unknown(f"the data has no {kind or 'image'} field")

    def first_argument(self, name: str, parameter: str, signature: dict[str, inspect.Parameter]) -> tuple[Value, Expr]:
        """What the part's first call gives for a parameter of its ``forward``, and the equation it stands in."""
        order = list(signature)
        calls = [(value, call) for value, call in calls_of(name, self.spec) if isinstance(call.func, Name)]
        for value, call in calls:
            given = dict(call.kwargs) | dict(zip(order, call.args, strict=False))
            found = given.get(parameter)
            part = isinstance(found, Name) and found.id in self.spec.parts  # a mistake that the call itself will show
            if found is not None and not has_hole(found) and not part:
                return value, found
        if not calls:
            raise _Unknown(f"{name} is never called, so there is nothing to read it from")
        raise _Unknown(f"no call of {name} gives '{parameter}'")

    def num_classes(self, where: Value, expr: Expr) -> int:
        """How many classes a label has: those of the data's field, of the prior it is drawn from, or its width."""
        fields = self.blueprint.fields
        while isinstance(expr, Name) and expr.id in self.spec.flow:
            expr = self.spec.flow[expr.id].expr
        if isinstance(expr, Name) and expr.id in fields:
            return _classes(fields[expr.id])
        source = root(expr.func) if isinstance(expr, Call) else None
        classes = getattr(self.part(source), "num_classes", None) if source else None
        if isinstance(classes, int):
            return classes
        value = self.tensor(where, expr)
        if value.ndim == 2:
            return value.shape[1]
        raise _Unknown(f"`{expr}` does not say how many classes it has")


def _any(modules: list[nn.Module], kind: type) -> bool:
    return any(isinstance(module, kind) for module in modules)


def dry_turn(blueprint: Blueprint, player: str = "", step: int = 0, rows: int = DRY_BATCH) -> Turn:
    """A turn with a made-up batch, of two if not given, on the blueprint's device."""
    draws = draw.Draws((0, "dry", player), blueprint.device)
    batch = {name: f.batch(rows, blueprint.device) for name, f in blueprint.fields.items()}
    return Turn(batch, rows, step, draws, player)


class _Unknown(Exception):
    """A fact that cannot be read; the message says why."""

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


def calls_of(name: str, spec: Spec) -> Iterator[tuple[Value, Call]]:
    """The calls of a part, each with its equation, in the order of the flow and the terms, innermost first."""

    def equations() -> Iterator[Value]:
        seen = set()
        for value in spec.equations():
            if value.text not in seen:
                seen.add(value.text)
                yield value

    for value in equations():
        for piece in reversed(list(walk(value.expr))):
            if isinstance(piece, Call) and root(piece.func) == name:
                yield value, piece


def forward_of(maker: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The parameters of the ``forward`` (or ``__call__``) of what a factory makes, or None if that is not known."""
    made = maker
    if not isinstance(maker, type):
        try:
            made = get_type_hints(maker).get("return", None)  # type: ignore[assignment]
        except Exception:  # unresolvable annotations tell nothing
            return None
        if not isinstance(made, type) or made is nn.Module:
            return None
    method = getattr(made, "forward", None) or getattr(made, "__call__", None)  # noqa: B004
    return dict(bound(method).parameters) if inspect.isfunction(method) else None


def _input_fact(name: str, value: Any, expr: Expr) -> Any:
    shape = tuple(value.shape[1:])
    if name in ("z_dim", "text_dim", "features_dim"):
        if len(shape) != 1:
            raise _Unknown(f"`{expr}` is {_by(shape)}, not a vector")
        return shape[0]
    if name == "in_shape":
        return shape
    if len(shape) != 3:
        raise _Unknown(f"`{expr}` is {_by(shape)}, not an image")
    return shape[0] if name in ("in_channels", "cond_channels") else shape[1:]


def _output_fact(name: str, like: Field) -> Any:
    if name in ("out_range", "in_range"):
        return like.range
    if name == "out_shape":
        return like.shape
    if len(like.shape) != 3:
        raise _Unknown(f"the data's field is {_by(like.shape)}, not an image")
    return like.shape[0] if name == "out_channels" else like.shape[1:]


def _classes(like: Field) -> int:
    if like.kind != "label" or not like.classes:
        raise _Unknown("the data's field has no classes")
    return len(like.classes)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def note(error: EvaluationError, problems: list[Problem]) -> None:
    """An error as a problem, unless the same equation is among them already: one player's message is enough."""
    problem = error.problem()
    if not any((p.origin, p.path) == (problem.origin, problem.path) for p in problems):
        problems.append(problem)


def no_meta(error: BaseException | None) -> bool:
    """Whether the meta device, not the model, is what failed."""
    while error is not None:
        if isinstance(error, NotImplementedError) or "meta tensor" in str(error).lower():
            return True
        error = error.__cause__
    return False
