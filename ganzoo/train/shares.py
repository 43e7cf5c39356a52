"""What a clock found, arranged by player, term and part."""

from __future__ import annotations

from typing import Any

from torch import nn

from ganzoo.config.expression import Call, root, walk
from ganzoo.config.spec import Spec, Term
from ganzoo.train.clock import Place
from ganzoo.train.loop import Trainer

KINDS = ("forward", "backward", "optimizer", "after", "ema", "data", "rest")

Spent = dict[Place, float]


def total(spent: Spent, **where: str) -> float:
    """What went to all places with these fields."""
    return sum(v for place, v in spent.items() if all(getattr(place, key) == name for key, name in where.items()))


def player(name: str, spent: Spent) -> dict[str, float]:
    """A player's seconds; `shared` are those of its backward passes in values that another's terms made."""
    shared = sum(v for p, v in spent.items() if (p.what, p.player, p.term) == ("backward", name, "") and p.part)
    return {**{kind: total(spent, what=kind, player=name) for kind in KINDS[:-2]}, "shared": shared}


def term(term: Term, trainer: Trainer, spent: Spent) -> dict[str, Any]:
    """A term's seconds; those of the parts it calls are among them."""
    times = {k: total(spent, what=k, player=term.player, term=term.name) for k in ("forward", "backward")}
    penalty = _is_penalty(term, trainer.spec)
    return {"player": term.player, "term": term.name, "every": term.every, "penalty": penalty, **times}


def _is_penalty(term: Term, spec: Spec) -> bool:
    """Whether a regularizer is called in it."""
    calls = {root(piece.func) for piece in walk(term.expr) if isinstance(piece, Call)}
    return any(name in spec.parts and spec.parts[name].kind == "regularizer" for name in calls)


def part(name: str, trainer: Trainer, spent: Spent, flops: Spent, ceiling: float) -> dict[str, Any]:
    """A part's seconds, parameters and FLOPs, its FLOP/s while it computes and their share of the ceiling.

    The last two are None for what has no arithmetic that counts.
    """
    built, times = trainer.parts[name], {kind: total(spent, what=kind, part=name) for kind in ("forward", "backward")}
    done, seconds = total(flops, part=name), sum(times.values())
    rate = done / seconds if done and seconds else None
    return {
        "use": trainer.spec.parts[name].entry.id,
        **times,
        "parameters": sum(p.numel() for p in built.parameters()) if isinstance(built, nn.Module) else 0,
        "flops": done,
        "rate": rate,
        "of_ceiling": rate and rate / ceiling,
    }
