"""The checks that need neither torch nor data: names, cycles, who reaches what, what can be shared."""

from __future__ import annotations

from collections.abc import Iterable

from ganzoo.config.spec import RESERVED, Phase, Player, Spec, Value
from ganzoo.errors import Origin, Problem, choices, did_you_mean
from ganzoo.expression import HOLE, Attr, Call, Const, Name, called, has_hole, names, root, walk


class Graph:
    """What each named value needs, directly and in the end."""

    def __init__(self, spec: Spec):
        self.spec = spec
        self.direct = {key: names(value.expr) for key, value in spec.flow.items()}

    def needs(self, start: Iterable[str]) -> list[str]:
        """`start` and everything that computing it takes: values, parts and data fields."""
        found: dict[str, None] = {}
        stack = list(start)[::-1]
        while stack:
            name = stack.pop()
            if name not in found:
                found[name] = None
                stack.extend(reversed(self.direct.get(name, [])))
        return list(found)

    def of(self, value: Value) -> list[str]:
        return self.needs(names(value.expr))

    def of_player(self, player: Player) -> list[str]:
        return self.needs(name for term in player.terms.values() for name in names(term.expr))

    def cycles(self) -> list[list[str]]:
        """Circles of named values, each once."""
        seen: set[str] = set()
        found: list[list[str]] = []

        def visit(name: str, trail: list[str]) -> None:
            if name in trail:
                found.append([*trail[trail.index(name) :], name])
            elif name not in seen:
                for needed in self.direct.get(name, []):
                    visit(needed, [*trail, name])
                seen.add(name)

        for name in self.direct:
            visit(name, [])
        return found


def check(spec: Spec) -> list[Problem]:
    """Every problem of the graph. Warnings about what is unused go to ``spec.warnings``.

    What could not be read was reported by the reader: nothing is concluded from it here.
    """
    problems: list[Problem] = []
    _collisions(spec, problems)
    for value in spec.equations():
        _expression(value, spec, problems)
    graph = Graph(spec)
    for cycle in graph.cycles():
        value = spec.flow[cycle[0]]
        problems.append(Problem(f"is defined by itself: {' -> '.join(cycle)}", value.origin, value.path))
    _named(spec, problems)
    for phase in spec.phases.values():
        for player in phase.players.values():
            _player(player, phase, spec, graph, problems)
    _settings(spec, problems)
    _metrics(spec, problems)
    _shares(spec, graph, problems)
    if not problems:
        _unused(spec, graph)
    return problems


def _known(spec: Spec) -> list[str] | None:
    """Every name an expression may read; None where the data's fields are not known yet."""
    if spec.fields is None:
        return None
    return [*spec.declared, *spec.fields, *RESERVED]


def _unclear(needed: Iterable[str], spec: Spec) -> bool:
    """Whether something needed is unknown or could not be read, so that no conclusion holds."""
    readable = {*spec.parts, *spec.flow, *(spec.fields or ()), *RESERVED}
    return not set(needed) <= readable


def _collisions(spec: Spec, problems: list[Problem]) -> None:
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
            problems.append(Problem(f"'{name}' {other}", value.origin, value.path, "choose another name"))
    for name, part in spec.parts.items():
        if name in (spec.fields or ()):
            problems.append(Problem(f"'{name}' is also a field of the data", part.origin, part.path, "rename the part"))


def _expression(value: Value, spec: Spec, problems: list[Problem]) -> None:
    def report(message: str, hint: str = "") -> None:
        problems.append(Problem(f"{message}, in `{value.text}`", value.origin, value.path, hint))

    known, calls = _known(spec), called(value.expr)
    for name in names(value.expr):
        if name in spec.declared - {*spec.flow, *spec.parts}:
            continue  # could not be read
        if known is not None and name not in known:
            near = [n for n in known if (n in spec.parts) == (name in calls)]
            hint = did_you_mean(name, near) or spec.offers.get(name) or choices(name, known)
            report(f"there is no part, value or data field '{name}'", hint)
        elif known is None and name in calls and name not in spec.declared:
            hint = spec.offers.get(name) or choices(name, spec.parts)
            report(f"there is no part '{name}'", hint)
        elif name in calls and name in (*spec.flow, *(spec.fields or ()), *RESERVED):
            report(f"'{name}' is a value and cannot be called", "only parts can")
    body = getattr(value.expr, "value", value.expr)
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
    if "sample" in spec.config and spec.sample not in {*spec.flow, *spec.fields, *spec.declared} - {*spec.parts}:
        hint = choices(spec.sample, spec.flow)
        problems.append(Problem(f"there is no value '{spec.sample}'", spec.origins.get("sample"), "sample", hint))
    for part in spec.parts.values():
        if part.like is not None and part.like not in spec.fields:
            hint = choices(part.like, spec.fields)
            problems.append(Problem(f"there is no data field '{part.like}'", part.at("like"), f"{part.path}.like", hint))


def _player(player: Player, phase: Phase, spec: Spec, graph: Graph, problems: list[Problem]) -> None:
    reached = set(graph.of_player(player))
    clear = not player.broken and not _unclear(reached, spec)
    where = f"{player.path}.trains"
    for index, name in enumerate(player.trains):
        stated = f"trains.{index}" in player.origins
        origin = player.at(f"trains.{index}" if stated else "trains")
        if name not in spec.declared or name in spec.flow:
            message = f"player {player.name} trains '{name}', which is {'a value' if name in spec.flow else 'no part'}"
            hint = choices(name, spec.parts) if stated else f"name its parts, as in `trains: [{next(iter(spec.parts), 'G')}]`"
            problems.append(Problem(message, origin, where, hint))
        elif clear and name not in reached:
            terms = ", ".join(player.terms)
            message = f"player {player.name} trains {name}, but none of its terms ({terms}) reaches it"
            problems.append(Problem(message, origin, where, "add a term, or do not train it"))
    common = player.optimizer is not None and player.optimizer.path == "optimizer"
    trained = sorted(phase.trained()) if common else player.trains
    for name in player.lr_scale:
        if name not in trained:
            path = "optimizer.lr_scale" if common else f"{player.path}.optimizer.lr_scale"
            origin = spec.origins.get(f"optimizer.lr_scale.{name}") if common else player.at(f"optimizer.lr_scale.{name}")
            who = "no player" if common else f"not player {player.name}"
            message = f"lr_scale names '{name}', which {who} trains"
            problems.append(Problem(message, origin, path, choices(name, trained)))


def _settings(spec: Spec, problems: list[Problem]) -> None:
    def at_least(path: str, number: float | None, least: int = 1) -> None:
        if number is not None and number < least:
            problems.append(Problem(f"{number} should be at least {least}", spec.origins.get(path), path))

    train = spec.train
    for key in ("batch", "accumulate", "log_every", "sample_every", "checkpoint_every", "steps"):
        at_least(f"train.{key}", getattr(train, key))
    at_least("train.seed", train.seed, 0)
    at_least("train.keep.last", train.keep.last)
    at_least("train.keep.every", train.keep.every)
    at_least("show.n", spec.show.n)
    at_least("evaluate.n", spec.evaluate.n)
    at_least("evaluate.every", spec.evaluate.every)
    for phase in spec.phases.values():
        at_least(f"phases.{phase.name}.steps", phase.steps)
        for player in phase.players.values():
            batch = player.batch or train.batch
            if train.accumulate > 0 and batch > 0 and batch % train.accumulate:
                message = f"a batch of {batch} cannot be cut into {train.accumulate} equal parts"
                origin = spec.origins.get("train.accumulate", player.origin)
                problems.append(Problem(message, origin, "train.accumulate"))
            if spec.simultaneous and player.repeat > 1:
                message = "players that update simultaneously cannot repeat"
                problems.append(Problem(message, player.at("repeat"), f"{player.path}.repeat", "update: alternating"))


def _metrics(spec: Spec, problems: list[Problem]) -> None:
    declared = [name for name, part in spec.parts.items() if part.kind == "metric"]
    for value in spec.metrics.values():
        target = root(value.expr.func) if isinstance(value.expr, Call) else None
        if target is not None and target not in spec.parts:
            continue  # unknown, or could not be read
        if target is None or spec.parts[target].kind != "metric":
            example = declared[0] if declared else "metric"
            hint = f"write `{value.name}: {example}(fake)`" + ("" if declared else " with a metric under parts:")
            problems.append(Problem(f"`{value.text}` does not call a metric", value.origin, value.path, hint))
    best = spec.train.keep.best
    players = [player for phase in spec.phases.values() for player in phase.players.values()]
    if best is not None and not any(player.broken for player in players):
        known = [f"{player.name}.{term}" for player in players for term in player.terms]
        known += list(spec.metrics)
        if best not in known and best.split(".")[0] not in spec.metrics:
            message, path = f"there is no term or metric '{best}'", "train.keep.best"
            problems.append(Problem(message, spec.origins.get(path), path, choices(best, dict.fromkeys(known))))


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
            reason = "" if _unclear(graph.needs([name]), spec) else impossible_share(name, phase, graph, spec)
            if reason:
                rest = ", ".join(n for n in spec.share if n != name)
                hint = f"write `share: [{rest}]` to compute it afresh each turn"
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
    pieces = [piece for piece in graph.needs([name]) if piece in spec.flow]  # are computed once with it
    found = {p.name: p for piece in pieces for p in owners(piece, phase, graph)} if users else {}
    if len(found) > 1:
        return f"{' and '.join(sorted(found))} both train a part that produces it"
    if not found:
        return ""
    (owner,), producers, computed = found.values(), set(graph.needs([name])), False
    for player in players[: players.index(owner)]:
        computed = computed or player in users
        if computed and player.repeat > 1:
            return f"player {player.name} repeats with new batches before {owner.name} uses its gradient"
        if computed and producers & set(player.trains) and not spec.simultaneous:
            return f"player {player.name} steps one of its producers before {owner.name} uses its gradient"
    return ""


def _unused(spec: Spec, graph: Graph) -> None:
    used: set[str] = set()
    for phase in spec.phases.values():
        for player in phase.players.values():
            used |= set(graph.of_player(player))
    for value in (*spec.shown, *spec.metrics.values(), *([spec.score] if spec.score else [])):
        used |= set(graph.of(value))
    used |= set(graph.needs([spec.sample]))
    parts = [name for name in spec.parts if name not in used]
    values = [name for name in spec.flow if name not in used]
    for what, unused in (("parts", parts), ("values", values)):
        if unused:
            where = [str(_origin(spec, name)) for name in unused]
            listed = ", ".join(f"{name} ({place})" for name, place in zip(unused, where, strict=True))
            spec.warnings.append(f"unused {what}: {listed}")


def _origin(spec: Spec, name: str) -> Origin:
    return (spec.parts.get(name) or spec.flow[name]).origin
