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
from ganzoo.train.profiled import ProfiledTrainer

WARM = 2  # steps before any is timed
CYCLE = 64  # steps; lazy terms that come round later are not waited for


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
    with reading(blueprint.spec.data):
        settled = precision.settle(blueprint, device)
        seconds = _plain(blueprint, device, steps)
    notes += [settled] if settled is not None else []
    counter = machine.Flops()
    clock = Clock(lambda: counter.total)
    trainer = ProfiledTrainer(blueprint, device, clock)
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
    ceilings = _ceilings(blueprint, device)
    report = {
        **_setting(blueprint, device, steps),
        "step": {"seconds": seconds, "watched": sum(spent.values()), "flops": sum(flops.values())},
        "ceiling": ceilings,
        "time": {kind: shares.total(spent, what=kind) for kind in shares.KINDS},
        "players": {name: shares.player(name, spent) for name in trainer.players},
        "terms": [shares.term(term, trainer, spent) for terms in trainer.terms.values() for term, _, _ in terms],
        "parts": {
            name: shares.part(name, trainer, spent, flops, ceilings["rate"]) | {"calls": clock.calls[name] / steps}
            for name in trainer.parts
            if clock.calls[name] or name in trainer.phase.trained()
        },
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


def _ceilings(blueprint: Blueprint, device: torch.device) -> dict[str, Any]:
    """The ceiling in the precision used, and that of bfloat16 where the device has it."""
    single, by = machine.ceiling(device, torch.float32)
    half, half_by = machine.ceiling(device, torch.bfloat16) if precision.has_bf16(device) else (None, by)
    used = half is not None and blueprint.spec.train.precision == "bf16"
    return {"rate": half if used else single, "by": half_by if used else by, "fp32": single, "bf16": half}


def _memory(trainer: Trainer, saved: Saved, device: torch.device) -> dict[str, Any]:
    parts = {name: {**sizes, "activations": saved.at_peak.get(name, 0)} for name, sizes in held(trainer).items()}
    others = sum(size for name, size in saved.at_peak.items() if name not in parts)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"parts": parts, "other activations": others, "activations": saved.peak, "allocated": peak}
