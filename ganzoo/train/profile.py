"""Where the time, the arithmetic and the memory of a step go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ganzoo.errors import UserError, choices
from ganzoo.model.blueprint import Blueprint, reading
from ganzoo.train import machine, precision, shares
from ganzoo.train.clock import Clock, Place
from ganzoo.train.findings import findings
from ganzoo.train.loop import Trainer
from ganzoo.train.memory import Saved, held
from ganzoo.train.operations import Operations
from ganzoo.train.profiled import ProfiledTrainer

WARM = 2  # steps before any is timed
CYCLE = 64  # steps; lazy terms that come round later are not waited for


def profile(
    blueprint: Blueprint,
    device: torch.device,
    steps: int = 20,
    phase: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Train throw-away copies for a few steps and say where it goes: seconds, FLOPs and bytes, as plain data.

    Seconds are means a step. ``time`` adds up to ``step.watched``, and so do parts, ``between`` and the rest: every
    moment is charged to one place. ``step.seconds`` is what a step takes when nobody watches. FLOPs are those of
    matrix products and convolutions, forward and backward. ``operations`` are seconds of a step by kind of operation;
    what is missing from ``step.seconds`` is what asks for them, Python and autograd. ``memory.activations`` is what
    autograd keeps when it keeps most. Nothing of the blueprint changes.

    Args:
        blueprint: The checked model.
        device: Where to train.
        steps: How many to time; more where lazy terms take more to come round.
        phase: Which phase; the first if not given.
        clock: What tells the time; that of the process, with one thread on a busy CPU.

    Raises:
        UserError: there is no such phase, or `steps` is not positive.
    """
    blueprint, cycle, notes = _prepared(blueprint, steps, phase)
    steps = math.ceil(steps / cycle) * cycle
    with reading(blueprint.spec.data):
        settled = precision.settle(blueprint, device)
        seconds = _plain(blueprint, device, steps, clock)
    notes += [settled] if settled is not None else []
    counter = machine.Flops()
    places = Clock(lambda: counter.total)
    trainer = ProfiledTrainer(blueprint, device, places)
    saved = Saved(_constants(trainer), lambda: places.now.part)
    counted = math.ceil(WARM / cycle) * cycle
    with torch.autograd.set_multithreading_enabled(False):
        with counter, torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
            _advance(trainer, counted)
        places.go(Place())
        flops = {place: count / counted for place, count in places.spent.items()}
        _advance(trainer, cycle)  # at full speed again
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        places.restart(_stopwatch(device, clock))
        _advance(trainer, steps)
        places.go(Place())
    spent = {place: total / steps for place, total in places.spent.items()}
    memory = _memory(trainer, saved, device)
    ceilings = _ceilings(blueprint, device, clock)
    report = {
        **_setting(blueprint, device, steps),
        "step": {"seconds": seconds, "watched": sum(spent.values()), "flops": sum(flops.values())},
        "ceiling": ceilings,
        "time": {kind: shares.total(spent, what=kind) for kind in shares.KINDS},
        "players": {name: shares.player(name, spent) for name in trainer.players},
        "terms": [shares.term(term, trainer, spent) for terms in trainer.terms.values() for term, _, _ in terms],
        "parts": {
            name: shares.part(name, trainer, spent, flops, ceilings["rate"]) | {"calls": places.calls[name] / steps}
            for name in trainer.parts
            if places.calls[name] or name in trainer.phase.trained()
        },
        "operations": _operations(blueprint, device, steps, clock),
        "between": {kind: shares.total(spent, what=kind, part="") for kind in ("forward", "backward")},
        "memory": memory,
        "notes": notes,
    }
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
    train = replace(blueprint.spec.train, compile=False, graphs=False)
    if blueprint.spec.train.compile:
        notes.append("train.compile is left out: compiled networks are not watched")
    if blueprint.spec.train.graphs:
        notes.append("train.graphs is left out: what is replayed is not watched")
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


def _plain(blueprint: Blueprint, device: torch.device, steps: int, clock: Callable[[], float]) -> float:
    """Seconds a step, unwatched."""
    trainer = Trainer(blueprint, device)
    read = _stopwatch(device, clock)
    _advance(trainer, WARM)
    began = read()
    _advance(trainer, steps)
    return (read() - began) / steps


def _operations(blueprint: Blueprint, device: torch.device, steps: int, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds a step by kind of operation."""
    trainer = Trainer(blueprint, device)
    _advance(trainer, WARM)
    found = Operations(_stopwatch(device, clock))
    with torch.autograd.set_multithreading_enabled(False), found:
        _advance(trainer, steps)
    return {kind: seconds / steps for kind, seconds in found.by_kind().items()}


def _stopwatch(device: torch.device, clock: Callable[[], float]) -> Callable[[], float]:
    """The time, when the device has done what it was told."""

    def read() -> float:
        machine.synchronize(device)
        return clock()

    return read


def _constants(trainer: Trainer) -> list[torch.Tensor]:
    modules = [part for part in trainer.parts.values() if isinstance(part, nn.Module)]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def _setting(blueprint: Blueprint, device: torch.device, steps: int) -> dict[str, Any]:
    spec = blueprint.spec
    threads = torch.get_num_threads()
    on = f"{threads} thread{'s' if threads > 1 else ''}"
    if device.type == "cuda":
        on = torch.cuda.get_device_name(device)
    settings = {"precision": spec.train.precision, "batch": spec.train.batch, "steps": steps}
    return {"model": spec.name, "phase": next(iter(spec.phases)), "device": f"{device.type}, {on}", **settings}


def _ceilings(blueprint: Blueprint, device: torch.device, clock: Callable[[], float]) -> dict[str, Any]:
    """The ceiling in the precision used, and that of bfloat16 where the device has it."""
    single, by = machine.ceiling(device, torch.float32, clock)
    half, half_by = machine.ceiling(device, torch.bfloat16, clock) if precision.has_bf16(device) else (None, by)
    used = half is not None and blueprint.spec.train.precision == "bf16"
    return {"rate": half if used else single, "by": half_by if used else by, "fp32": single, "bf16": half}


def _memory(trainer: Trainer, saved: Saved, device: torch.device) -> dict[str, Any]:
    parts = {name: {**sizes, "activations": saved.at_peak.get(name, 0)} for name, sizes in held(trainer).items()}
    others = sum(size for name, size in saved.at_peak.items() if name not in parts)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"parts": parts, "other activations": others, "activations": saved.peak, "allocated": peak}
