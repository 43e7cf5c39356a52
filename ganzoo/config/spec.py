"""A model as plain data: what a YAML says once it is complete, parsed, and free of YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ganzoo.config.expression import Expr, Scaled, names
from ganzoo.config.schema import About, Ema, Evaluate, Show, Stop, Train
from ganzoo.errors import Origin
from ganzoo.registry import Entry

RESERVED = {"n": "the batch size", "step": "the step"}


@dataclass
class Component:
    """A component with the arguments the YAML gives it."""

    path: str
    entry: Entry
    args: dict[str, Any]
    origin: Origin
    origins: dict[str, Origin] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.entry.kind

    def at(self, key: str) -> Origin:
        """Where an argument was written; the component itself if it was not."""
        return self.origins.get(key, self.origin)


@dataclass
class Part(Component):
    """A component under its name in one model, with what is put on it and how it starts."""

    name: str = ""
    like: str | None = None
    init: str | None = None
    match: str | None = None
    eval_bn: str = "running"
    eval_dropout: bool = False
    shard: bool = False
    puts: dict[str, Component] = field(default_factory=dict)
    implicit: bool = False


@dataclass
class Value:
    """A named equation: an entry of ``flow:``, or another expression with a name for messages."""

    name: str
    text: str
    expr: Expr
    origin: Origin
    path: str


@dataclass
class Term(Value):
    """One weighted expression of a player's objective."""

    player: str = ""
    weight: float | Component = 1.0
    every: int = 1

    @property
    def factor(self) -> float:
        """The number that leads the expression."""
        return self.expr.factor if isinstance(self.expr, Scaled) else 1.0

    @property
    def body(self) -> Expr:
        """The expression without its leading number, which is :attr:`factor`."""
        return self.expr.value if isinstance(self.expr, Scaled) else self.expr


@dataclass
class Player:
    """Who trains which parts, minimising which terms, how. A player is `broken` if some term could not be read."""

    name: str
    trains: list[str]
    terms: dict[str, Term]
    origin: Origin
    path: str
    optimizer: Component | None = None
    lr_scale: dict[str, float] = field(default_factory=dict)
    schedules: dict[str, Component] = field(default_factory=dict)
    repeat: int = 1
    every: int = 1
    batch: int | None = None
    after: dict[str, Component] = field(default_factory=dict)
    on: dict[str, list[str]] = field(default_factory=dict)  # the parts that each constraint acts on
    ema: Ema | None = None
    clip: float | None = None
    origins: dict[str, Origin] = field(default_factory=dict)
    broken: bool = False

    def at(self, key: str) -> Origin:
        """Where a setting such as ``trains`` or ``trains.0`` was written; the player itself if it was not."""
        return self.origins.get(key, self.origin)


@dataclass
class Phase:
    """A number of steps in which given players play, in order."""

    name: str
    steps: int
    players: dict[str, Player]
    origin: Origin

    def trained(self) -> set[str]:
        """The parts that some player trains."""
        return {part for player in self.players.values() for part in player.trains}


@dataclass
class Spec:
    """A whole model.

    `found_fields` are the data's fields once the data component itself has told them, `declared` the names of all
    parts and values, those that could not be read included, and `offers` what to write for names that are called but
    not declared. `unused` are parts that nothing calls. Where `parts` or `flow` as a whole cannot be read, it is
    `unreadable`.
    """

    name: str
    about: About
    data: Component | None
    parts: dict[str, Part]
    flow: dict[str, Value]
    phases: dict[str, Phase]
    share: list[str]
    simultaneous: bool
    show: Show
    shown: list[Value]
    score: Value | None
    sample: str
    log: dict[str, Value]
    evaluate: Evaluate
    against: Component | None
    metrics: dict[str, Value]
    stop: Stop | None
    train: Train
    plugins: dict[str, Any]
    config: dict[str, Any]
    origins: dict[str, Origin] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    found_fields: list[str] | None = None
    declared: set[str] = field(default_factory=set)
    offers: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    unreadable: bool = False

    def __repr__(self) -> str:
        return f"<Spec of {self.name}: parts {', '.join(self.parts)}; phases {', '.join(self.phases)}>"

    def lines(self) -> list[str]:
        """The model as equations, a line each: the flow, then what each player of each phase minimises."""
        found = [f"{value.name} = {value.text}" for value in self.flow.values()]
        for phase in self.phases.values():
            for player in phase.players.values():
                during = f" in {phase.name}" if len(self.phases) > 1 else ""
                terms = " + ".join(term.text for term in player.terms.values())
                found.append(f"{player.name}{during} trains {', '.join(player.trains)} and minimises {terms}")
        return found

    @property
    def fields(self) -> list[str] | None:
        """The names of the data's fields, or None where only the data component itself knows them."""
        if self.found_fields is not None or self.data is None:
            return self.found_fields if self.config.get("data") is not None else []
        known = self.data.entry.facts.get("fields")
        try:
            return known(self.data.args) if callable(known) else known
        except Exception:  # a plugin's function, on arguments that were not checked yet
            return None

    def components(self) -> Iterator[Component]:
        """Every component of the model."""
        if self.data is not None:
            yield self.data
        if self.against is not None:
            yield self.against
        for part in self.parts.values():
            yield part
            yield from part.puts.values()
        for phase in self.phases.values():
            for player in phase.players.values():
                if player.optimizer is not None:
                    yield player.optimizer
                yield from player.schedules.values()
                yield from player.after.values()
                for term in player.terms.values():
                    if isinstance(term.weight, Component):
                        yield term.weight

    def metric_name(self, value: Value) -> str:
        """A metric's name in records. It carries the extractors that it goes through: ``fid[fashion_cnn]``."""
        needed = list(names(value.expr))
        for name in needed:  # grows
            if name in self.flow:
                needed += [n for n in names(self.flow[name].expr) if n not in needed]
        parts = [self.parts[name] for name in needed if name in self.parts]
        extractors = dict.fromkeys(part.entry.name for part in parts if part.kind == "extractor")
        return f"{value.name}[{','.join(extractors)}]" if extractors else value.name

    def equations(self) -> Iterator[Value]:
        """Every expression: flow, terms of all phases, what is logged, pictures and metrics."""
        yield from self.flow.values()
        for phase in self.phases.values():
            for player in phase.players.values():
                yield from player.terms.values()
        yield from self.log.values()
        yield from self.shown
        if self.score is not None:
            yield self.score
        yield from self.metrics.values()
