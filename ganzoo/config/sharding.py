"""What a part with ``shard: true`` cannot be used for, as far as the model file says it."""

from __future__ import annotations

from collections.abc import Iterator

from ganzoo.config.expression import Call, Name, root, walk
from ganzoo.config.spec import Part, Spec
from ganzoo.errors import Problem


def check(spec: Spec, problems: list[Problem]) -> None:
    """A part of which each process holds a piece is whole only while it is called."""
    for part in spec.parts.values():
        if part.shard:
            problems += (impossible(part, why) for why in _reasons(part.name, spec))


def impossible(part: Part, why: str) -> Problem:
    """The problem of a part that cannot be sharded."""
    hint = "leave `shard` out; smaller batches (`train.accumulate`) and `train.precision: bf16` save memory too"
    return Problem(f"{part.name} cannot be sharded: {why}", part.at("shard"), f"{part.path}.shard", hint)


def _reasons(name: str, spec: Spec) -> Iterator[str]:
    if spec.train.compile:
        yield "train.compile cannot compile it"
    if spec.train.graphs is True:
        yield "train.graphs cannot capture messages between processes"
    if spec.simultaneous:
        yield "in a simultaneous update its gradients would be averaged before all players have theirs"
    players = [player for phase in spec.phases.values() for player in phase.players.values()]
    for player in players:
        for constraint, parts in player.on.items():
            if name in parts:
                yield f"the constraint {constraint} ({player.after[constraint].origin}) needs its whole weights"
    terms = [term for player in players for term in player.terms.values()]
    for value in (*spec.flow.values(), *terms, *spec.log.values()):
        for piece in walk(value.expr):
            if isinstance(piece, Call):
                given = (*piece.args, *(argument for _, argument in piece.kwargs))
                if any(isinstance(argument, Name) and argument.id == name for argument in given):
                    yield f"`{value.text}` ({value.origin}) gives the part itself to {root(piece.func)}"
