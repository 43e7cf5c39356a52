"""Facts: what the YAML need not repeat, read from a part's first call or from the data's fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ganzoo.config.expression import Call, Expr, Name, has_hole, root, walk
from ganzoo.config.spec import Part, Spec, Value
from ganzoo.contract import first
from ganzoo.data.fields import Field
from ganzoo.errors import EvaluationError, Problem, UserError, choices
from ganzoo.model import factory
from ganzoo.model.blueprint import Blueprint, dry_turn, no_meta, note
from ganzoo.model.calls import forward_of
from ganzoo.model.program import Program
from ganzoo.parallel import draw


class Facts:
    """Builds parts on demand, in the order in which the flow needs them, reading facts from their first calls."""

    def __init__(self, blueprint: Blueprint):
        self.blueprint = blueprint
        self.spec = blueprint.spec
        self.program = Program(self.spec.flow, self.part, blueprint.kind, dry=blueprint.device.type == "meta")
        self.turn = dry_turn(blueprint)
        self.building: list[str] = []

    def fill(self) -> None:
        """Build every part, once, on the device of the blueprint.

        Raises:
            UserError: with every problem found.
            EvaluationError: the meta device failed, so that another has to be tried.
        """
        problems: list[Problem] = []
        for name, part in self.spec.parts.items():
            if part.kind == "metric" and self.blueprint.reference is None:
                continue
            try:
                with draw.using(self.turn.draws):
                    self.part(name)
            except UserError as error:
                hint = f"nothing uses it: parts.{name}=null" if name in self.spec.unused else ""
                problems += [replace(problem, hint=problem.hint or hint) for problem in error.problems]
            except EvaluationError as error:
                if self.blueprint.device.type == "meta" and no_meta(error):
                    raise
                note(error, problems)
        if problems:
            raise UserError(problems)

    def part(self, name: str) -> Any:
        """A part by name, built with its facts when it is first asked for."""
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
                    puts = blueprint.factories[put.path]
                    blueprint.args[put.path] = factory.complete(put, puts, self.facts(asks, puts))
                with torch.device(blueprint.device):
                    blueprint.parts[name] = blueprint.put_on(part, blueprint.make(part))
                self.settings(part, blueprint.parts[name])
            finally:
                self.building.pop()
        return blueprint.parts[name]

    def settings(self, part: Part, built: Any) -> None:
        """Settings of a part that would do nothing are refused."""
        modules = list(built.modules()) if isinstance(built, nn.Module) else []
        makers = (self.blueprint.factories[made.path] for made in (part, *part.puts.values()))
        taken = {argument for maker in makers for argument in factory.arguments(maker)}
        asks = {*factory.OUTPUT_FACTS, "num_classes"} & taken
        idle = {
            "like": "asks nothing of a data field" if part.like is not None and not asks else "",
            "eval_bn": "has no batch norm" if part.eval_bn != "running" and not _any(modules, _BatchNorm) else "",
            "shard": "has no parameters" if part.shard and not any(m._parameters for m in modules) else "",
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
            except Unknown as unknown:
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
        """One fact for a part.

        Raises:
            Unknown: it cannot be read from the model.
        """
        if name == "data":
            return self.blueprint.data
        if name == "reference":
            if self.blueprint.reference is None:
                raise Unknown("the model has no data", "give `evaluate.against:` a data component")
            return self.blueprint.reference
        if name in factory.OUTPUT_FACTS:
            ranges = {field.range for field in self.blueprint.fields.values() if field.kind == "image"}
            if name == "in_range" and part.like is None and len(ranges) == 1:  # whichever image is meant
                return ranges.pop()
            return _output_fact(name, self.like(part))
        if name in factory.TEXT_FACTS:
            found = {field.encoder for field in self.blueprint.fields.values() if field.kind == "text"}
            if len(found) != 1:
                raise Unknown("the data has no texts" if not found else "the data has texts of several encoders")
            return found.pop()
        if name == "steps":
            return sum(phase.steps for phase in self.blueprint.spec.phases.values())
        if name in factory.ENGINE_FACTS:
            raise Unknown("only optimizers and schedules are given it")
        parameter = factory.INPUT_FACTS[name]
        signature = forward_of(maker)
        if name == "num_classes" and parameter not in (signature or {}):
            return _classes(self.like(part, "label"))
        if signature is None or parameter not in signature:
            raise Unknown(f"{part.entry.id} has no parameter '{parameter}' to read it from")
        where, expr = self.first_argument(part.name, parameter, signature)
        if name == "num_classes":
            return self.num_classes(where, expr)
        return _input_fact(name, self.tensor(where, expr), expr)

    def tensor(self, where: Value, expr: Expr) -> torch.Tensor:
        """A piece of an equation, computed."""
        value = first(self.program.value(where, expr)(self.turn))
        if not isinstance(value, torch.Tensor):
            raise Unknown(f"`{expr}` is no tensor")
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
                raise Unknown(f"the data has {len(found)} {wanted} fields", f"write {lines}")
        raise Unknown(f"the data has no {kind or 'image'} field")

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
            raise Unknown(f"{name} is never called, so there is nothing to read it from")
        raise Unknown(f"no call of {name} gives '{parameter}'")

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
        raise Unknown(f"`{expr}` does not say how many classes it has")


def _any(modules: list[nn.Module], kind: type) -> bool:
    return any(isinstance(module, kind) for module in modules)


class Unknown(Exception):
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


def _input_fact(name: str, value: Any, expr: Expr) -> Any:
    shape = tuple(value.shape[1:])
    if name in ("z_dim", "text_dim", "features_dim"):
        if len(shape) != 1:
            raise Unknown(f"`{expr}` is {_by(shape)}, not a vector")
        return shape[0]
    if name == "in_shape":
        return shape
    if len(shape) != 3:
        raise Unknown(f"`{expr}` is {_by(shape)}, not an image")
    return shape[0] if name in ("in_channels", "cond_channels") else shape[1:]


def misfit(blueprint: Blueprint, error: EvaluationError) -> str:
    """What a part was made for, where it failed because it was given something else; empty if that is not why."""
    called: tuple[str, dict[str, Any]] = getattr(error.__cause__, "called", ("", {}))
    name, given = called
    part = blueprint.spec.parts.get(name)
    known = blueprint.args.get(part.path, {}) if part is not None else {}
    for fact, parameter in factory.INPUT_FACTS.items():
        value = first(given.get(parameter))
        if fact not in known or fact == "num_classes" or not isinstance(value, torch.Tensor):
            continue
        try:
            found = _input_fact(fact, value, Name(parameter))
        except Unknown:
            continue
        made_for = tuple(known[fact]) if isinstance(known[fact], list | tuple) else known[fact]
        if found != made_for:
            was, now = (_by(size) if isinstance(size, tuple) else size for size in (made_for, found))
            read = ", which its first call says" if fact in blueprint.facts.get(name, {}) else ""
            return f"{name} was made for {fact} {was}{read}, and is given {now}"
    return ""


def _output_fact(name: str, like: Field) -> Any:
    if name in ("out_range", "in_range"):
        return like.range
    if name == "out_blocks":
        return like.blocks
    if name == "out_shape":
        return like.shape
    if len(like.shape) != 3:
        raise Unknown(f"the data's field is {_by(like.shape)}, not an image")
    return like.shape[0] if name == "out_channels" else like.shape[1:]


def _classes(like: Field) -> int:
    if like.kind != "label" or not like.classes:
        raise Unknown("the data's field has no classes")
    return len(like.classes)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
