"""The dry run: every term of every phase once, batch 2, on the meta device: shapes, gradients, optimizers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.config.expression import Call, Name, arguments, has_hole, names, root, walk
from ganzoo.config.spec import Component, Phase, Player, Spec, Term
from ganzoo.contract import first, shape_of
from ganzoo.data.fields import Field
from ganzoo.errors import EvaluationError, Problem, UserError, without
from ganzoo.model import backward, build, modes, sharding
from ganzoo.model.blueprint import DRY_BATCH, Blueprint, dry_turn, no_meta, note
from ganzoo.model.facts import misfit
from ganzoo.model.light import without_compiler
from ganzoo.model.optim import Schedules, make_optimizer, make_schedule
from ganzoo.model.program import Program
from ganzoo.parallel import draw


def check(spec: Spec, fields: dict[str, Field] | None = None, device: str = "meta") -> Blueprint:
    """The blueprint of a model, tried out. What cannot run on the meta device runs on the CPU, and a note says so.

    Args:
        spec: The model.
        fields: The data's fields, where the data itself is not at hand.
        device: Where it is tried out: ``meta``, which computes nothing, or ``cpu``, quicker for a very small model.

    Raises:
        UserError: with every problem found.
    """
    try:
        with without_compiler():
            return _check(spec, fields, device)
    except EvaluationError as error:
        if device != "meta":
            raise
        blueprint = _check(spec, fields, "cpu")
        blueprint.notes.append(f"checked on the CPU with random input, because the meta device failed: {error}")
        return blueprint


def _check(spec: Spec, fields: dict[str, Field] | None, device: str) -> Blueprint:
    blueprint = build.draw_up(spec, fields, device)
    problems: list[Problem] = []
    with sharding.watched(blueprint, problems):
        for phase in spec.phases.values():
            for player in phase.players.values():
                _player(player, phase, blueprint, problems)
        _log(blueprint, problems)
    _pictures(blueprint, problems)
    if problems:
        raise UserError(problems)
    return blueprint


def _program(blueprint: Blueprint) -> Program:
    dry = blueprint.device.type == "meta"
    return Program(blueprint.spec.flow, blueprint.parts.__getitem__, blueprint.kind, dry=dry)


def _player(player: Player, phase: Phase, blueprint: Blueprint, problems: list[Problem]) -> None:
    own = modes.parameters(blueprint.parts, player.trains)
    for name in player.trains:
        if not modes.parameters(blueprint.parts, [name]):
            entry = blueprint.spec.parts[name].entry.id
            message = f"player {player.name} trains {name} ({entry}), which has no parameters"
            problems.append(Problem(message, player.at("trains"), f"{player.path}.trains", "leave it out"))
    for constraint in player.after.values():
        if not hasattr(blueprint.factories[constraint.path], "after_step"):
            message = f"{constraint.entry.id} is no constraint, which could follow a step"
            hint = "use a penalty under minimize:, a layer under with:"
            problems.append(Problem(message, constraint.origin, constraint.path, hint))
            continue
        try:
            blueprint.make(constraint)
        except UserError as error:
            problems += error.problems
    modes.for_phase(blueprint.parts, blueprint.spec.parts, phase)
    modes.freeze(modes.parameters(blueprint.parts, blueprint.parts), set(map(id, own)))
    program = _program(blueprint)
    turn = dry_turn(blueprint, player.name)
    losses = _losses(blueprint, player, program, turn, problems)
    blueprint.computed[phase.name, player.name] = list(turn.cache)
    for name, value in turn.cache.items():
        blueprint.shapes.setdefault(name, _readable(value))
    for term in player.terms.values():
        _mixed(term, blueprint)
    reached = losses is not None and own and _reach(player, losses, blueprint, problems)
    if reached and losses and backward.kept(blueprint.parts.values()):
        backward.step(losses, own)
        again = _losses(blueprint, player, program, dry_turn(blueprint, player.name), problems)
        reached = again is not None and _reach(player, again, blueprint, problems)
    train = blueprint.spec.train
    if losses is not None and (player.batch or train.batch) == train.accumulate:
        alone = dry_turn(blueprint, player.name, rows=1)  # a row at a time: some networks refuse that
        reached = _losses(blueprint, player, program, alone, problems) is not None and reached
    if reached:
        _optimizer(player, blueprint, problems)


def _losses(
    blueprint: Blueprint, player: Player, program: Program, turn: Any, problems: list[Problem]
) -> list[backward.Loss] | None:
    """Every term with its value; None if one has none."""
    turn.player = player.name
    with draw.using(turn.draws):
        found = [(term, _term(blueprint, term, program, turn, problems)) for term in player.terms.values()]
    losses = [(term, loss) for term, loss in found if loss is not None]
    return losses if len(losses) == len(found) else None


def _term(
    blueprint: Blueprint, term: Term, program: Program, turn: Any, problems: list[Problem]
) -> torch.Tensor | None:
    try:
        loss = first(program.value(term)(turn))
    except UserError as error:
        problems += error.problems
        return None
    except EvaluationError as error:
        if turn.draws.device.type == "meta" and no_meta(error):
            raise
        note(error, problems, misfit(blueprint, error))
        return None
    if not isinstance(loss, torch.Tensor) or loss.ndim:
        message = f"`{term.text}` {_what(loss)}, but a term is one number"
        hint = "use a loss: l1(x, y), adv.g(fake)"
        if isinstance(loss, int | float):
            hint = "as a tensor, so that it has a gradient: return it without .item() or float()"
        problems.append(Problem(message, term.origin, term.path, hint))
        return None
    return loss


def _mixed(term: Term, blueprint: Blueprint) -> None:
    """A note on a penalty that is ``of_each_sample``, if it goes through a batch norm, which mixes samples."""
    for call in walk(term.expr):
        if not isinstance(call, Call):
            continue
        if not getattr(blueprint.parts.get(root(call.func) or ""), "of_each_sample", False):
            continue
        critics = [arg for arg in call.args if isinstance(arg, Name) or has_hole(arg)]
        for name in dict.fromkeys(name for critic in critics for name in names(critic)):
            module = blueprint.parts.get(name)
            if isinstance(module, nn.Module) and any(
                isinstance(m, _BatchNorm) and m.training for m in module.modules()
            ):
                what = f"`{call.func}` is of each sample's gradient, but the batch norms of {name} mix samples"
                said = f"{term.path}: {what}; leave them out, as by `parts.{name}.norm: none`"
                if said not in blueprint.notes:
                    blueprint.notes.append(said)


def _reach(player: Player, losses: list[backward.Loss], blueprint: Blueprint, problems: list[Problem]) -> bool:
    """Every part that the player trains must get a gradient from its terms; False if there are no gradients at all."""
    modules = {name: modes.parameters(blueprint.parts, [name]) for name in player.trains}
    every = [p for params in modules.values() for p in params]
    try:
        gradients = backward.gradients(losses, every)
    except RuntimeError as error:
        failed = backward.failed(error, player.name, losses, every, blueprint.spec)
        if blueprint.device.type == "meta" and no_meta(error):
            raise failed from error
        note(failed, problems)
        return False
    for name, params in modules.items():
        if params and all(gradients[p] is None for p in params):
            message = f"no gradient of player {player.name}'s terms reaches {name}"
            hint = "a `stop(…)`, or a loss that ignores the argument, cuts it off"
            problems.append(Problem(message, player.at("trains"), f"{player.path}.trains", hint))
    return True


def _optimizer(player: Player, blueprint: Blueprint, problems: list[Problem]) -> None:
    try:
        Schedules(player, make_optimizer(player, blueprint, blueprint.parts), blueprint, steps=1)
        for term in player.terms.values():
            if isinstance(term.weight, Component):
                make_schedule(term.weight, blueprint, steps=1)
    except UserError as error:
        problems += error.problems


def _log(blueprint: Blueprint, problems: list[Problem]) -> None:
    """What is logged must be one number, whoever trains what."""
    program, turn = _program(blueprint), dry_turn(blueprint, "log")
    turn.player = ""
    modes.freeze(modes.parameters(blueprint.parts, blueprint.parts), set())
    with draw.using(turn.draws):
        for value in blueprint.spec.log.values():
            try:
                found = first(program.value(value)(turn))
            except UserError as error:
                problems += error.problems
                continue
            except EvaluationError as error:
                if blueprint.device.type == "meta" and no_meta(error):
                    raise
                note(error, problems, misfit(blueprint, error))
                continue
            if not isinstance(found, int | float) and not (isinstance(found, torch.Tensor) and found.numel() == 1):
                message = f"`{value.text}` {_what(found)}, but what is logged is one number"
                hint = "use an op or a loss that gives one, or a buffer or number of a part: part.field"
                problems.append(Problem(message, value.origin, value.path, hint))


def _pictures(blueprint: Blueprint, problems: list[Problem]) -> None:
    """What is shown, sampled or measured must compute too."""
    spec = blueprint.spec
    program = _program(blueprint)
    turn = dry_turn(blueprint, "show")
    turn.player = ""
    values = [*spec.shown, *([spec.score] if spec.score else [])]
    if spec.sample in spec.flow:
        values.append(spec.flow[spec.sample])
    with draw.using(turn.draws), torch.no_grad():
        for value in values:
            try:
                blueprint.shapes.setdefault(value.name, _readable(program.value(value)(turn)))
            except UserError as error:
                problems += error.problems
            except EvaluationError as error:
                if blueprint.device.type == "meta" and no_meta(error):
                    raise
                note(error, problems, misfit(blueprint, error))
        _metrics(blueprint, turn, problems)


def _metrics(blueprint: Blueprint, turn: Any, problems: list[Problem]) -> None:
    """A metric reads numbers, which the meta device has not: its `dry` is run, or else its arguments are computed."""
    spec = blueprint.spec
    program = Program(spec.flow, blueprint.parts.__getitem__, blueprint.kind, dry=True)
    for value in spec.metrics.values():
        try:
            get = program.value(value)
            if isinstance(value.expr, Call) and hasattr(blueprint.parts.get(root(value.expr.func) or ""), "dry"):
                get(turn)
            else:
                for expr in arguments(value.expr):
                    program.value(replace(value, name=str(expr), text=str(expr), expr=expr))(turn)
        except UserError as error:
            problems += error.problems
        except EvaluationError as error:
            note(error, problems, without(value.path))


def _what(value: Any) -> str:
    return f"has the shape {_readable(value)}" if isinstance(value, torch.Tensor) else f"is {shape_of(value)}"


def _readable(value: Any) -> str:
    """A shape, or several, with the dry run's batch of two written as n."""
    return re.sub(rf"(?<![\dx]){DRY_BATCH}(?![\d])", "n", shape_of(value))
