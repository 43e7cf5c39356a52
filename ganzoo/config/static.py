"""The checks that need neither torch nor data: names, cycles, who reaches what, what can be shared."""

from __future__ import annotations

from collections.abc import Iterable

from ganzoo.config.spec import RESERVED, Phase, Player, Spec, Value
from ganzoo.errors import Origin, Problem, choices, did_you_mean
from ganzoo.expression import HOLE, Attr, Call, Name, called, has_hole, names, root, walk


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
    """Every problem of the graph. Warnings about what is unused go to ``spec.warnings``."""
    problems: list[Problem] = []
    _collisions(spec, problems)
    for value in spec.equations():
        _expression(value, spec, problems)
    graph = Graph(spec)
    cycles = graph.cycles()
    for cycle in cycles:
        value = spec.flow[cycle[0]]
        problems.append(Problem(f"is defined by itself: {' -> '.join(cycle)}", value.origin, value.path))
    _sample(spec, problems)
    for phase in spec.phases.values():
        for player in phase.players.values():
            _player(player, spec, graph, problems)
    if not problems:
        _settings(spec, problems)
        _shares(spec, graph, problems)
        _unused(spec, graph)
    return problems


def _known(spec: Spec) -> list[str] | None:
    """Every name an expression may read; None where the data's fields are not known yet."""
    if spec.fields is None:
        return None
    return [*spec.declared, *spec.fields, *RESERVED]


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
    for name in set(spec.parts) & set(spec.fields or ()):
        part = spec.parts[name]
        problems.append(Problem(f"'{name}' is also a field of the data", part.origin, part.path, "rename the part"))


def _expression(value: Value, spec: Spec, problems: list[Problem]) -> None:
    def report(message: str, hint: str = "") -> None:
        problems.append(Problem(f"{message}, in `{value.text}`", value.origin, value.path, hint))

    known, calls = _known(spec), called(value.expr)
    for name in names(value.expr):
        if known is not None and name not in known:
            near = [n for n in known if (n in spec.parts) == (name in calls)]
            report(f"there is no part, value or data field '{name}'", did_you_mean(name, near) or choices(name, known))
        elif name in calls and name in (*spec.flow, *(spec.fields or ()), *RESERVED):
            report(f"'{name}' is a value and cannot be called", "only parts can")
    body = getattr(value.expr, "value", value.expr)
    if isinstance(body, Name) and body.id in spec.parts:
        report(f"'{body.id}' is a part, not a value", f"call it: {body.id}(…)")
    if has_hole(value.expr) and not isinstance(body, Call):
        report(f"`{HOLE}` stands inside an argument", "as in `gp(D(_, label), real, fake)`")
    for piece in walk(value.expr):
        if isinstance(piece, Attr) and root(piece) in (spec.fields or ()):
            report(f"'{root(piece)}' is a data field and has no fields of its own")
        if isinstance(piece, Call) and any(isinstance(a, Name) and a.id == HOLE for a in piece.args) and piece is body:
            report(f"`{HOLE}` alone is no function", "pass the part itself: `gp(D, real, fake)`")


def _sample(spec: Spec, problems: list[Problem]) -> None:
    if "sample" in spec.config and spec.fields is not None and spec.sample not in (*spec.flow, *spec.fields):
        hint = choices(spec.sample, spec.flow)
        problems.append(Problem(f"there is no value '{spec.sample}'", spec.origins.get("sample"), "sample", hint))


def _player(player: Player, spec: Spec, graph: Graph, problems: list[Problem]) -> None:
    reached = set(graph.of_player(player))
    for name in player.trains:
        if name not in spec.declared or name in spec.flow:
            message = f"player {player.name} trains '{name}', which is no part"
            hint = choices(name, spec.parts) or "write `trains:`"
            problems.append(Problem(message, player.origin, f"{player.path}.trains", hint))
        elif player.terms and name not in reached:
            terms = ", ".join(player.terms)
            message = f"player {player.name} trains {name}, but none of its terms ({terms}) reaches it"
            problems.append(Problem(message, player.origin, f"{player.path}.trains", "add a term, or do not train it"))
    for name in player.lr_scale:
        if name not in player.trains:
            message = f"lr_scale names '{name}', which player {player.name} does not train"
            problems.append(
                Problem(message, player.origin, f"{player.path}.optimizer.lr_scale", choices(name, player.trains))
            )


def _settings(spec: Spec, problems: list[Problem]) -> None:
    def at_least(path: str, number: int | None, least: int = 1) -> None:
        if number is not None and number < least:
            message = f"{number} should be at least {least}"
            problems.append(Problem(message, spec.origins.get(path), path))

    for key in ("batch", "accumulate", "log_every", "sample_every", "checkpoint_every"):
        at_least(f"train.{key}", getattr(spec.train, key))
    at_least("train.steps", spec.train.steps)
    at_least("train.keep.last", spec.train.keep.last)
    at_least("train.keep.every", spec.train.keep.every)
    for phase in spec.phases.values():
        at_least(f"phases.{phase.name}.steps", phase.steps)
        for player in phase.players.values():
            batch = player.batch or spec.train.batch
            if batch % spec.train.accumulate:
                message = f"a batch of {batch} cannot be cut into {spec.train.accumulate} equal parts"
                origin = spec.origins.get("train.accumulate", player.origin)
                problems.append(Problem(message, origin, "train.accumulate"))
            if spec.simultaneous and player.repeat > 1:
                message = "players that update simultaneously cannot repeat"
                problems.append(Problem(message, player.origin, f"{player.path}.repeat", "update: alternating"))
    for value in spec.metrics.values():
        target = root(value.expr.func) if isinstance(value.expr, Call) else None
        if target is None or spec.parts[target].kind != "metric":
            hint = "write `name: metric(fake)` with a metric under parts:"
            problems.append(Problem(f"`{value.text}` does not call a metric", value.origin, value.path, hint))
    best = spec.train.keep.best
    if best is not None:
        known = [f"{p.name}.{t}" for phase in spec.phases.values() for p in phase.players.values() for t in p.terms]
        known += list(spec.metrics)
        if best not in known and best.split(".")[0] not in spec.metrics:
            message = f"there is no term or metric '{best}'"
            problems.append(Problem(message, spec.origins.get("train.keep.best"), "train.keep.best", choices(best, known)))


def _shares(spec: Spec, graph: Graph, problems: list[Problem]) -> None:
    """A shared value keeps its graph until its producers' player uses it; say where that cannot be."""
    for name in spec.share:
        origin = spec.origins.get("share.0") or spec.origins.get("share")
        if name not in spec.flow:
            hint = choices(name, spec.flow)
            problems.append(Problem(f"there is no value '{name}' to share", origin, "share", hint))
            continue
        for phase in spec.phases.values():
            reason = impossible_share(name, phase, graph, spec)
            if reason:
                hint = f"write `share: {[n for n in spec.share if n != name]}` to draw it afresh each turn"
                problems.append(Problem(f"{name} cannot be shared: {reason}", origin, "share", hint))


def owners(name: str, phase: Phase, graph: Graph) -> list[Player]:
    """The players who train a part that produces the value, and whose terms need it."""
    producers = set(graph.needs([name]))
    return [p for p in phase.players.values() if producers & set(p.trains) and name in graph.of_player(p)]


def impossible_share(name: str, phase: Phase, graph: Graph, spec: Spec) -> str:
    """Why a value cannot be computed once a step in this phase, or an empty string."""
    users = [p for p in phase.players.values() if name in graph.of_player(p)]
    sizes = {p.batch or spec.train.batch for p in users}
    if len(sizes) > 1:
        return f"its users have batches of different sizes ({', '.join(map(str, sorted(sizes)))})"
    found = owners(name, phase, graph)
    if len(found) > 1:
        return f"{' and '.join(p.name for p in found)} both train a part that produces it"
    if not found:
        return ""
    owner, producers, computed = found[0], set(graph.needs([name])), False
    for player in phase.players.values():
        if player is owner:
            return ""
        computed = computed or player in users
        if computed and player.repeat > 1:
            return f"player {player.name} repeats with new batches before {owner.name} uses its gradient"
        if computed and producers & set(player.trains):
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
