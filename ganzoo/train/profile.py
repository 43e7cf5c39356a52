"""Where the time, the arithmetic and the memory of a step go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ganzoo.config.spec import Spec, Term
from ganzoo.errors import UserError, choices
from ganzoo.expression import Call, root, walk
from ganzoo.model.build import Blueprint, reading
from ganzoo.train import machine, precision
from ganzoo.train.clock import Clock, Place
from ganzoo.train.findings import findings
from ganzoo.train.loop import Trainer
from ganzoo.train.memory import Saved, held
from ganzoo.train.watched import Watched

WARM = 2  # steps before any is timed
CYCLE = 64  # steps; lazy terms that come round later are not waited for
KINDS = ("forward", "backward", "optimizer", "after", "ema", "data", "rest")


def profile(blueprint: Blueprint, device: torch.device, steps: int = 20, phase: str | None = None) -> dict[str, Any]:
    """Train throw-away copies for a few steps and say where it goes: seconds, FLOPs and bytes, as plain data.

    Seconds are means a step. ``time`` adds up to ``step.watched``, and so do parts, ``between`` and the rest: every
    moment is charged to one place. ``step.seconds`` is what a step takes when nobody watches. FLOPs are those of
    matrix products and convolutions, forward and backward. ``memory.activations`` is what autograd keeps when it
    keeps most. Nothing of the blueprint changes.

    Args:
        blueprint: The checked model.
        device: Where to train.
        steps: How many to time; more where lazy terms take more to come round.
        phase: Which phase; the first if not given.

    Raises:
        UserError: there is no such phase, or `steps` is not positive.
    """
    blueprint, cycle, notes = _prepared(blueprint, steps, phase)
    steps = math.ceil(steps / cycle) * cycle
    with reading(blueprint.spec):
        settled = precision.settle(blueprint, device)
        seconds = _plain(blueprint, device, steps)
    notes += [settled] if settled is not None else []
    counter = _Flops()
    clock = Clock(lambda: counter.total)
    trainer = Watched(blueprint, device, clock)
    saved = Saved(_constants(trainer), lambda: clock.now.part)
    counted = math.ceil(WARM / cycle) * cycle
    with torch.autograd.set_multithreading_enabled(False):
        with counter, torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
            _advance(trainer, counted)
        clock.go(Place())
        flops = {place: count / counted for place, count in clock.spent.items()}
        _advance(trainer, cycle)  # at full speed again
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        clock.restart(_stopwatch(device))
        _advance(trainer, steps)
        clock.go(Place())
    spent = {place: total / steps for place, total in clock.spent.items()}
    memory = _memory(trainer, saved, device)
    report = {
        **_setting(blueprint, device, steps),
        "step": {"seconds": seconds, "watched": sum(spent.values()), "flops": sum(flops.values())},
        "ceiling": _ceilings(blueprint, device),
        "time": {kind: _total(spent, what=kind) for kind in KINDS},
        "players": {name: _player(name, spent) for name in trainer.seats},
        "terms": [_term(term, trainer, spent) for terms in trainer.terms.values() for term, _, _ in terms],
        "parts": {
            name: _part(name, trainer, spent, flops, clock.calls[name] / steps)
            for name in trainer.parts
            if clock.calls[name] or name in trainer.phase.trained()
        },
        "between": {kind: _total(spent, what=kind, part="") for kind in ("forward", "backward")},
        "memory": memory,
        "notes": notes,
    }
    for part in report["parts"].values():
        _rate(part, report["ceiling"])
    report["findings"] = findings(report)
    return report


def _prepared(blueprint: Blueprint, steps: int, phase: str | None) -> tuple[Blueprint, int, list[str]]:
    """A copy with the one phase, long enough; the steps in which lazy terms come round; notes."""
    phases = blueprint.spec.phases
    if steps < 1:
        raise UserError(f"{steps} steps cannot be profiled; at least 1 can")
    if phase is not None and phase not in phases:
        hint = choices(phase, phases) or f"it has {', '.join(phases)}"
        raise UserError(f"{blueprint.spec.name} has no phase '{phase}' ({hint})")
    chosen = phases[phase] if phase is not None else next(iter(phases.values()))
    notes = []
    train = replace(blueprint.spec.train, compile=False)
    if blueprint.spec.train.compile:
        notes.append("train.compile is left out: compiled networks are not watched")
    cycle = math.lcm(*(math.lcm(p.every, t.every) for p in chosen.players.values() for t in p.terms.values()))
    if cycle > CYCLE:
        notes.append(f"lazy terms come round every {cycle} steps, which is not waited for: shares are of these steps")
        cycle = 1
    longer = max(chosen.steps, steps + 4 * cycle + 2 * WARM)
    spec = replace(blueprint.spec, train=train, phases={chosen.name: replace(chosen, steps=longer)})
    return replace(blueprint, spec=spec), cycle, notes


def _advance(trainer: Trainer, steps: int) -> None:
    for _ in range(steps):
        trainer.advance()


def _plain(blueprint: Blueprint, device: torch.device, steps: int) -> float:
    """Seconds a step, unwatched."""
    trainer = Trainer(blueprint, device)
    _advance(trainer, WARM)
    machine.synchronize(device)
    began = time.perf_counter()
    _advance(trainer, steps)
    machine.synchronize(device)
    return (time.perf_counter() - began) / steps


def _stopwatch(device: torch.device) -> Callable[[], float]:
    """The time, when the device has done what it was told."""

    def read() -> float:
        machine.synchronize(device)
        return time.perf_counter()

    return read


class _Flops(TorchDispatchMode):
    """Adds up FLOPs by torch's own formulas. torch's counter hooks every module, which ends rewriting layers."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.formulas = FlopCounterMode(display=False).flop_registry

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula = self.formulas.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result


def _constants(trainer: Trainer) -> list[torch.Tensor]:
    modules = [part for part in trainer.parts.values() if isinstance(part, nn.Module)]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def _total(spent: dict[Place, float], **where: str) -> float:
    return sum(v for place, v in spent.items() if all(getattr(place, key) == name for key, name in where.items()))


def _setting(blueprint: Blueprint, device: torch.device, steps: int) -> dict[str, Any]:
    spec = blueprint.spec
    on = {"cuda": torch.cuda.get_device_name}.get(device.type, lambda d: f"{torch.get_num_threads()} threads")(device)
    settings = {"precision": spec.train.precision, "batch": spec.train.batch, "steps": steps}
    return {"model": spec.name, "phase": next(iter(spec.phases)), "device": f"{device.type}, {on}", **settings}


def _ceilings(blueprint: Blueprint, device: torch.device) -> dict[str, Any]:
    """The ceiling in the precision used, and that of bfloat16 where the device has it."""
    single, by = machine.ceiling(device, torch.float32)
    half, half_by = machine.ceiling(device, torch.bfloat16) if precision.has_bf16(device) else (None, by)
    used = half is not None and blueprint.spec.train.precision == "bf16"
    return {"rate": half if used else single, "by": half_by if used else by, "fp32": single, "bf16": half}


def _player(name: str, spent: dict[Place, float]) -> dict[str, float]:
    """A player's seconds; `shared` are those of its backward passes in values that another's terms made."""
    shared = sum(v for p, v in spent.items() if (p.what, p.player, p.term) == ("backward", name, "") and p.part)
    return {**{kind: _total(spent, what=kind, player=name) for kind in KINDS[:-2]}, "shared": shared}


def _term(term: Term, trainer: Trainer, spent: dict[Place, float]) -> dict[str, Any]:
    times = {k: _total(spent, what=k, player=term.player, term=term.name) for k in ("forward", "backward")}
    penalty = _is_penalty(term, trainer.spec)
    return {"player": term.player, "term": term.name, "every": term.every, "penalty": penalty, **times}


def _is_penalty(term: Term, spec: Spec) -> bool:
    """Whether a regularizer is called in it."""
    calls = {root(piece.func) for piece in walk(term.expr) if isinstance(piece, Call)}
    return any(name in spec.parts and spec.parts[name].kind == "regularizer" for name in calls)


def _part(
    name: str, trainer: Trainer, spent: dict[Place, float], flops: dict[Place, float], calls: float
) -> dict[str, Any]:
    part = trainer.parts[name]
    return {
        "use": trainer.spec.parts[name].entry.id,
        "calls": calls,
        **{kind: _total(spent, what=kind, part=name) for kind in ("forward", "backward")},
        "parameters": sum(p.numel() for p in part.parameters()) if isinstance(part, nn.Module) else 0,
        "flops": _total(flops, part=name),
    }


def _rate(part: dict[str, Any], ceiling: dict[str, Any]) -> None:
    """FLOP/s while a part computes, and its share of the ceiling; None for what has no layers."""
    seconds = part["forward"] + part["backward"]
    part["rate"] = part["flops"] / seconds if part["flops"] and seconds else None
    part["of_ceiling"] = part["rate"] and part["rate"] / ceiling["rate"]


def _memory(trainer: Trainer, saved: Saved, device: torch.device) -> dict[str, Any]:
    parts = {name: {**sizes, "activations": saved.at_peak.get(name, 0)} for name, sizes in held(trainer).items()}
    others = sum(size for name, size in saved.at_peak.items() if name not in parts)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"parts": parts, "other activations": others, "activations": saved.peak, "allocated": peak}
