"""What a model does, from what it says: who trains what, values in order, terms, shapes, parameter counts."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import nn

from ganzoo.config import static
from ganzoo.config.expression import Attr, Call, Expr, Scaled, Seq, called, has_hole, names, root
from ganzoo.config.spec import Component, Part, Phase, Player, Spec
from ganzoo.contract import ignored
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.calls import call_signature
from ganzoo.model.modes import parameters
from ganzoo.model.rewrite import rewritable

LOSSES = ("adversarial", "loss", "regularizer")
NETWORKS = ("generator", "discriminator", "encoder")


def explain(blueprint: Blueprint) -> dict[str, Any]:
    """The whole model as plain data."""
    spec = blueprint.spec
    graph = static.Graph(spec)
    read = {name for value in spec.equations() for name in graph.of(value)} | set(graph.needs([spec.sample]))
    return {
        "model": spec.name,
        "about": {key: value for key, value in vars(spec.about).items() if value},
        "data": {
            "use": spec.data.entry.id if spec.data else None,
            "fields": {name: field.to_json() for name, field in blueprint.fields.items()},
            "unread": [name for name in blueprint.fields if name not in read],
        },
        "parts": {
            name: {
                "use": part.entry.id,
                "arguments": part.args,
                "sampling": _sampling(part),
                "parameters": count(blueprint.parts.get(name)),
                "facts": {k: v for k, v in blueprint.facts.get(name, {}).items() if _plain(v)},
                "with": [put.entry.id for put in part.puts.values()],
                "rewritten": _rewritten(blueprint, name),
                "state": _state(part, blueprint.parts.get(name)),
            }
            for name, part in spec.parts.items()
        },
        "flow": {
            name: {"equation": value.text, "shape": blueprint.shapes.get(name)} for name, value in spec.flow.items()
        },
        "losses": {name: _meaning(blueprint, part) for name, part in spec.parts.items() if part.kind in LOSSES},
        "log": {name: value.text for name, value in spec.log.items()},
        "phases": [_phase(phase, blueprint, graph) for phase in spec.phases.values()],
        "share": spec.share,
        "update": "simultaneous" if spec.simultaneous else "alternating",
        "sample": spec.sample,
        "warnings": [*spec.warnings, *blueprint.notes],
    }


def count(part: Any) -> int:
    """The number of trainable parameters."""
    return sum(p.numel() for p in parameters({"part": part}, ["part"])) if isinstance(part, nn.Module) else 0


def _rewritten(blueprint: Blueprint, name: str) -> list[str]:
    """The layers of a part that are computed as one."""
    part = blueprint.parts.get(name)
    return rewritable(part) if blueprint.spec.train.rewrite and isinstance(part, nn.Module) else []


def _state(part: Part, made: Any) -> list[str]:
    """What a part keeps from step to step beside its parameters, by the buffers that a checkpoint holds."""
    if part.kind == "extractor" or not isinstance(made, nn.Module):
        return []
    held = made.state_dict().keys() - dict(made.named_parameters()).keys()
    return list(dict.fromkeys(_in_words(name) for name, _ in made.named_buffers() if name in held))


def _in_words(buffer: str) -> str:
    where, _, name = buffer.rpartition(".")
    if name in ("running_mean", "running_var", "num_batches_tracked"):
        return "running statistics"
    return "singular vectors" if ".parametrizations." in f".{where}" and name.strip("_") in ("u", "v") else name


def _plain(value: Any) -> bool:
    return isinstance(value, int | float | str | list | tuple | None)


def _sampling(part: Part) -> str:
    """How a part behaves when samples are made, where it is not as usual."""
    said = [f"{part.eval_bn} statistics"] if part.eval_bn != "running" else []
    return " and ".join([*said, *(["dropout"] if part.eval_dropout else [])])


def _meaning(blueprint: Blueprint, part: Part) -> list[str]:
    """What a loss says it is: its first sentence, and its equation where that stands by itself."""
    paragraphs = (inspect.getdoc(blueprint.factories[part.path]) or "").split("\n\n")
    equations = [p for p in paragraphs[1:] if " = " in p and not p.startswith(("Args:", "Paper:", "Source:"))]
    return [" ".join(text.replace("``", "").split()) for text in (*paragraphs[:1], *equations[:1])]


def _phase(phase: Phase, blueprint: Blueprint, graph: static.Graph) -> dict[str, Any]:
    return {
        "phase": phase.name,
        "steps": phase.steps,
        "players": [_player(player, phase, blueprint, graph) for player in phase.players.values()],
    }


def _player(player: Player, phase: Phase, blueprint: Blueprint, graph: static.Graph) -> dict[str, Any]:
    spec, reached = blueprint.spec, graph.of_player(player)
    computed = blueprint.computed[phase.name, player.name]
    networks = [n for n in reached if n in spec.parts and spec.parts[n].kind in NETWORKS]
    return {
        "player": player.name,
        "trains": player.trains,
        "frozen": [name for name in networks if name not in player.trains],
        "values": [name for name in in_order(reached, graph) if name in computed],
        "again": _again(player, blueprint),
        "minimizes": [
            {"term": t.name, "of": t.text, "weight": weight(t.weight), "every": t.every} for t in player.terms.values()
        ],
        "repeat": player.repeat,
        "every": player.every,
        "batch": player.batch or spec.train.batch,
        "optimizer": _written(player.optimizer),
        "schedule": {key: _written(component) for key, component in player.schedules.items()},
        "after": [f"{_written(component)}{_only(player, name)}" for name, component in player.after.items()],
        "ema": player.ema.decay if player.ema else None,
        "clip": player.clip,
    }


def _again(player: Player, blueprint: Blueprint) -> dict[str, int]:
    """Passes of networks that stand more than once, word for word, in a player's terms: each is computed each time."""
    calls = [call for term in player.terms.values() for call in _calls(term.expr, blueprint)]
    passes = Counter(c for c in calls if _kind(root(c.func), blueprint.spec) in NETWORKS and not has_hole(c))
    return {str(call): times for call, times in passes.items() if times > 1}


def _calls(expr: Any, blueprint: Blueprint) -> Iterator[Call]:
    """Every call that is made when an expression, or several, are computed: not those in arguments never read."""
    match expr:
        case tuple():
            yield from (call for item in expr for call in _calls(item, blueprint))
        case dict():
            yield from _calls(tuple(expr.values()), blueprint)
        case Attr(base=base):
            yield from _calls(base, blueprint)
        case Seq(items=items):
            yield from _calls(items, blueprint)
        case Scaled(value=value):
            yield from _calls(value, blueprint)
        case Call():
            yield expr
            target = _target(expr.func, blueprint)
            given = call_signature(target).bind(*expr.args, **dict(expr.kwargs)).arguments
            for name in given.keys() - ignored(type(target).forward if isinstance(target, nn.Module) else target):
                yield from _calls(given[name], blueprint)


def _target(func: Expr, blueprint: Blueprint) -> Any:
    """What a call calls: a part or one of its methods."""
    if isinstance(func, Attr):
        return getattr(_target(func.base, blueprint), func.field)
    return blueprint.parts[root(func) or ""]


def _kind(name: str | None, spec: Spec) -> str:
    return spec.parts[name].kind if name in spec.parts else ""


def weight(value: float | Component) -> float | str:
    """A term's weight as a number, or its schedule in words."""
    return value if isinstance(value, int | float) else str(_written(value))


def _only(player: Player, constraint: str) -> str:
    """The parts that a constraint acts on, where these are not all that the player trains."""
    on = player.on[constraint]
    return "" if on == player.trains else f" on {', '.join(on)}"


def _written(component: Component | None) -> str | None:
    if component is None:
        return None
    args = ", ".join(f"{key}={value}" for key, value in component.args.items())
    return f"{component.entry.id}({args})"


def in_order(reached: list[str], graph: static.Graph) -> list[str]:
    """Names in the order in which they can be computed."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        for needed in graph.direct.get(name, []):
            visit(needed)
        found.setdefault(name)

    for name in reached:
        visit(name)
    return list(found)


def text(blueprint: Blueprint) -> str:
    """The model in words, for a terminal."""
    found = explain(blueprint)
    about = found["about"]
    title = f": {about['title']}" if about.get("title") else ""
    lines = [f"{found['model']}{title}" + (f" ({about['paper']})" if "paper" in about else "")]
    for key in ("reproduces", "expected", "budget", "scaled", "differs"):
        if key in about:
            lines.append(f"  {key}: {about[key]}")
    lines += ["", "data " + str(found["data"]["use"])]
    for name, field in found["data"]["fields"].items():
        shape = "x".join(map(str, field["shape"])) or "scalar"
        more = f" in {list(field['range'])}" if field["range"] else ""
        more += f", {len(field['classes'])} classes" if field["classes"] else ""
        unread = "   (nobody reads it)" if name in found["data"]["unread"] else ""
        lines.append(f"  {name}: {field['kind']} {shape}{more}{unread}")
    lines += ["", "parts"]
    width = max(map(len, found["parts"]), default=0)
    for name, part in found["parts"].items():
        facts = ", ".join(f"{k} {_short(v)}" for k, v in part["facts"].items())
        size = f"{part['parameters']:,} parameters" if part["parameters"] else ""
        puts = f"with {', '.join(part['with'])}" if part["with"] else ""
        pairs = f"layer pairs computed as one: {len(part['rewritten'])}" if part["rewritten"] else ""
        stated = ", ".join(f"{key}={value}" for key, value in part["arguments"].items())
        what = f"{part['use']}({stated})" if stated else part["use"]
        kept = f"sampling with {part['sampling']}" if part["sampling"] else ""
        state = f"keeps {', '.join(part['state'])}" if part["state"] else ""
        lines.append(f"  {name:<{width}}  " + "  ".join(x for x in (what, size, puts, facts, pairs, state, kept) if x))
    lines += ["", "flow"]
    for name, value in found["flow"].items():
        shared = "   (computed once a step)" if name in found["share"] else ""
        lines.append(f"  {name} = {value['equation']}   [{value['shape'] or 'not computed'}]{shared}")
    lines += ["", "losses"] if found["losses"] else []
    for name, said in found["losses"].items():
        lines += [f"  {name:<{width}}  {said[0]}", *(f"  {'':<{width}}    {equation}" for equation in said[1:])]
    for phase in found["phases"]:
        lines += ["", f"{phase['phase']}: {phase['steps']:,} steps" + _simultaneously(found["update"])]
        for player in phase["players"]:
            lines += _player_lines(player)
    lines += ["", "log"] if found["log"] else []
    lines += [f"  {name} = {equation}" for name, equation in found["log"].items()]
    lines += ["", f"sample gives {found['sample']}"]
    return "\n".join([*lines, *(f"warning: {w}" for w in found["warnings"])])


def _simultaneously(update: str) -> str:
    return ", all players at once" if update == "simultaneous" else ", in this order"


def _player_lines(player: dict[str, Any]) -> list[str]:
    turns = [f"{player['repeat']} times a step"] if player["repeat"] > 1 else []
    turns += [f"every {player['every']} steps"] if player["every"] > 1 else []
    turns += [f"batch {player['batch']}"]
    lines = [f"  {player['player']} trains {', '.join(player['trains'])} ({', '.join(turns)})"]
    if player["frozen"]:
        lines.append(f"    frozen: {', '.join(player['frozen'])}")
    if player["values"]:
        lines.append(f"    computes: {', '.join(player['values'])}")
    for call, times in player["again"].items():
        lines.append(f"    computes {times} times: {call}   (a name for it under flow computes it once)")
    for term in player["minimizes"]:
        extra = f"   weight {term['weight']}" if term["weight"] != 1 else ""
        extra += f"   every {term['every']} steps" if term["every"] > 1 else ""
        lines.append(f"    minimises {term['term']}: {term['of']}{extra}")
    for key in ("optimizer", "ema", "clip"):
        if player[key] is not None:
            lines.append(f"    {key}: {player[key]}")
    lines += [f"    schedule of {key}: {value}" for key, value in player["schedule"].items()]
    lines += [f"    after each step: {value}" for value in player["after"]]
    return lines


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and value:
        return " to ".join(f"{v:g}" for v in value) if isinstance(value[0], float) else "x".join(map(str, value))
    return str(value)


def diagram(spec: Spec) -> str:
    """The flow as a Mermaid chart: data and values, the parts between them, players and their terms."""
    lines = ["flowchart LR"]
    fields = spec.fields or []
    used: set[str] = set()

    def node(name: str) -> str:
        if name in used:
            return name
        used.add(name)
        shape = f'{name}[("{name}")]' if name in fields else f'{name}(["{name}"])'
        lines.append(f"  {shape}")
        return name

    for name, value in spec.flow.items():
        parts = ", ".join(part for part in called(value.expr))
        sources = [n for n in names(value.expr) if n in spec.flow or n in fields]
        for source in sources:
            lines.append(f'  {node(source)} -- "{parts}" --> {node(name)}')
        if not sources:
            lines.append(f'  {parts or name}_source(["{value.text}"]) --> {node(name)}')
    for phase in spec.phases.values():
        for player in phase.players.values():
            key = f"{phase.name}_{player.name}" if len(spec.phases) > 1 else player.name
            lines.append(f'  player_{key}{{{{"{key} trains {", ".join(player.trains)}"}}}}')
            for term in player.terms.values():
                label = term.text.replace('"', "'")
                lines.append(f'  term_{key}_{term.name}["{term.name}: {label}"] --> player_{key}')
                for source in names(term.expr):
                    if source in spec.flow or source in fields:
                        lines.append(f"  {node(source)} --> term_{key}_{term.name}")
    return "\n".join(lines) + "\n"
