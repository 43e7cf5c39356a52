"""The checks that need neither torch nor data: names, cycles, who reaches what, what can be shared."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ganzoo.config import limits, sharding
from ganzoo.config.expression import HOLE, Attr, Call, Const, Name, Scaled, called, has_hole, names, root, walk
from ganzoo.config.spec import RESERVED, Phase, Player, Spec, Value
from ganzoo.errors import HINTED, Origin, Problem, choices, did_you_mean, listed, without
from ganzoo.registry import KINDS

LONGEST = 100  # values in a row of which each is computed from the next
SEVERAL = "both train a part that produces it"


class Graph:
    """What each named value needs, directly and in the end."""

    def __init__(self, spec: Spec):
        self.spec = spec
        self.direct = {key: names(value.expr) for key, value in spec.flow.items()}
        self.unclear: set[str] = set()  # names that stand for two things
        self.long: list[str] = []
        self.faulty: set[str] = set()  # the paths of equations that a problem was found in

    def needs(self, start: Iterable[str], without: Collection[str] = ()) -> list[str]:
        """`start` and all that computing it takes: values, parts, data fields; neither `without` nor what it takes."""
        found: dict[str, None] = {}
        stack = list(start)[::-1]
        while stack:
            name = stack.pop()
            if name not in found and name not in without:
                found[name] = None
                stack.extend(reversed(self.direct.get(name, [])))
        return list(found)

    def of(self, value: Value, without: Collection[str] = ()) -> list[str]:
        return self.needs(names(value.expr), without)

    def of_player(self, player: Player) -> list[str]:
        return self.needs(name for term in player.terms.values() for name in names(term.expr))

    def is_clear(self, needed: Iterable[str]) -> bool:
        """Whether all that is needed is known and was read without a problem, so that conclusions hold."""
        spec, needed = self.spec, set(needed)
        readable = {*spec.parts, *spec.flow, *(spec.fields or ()), *RESERVED}
        faulty = {name for name in needed & set(spec.flow) if spec.flow[name].path in self.faulty}
        return needed <= readable and not needed & self.unclear and not faulty

    def cycles(self) -> list[list[str]]:
        """Circles of named values, each once; `long` becomes the values that take too many others in a row."""
        steps: dict[str, int] = {}
        found: list[list[str]] = []

        def visit(name: str, trail: list[str]) -> int:
            if name in trail:
                found.append([*trail[trail.index(name) :], name])
                return 0
            if name not in steps:
                if len(trail) > LONGEST:
                    return LONGEST
                needed = self.direct.get(name, [])
                steps[name] = 1 + max([visit(other, [*trail, name]) for other in needed], default=0)
            return steps[name]

        self.long = [name for name in self.direct if visit(name, []) > LONGEST]
        return found


def check(spec: Spec) -> list[Problem]:
    """Every problem of the graph. Warnings about what is unused go to ``spec.warnings``.

    What could not be read was reported by the reader: nothing is concluded from it here.
    """
    problems: list[Problem] = []
    limits.settings(spec, problems)
    if spec.unreadable:
        return problems
    graph = Graph(spec)
    graph.unclear = _collisions(spec, problems)
    known = _known(spec)
    for value in spec.equations():
        before = len(problems)
        _expression(value, spec, known, graph.unclear, problems)
        if len(problems) > before:
            graph.faulty.add(value.path)
    for cycle in graph.cycles():
        value = spec.flow[cycle[0]]
        if not graph.unclear & set(cycle):
            problems.append(Problem(f"is defined by itself: {' -> '.join(cycle)}", value.origin, value.path))
    for name in graph.long[:1]:
        message = f"'{name}' takes more than {LONGEST} values, each computed from the next"
        problems.append(
            Problem(message, spec.flow[name].origin, spec.flow[name].path, "write a component that repeats")
        )
    _named(spec, problems)
    for phase in spec.phases.values():
        for player in phase.players.values():
            _player(player, phase, spec, graph, problems)
        if spec.simultaneous:
            _one_trainer_each(phase, problems)
    limits.logged(spec, problems)
    limits.metrics(spec, problems)
    limits.watched(spec, problems)
    sharding.check(spec, problems)
    _shares(spec, graph, problems)
    if not problems:
        _unused(spec, graph)
    return problems


def _known(spec: Spec) -> dict[str, None] | None:
    """Every name an expression may read; None where the data's fields are not known yet."""
    if spec.fields is None:
        return None
    return dict.fromkeys([*spec.declared, *spec.fields, *RESERVED])


def _collisions(spec: Spec, problems: list[Problem]) -> set[str]:
    """Names that stand for two things."""
    found: set[str] = set()
    for name, value in spec.flow.items():
        other = ""
        if name in RESERVED:
            other = f"stands for {RESERVED[name]}"
        elif name in spec.parts:
            other = f"is also a part ({spec.parts[name].origin})"
        elif name in (spec.fields or ()):
            assert spec.data is not None
            other = f"is also a field of {spec.data.entry.id}"
        if other:
            found.add(name)
            problems.append(Problem(f"'{name}' {other}", value.origin, value.path, "choose another name"))
    for name, part in spec.parts.items():
        if name in (spec.fields or ()):
            found.add(name)
            problems.append(Problem(f"'{name}' is also a field of the data", part.origin, part.path, "rename the part"))
    return found


def _expression(
    value: Value, spec: Spec, known: Collection[str] | None, unclear: set[str], problems: list[Problem]
) -> None:
    def report(message: str, hint: str = "") -> None:
        problems.append(Problem(f"{message}, in `{value.text}`", value.origin, value.path, hint))

    calls = called(value.expr)
    for name in names(value.expr):
        if name in unclear or (name in spec.declared and name not in spec.flow and name not in spec.parts):
            continue  # stands for two things, or could not be read
        if known is not None and name not in known and len(problems) >= HINTED:
            report(f"there is no part, value or data field '{name}'")
        elif known is not None and name not in known:
            near = [n for n in known if (n in spec.parts) == (name in calls)]
            hint = did_you_mean(name, near) or spec.offers.get(name)
            if not hint and name in KINDS:
                hint = "components are declared under parts: and called by their names"
            elif not hint and spec.data is None and name not in calls:
                hint = "the model has no `data:` to give it"
            hint = hint or without(value.path) or choices(name, near)
            report(f"there is no part, value or data field '{name}'", hint)
        elif known is None and name in calls and name not in spec.declared:
            hint = spec.offers.get(name) or (choices(name, spec.parts) if len(problems) < HINTED else "")
            report(f"there is no part '{name}'", hint)
        elif name in calls and name in (*spec.flow, *(spec.fields or ()), *RESERVED):
            report(f"'{name}' is a value and cannot be called", "only parts can")
    body = value.expr.value if isinstance(value.expr, Scaled) else value.expr
    if isinstance(body, Name) and body.id in spec.parts:
        report(f"'{body.id}' is a part, not a value", f"call it: {body.id}(…)")
    if isinstance(body, Const):
        report("a number or a text by itself is no equation", "call a part, as in `l1(x, y)`")
    if has_hole(value.expr) and not isinstance(body, Call):
        report(f"`{HOLE}` stands inside an argument", "as in `gp(D(_, label), real, fake)`")
    for piece in walk(value.expr):
        if isinstance(piece, Attr) and root(piece) in (spec.fields or ()) and root(piece) not in calls:
            report(f"'{root(piece)}' is a data field and has no fields of its own")
        if piece is body and isinstance(piece, Call):
            given = (*piece.args, *(argument for _, argument in piece.kwargs))
            if any(isinstance(argument, Name) and argument.id == HOLE for argument in given):
                report(f"`{HOLE}` alone is no function", "pass the part itself: `gp(D, real, fake)`")


def _named(spec: Spec, problems: list[Problem]) -> None:
    """Values and data fields that are named outside expressions: ``sample:`` and ``like:``."""
    if spec.fields is None:
        return
    if "sample" in spec.origins and spec.sample not in {*spec.flow, *spec.fields, *spec.declared} - {*spec.parts}:
        hint = choices(spec.sample, spec.flow)
        problems.append(Problem(f"there is no value '{spec.sample}'", spec.origins.get("sample"), "sample", hint))
    for part in spec.parts.values():
        if part.like is not None and part.like not in spec.fields:
            message, hint = f"there is no data field '{part.like}'", choices(part.like, spec.fields)
            problems.append(Problem(message, part.at("like"), f"{part.path}.like", hint))


def _player(player: Player, phase: Phase, spec: Spec, graph: Graph, problems: list[Problem]) -> None:
    reached = set(graph.of_player(player))
    clear = not player.broken and graph.is_clear(reached)
    clear = clear and not any(term.path in graph.faulty for term in player.terms.values())
    where = f"{player.path}.trains"
    for index, name in enumerate(player.trains):
        stated = f"trains.{index}" in player.origins
        origin = player.at(f"trains.{index}" if stated else "trains")
        if name not in spec.declared or (name in spec.flow and name not in graph.unclear):
            message = f"player {player.name} trains '{name}', which is {'a value' if name in spec.flow else 'no part'}"
            networks = [p.name for p in spec.parts.values() if p.kind in ("generator", "discriminator", "encoder")]
            example = f"name its parts, as in `trains: [{next(iter(networks), 'G')}]`"
            problems.append(Problem(message, origin, where, choices(name, spec.parts) if stated else example))
        elif clear and name not in reached:
            terms = ", ".join(player.terms)
            message = f"player {player.name} trains {name}, but none of its terms ({terms}) reaches it"
            problems.append(Problem(message, origin, where, "add a term, or do not train it"))
    common = player.optimizer is not None and player.optimizer.path == "optimizer"
    trained = sorted(phase.trained()) if common else player.trains
    for name in player.lr_scale:
        if name not in trained:
            key = f"optimizer.lr_scale.{name}"
            path = "optimizer.lr_scale" if common else f"{player.path}.optimizer.lr_scale"
            place = spec.origins.get(key) if common else player.at(key)
            who = "no player trains" if common else f"player {player.name} does not train"
            message = f"lr_scale names '{name}', which {who}"
            problems.append(Problem(message, place, path, choices(name, trained)))


def _one_trainer_each(phase: Phase, problems: list[Problem]) -> list[Problem]:
    """Players who update simultaneously hold their gradients until all have them, so none can train another's part."""
    trainers: dict[str, Player] = {}
    for player in phase.players.values():
        for name in player.trains:
            other = trainers.setdefault(name, player)
            if other is not player:
                message = f"players {other.name} and {player.name} both train {name} in a simultaneous update"
                where = f"{player.path}.trains"
                problems.append(Problem(message, player.at("trains"), where, "write `update: alternating`"))
    return problems


def _shares(spec: Spec, graph: Graph, problems: list[Problem]) -> None:
    """A shared value keeps its graph until its producers' player uses it; say where that cannot be."""
    for index, name in enumerate(spec.share):
        origin = spec.origins.get(f"share.{index}") or spec.origins.get("share")
        if name not in spec.flow:
            if name not in spec.declared or name in spec.parts:
                hint = choices(name, spec.flow)
                problems.append(Problem(f"there is no value '{name}' to share", origin, "share", hint))
            continue
        for phase in spec.phases.values():
            reason = impossible_share(name, phase, graph, spec) if graph.is_clear(graph.needs([name])) else ""
            if reason:
                rest = ", ".join(n for n in spec.share if n != name)
                hint = f"write `share: [{rest}]` to compute it afresh each turn"
                if reason.endswith(SEVERAL) and not any(_one_trainer_each(p, []) for p in spec.phases.values()):
                    hint += ", or `update: simultaneous`"
                problems.append(Problem(f"{name} cannot be shared: {reason}", origin, "share", hint))


def owners(name: str, phase: Phase, graph: Graph) -> list[Player]:
    """The players who train a part that produces the value, and whose terms need it."""
    producers = set(graph.needs([name]))
    return [p for p in phase.players.values() if producers & set(p.trains) and name in graph.of_player(p)]


def impossible_share(name: str, phase: Phase, graph: Graph, spec: Spec) -> str:
    """Why a value cannot be computed once a step in this phase, or an empty string."""
    players = list(phase.players.values())
    users = [p for p in players if name in graph.of_player(p)]
    sizes = {p.batch or spec.train.batch for p in users}
    if len(sizes) > 1:
        return f"its users have batches of different sizes ({', '.join(map(str, sorted(sizes)))})"
    if sizes - {spec.train.batch}:
        return f"its users have batches of their own ({sizes.pop()}), not the step's ({spec.train.batch})"
    pieces = [piece for piece in graph.needs([name]) if piece in spec.flow]  # are computed once with it
    found = {p.name: p for piece in pieces for p in owners(piece, phase, graph)} if users else {}
    if len(found) > 1:  # each takes its gradient of one graph, which no step may come between
        return "" if spec.simultaneous else f"{' and '.join(sorted(found))} {SEVERAL}"
    if not found:
        return ""
    (owner,), producers, computed = found.values(), set(graph.needs([name])), False
    for player in players[: players.index(owner)]:
        computed = computed or player in users
        if computed and player.repeat > 1:
            where = f" ({player.at('repeat')})"
            return f"player {player.name} repeats{where} with new batches before {owner.name} uses its gradient"
        if computed and producers & set(player.trains) and not spec.simultaneous:
            return f"player {player.name} steps one of its producers before {owner.name} uses its gradient"
    return ""


def _unused(spec: Spec, graph: Graph) -> None:
    used: set[str] = set()
    for phase in spec.phases.values():
        for player in phase.players.values():
            used |= set(graph.of_player(player))
    for value in (*spec.log.values(), *spec.shown, *spec.metrics.values(), *([spec.score] if spec.score else [])):
        used |= set(graph.of(value))
    used |= set(graph.needs([spec.sample]))
    parts = [name for name in spec.parts if name not in used]
    values = [name for name in spec.flow if name not in used]
    spec.unused = parts
    for what, unused in (("parts", parts), ("values", values)):
        if unused:
            where = [str(_origin(spec, name)) for name in unused]
            names = listed(f"{name} ({place})" for name, place in zip(unused, where, strict=True))
            warning = f"unused {what}: {names}"
            if warning not in spec.warnings:
                spec.warnings.append(warning)


def _origin(spec: Spec, name: str) -> Origin:
    return (spec.parts.get(name) or spec.flow[name]).origin
