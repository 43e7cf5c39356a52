"""Settings of training that a run may change on its way: those that alter neither networks nor the state's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ganzoo.config.expression import ExpressionError, Scaled, parse
from ganzoo.config.tree import Node
from ganzoo.errors import Origin, Problem

_PLAYER = r"(phases\.[^.]+\.)?players\.[^.]+\."
_NUMBERS = re.compile(
    rf"({_PLAYER})?(optimizer|schedule)(\.\w+){{1,2}}|{_PLAYER}(clip|every|repeat|batch|ema\.decay)"
    rf"|{_PLAYER}minimize\.[^.]+\.(weight|every)|train\.(batch|accumulate)|stop\.(above|below|patience)"
)
_WORDS = re.compile(r"train\.(log_every|sample_every|checkpoint_every|on_collapse|timeout|keep\.\w+)|evaluate\.every")
_TERM = re.compile(rf"({_PLAYER}minimize\.[^.]+)(\.of)?")
MAY = "data.…, train.device, train.graphs, parts.NAME.shard, and numbers of training (docs/configs.md)"
ELSEWHERE = "`ganzoo train` with parts.NAME.init=RUN, of a model that `extends` its own, starts a new run"


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Every setting that is another: its path, what it was and what it is, None where it was or is not stated."""
    was, now = _leaves(before), _leaves(after)
    return {
        key: [was.get(key), now.get(key)] for key in [*was, *(k for k in now if k not in was)] if _differ(key, was, now)
    }


def _differ(key: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return (key in was) != (key in now) or was[key] != now[key]


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Settings by their paths; a term that is given as an equation alone is its `of`."""
    if isinstance(value, Mapping) and value:
        found: dict[str, Any] = {}
        for key, child in value.items():
            found |= _leaves(child, f"{path}.{key}".removeprefix("."))
        return found
    term = _TERM.fullmatch(path)
    return {f"{path}.of" if term and not term[3] else path: value}


def may(path: str, was: Any, now: Any) -> bool:
    """Whether a run may change a setting on its way."""
    if _WORDS.fullmatch(path):
        return True
    if term := _TERM.fullmatch(path):
        return term[3] is not None and _unweighed(was) == _unweighed(now) is not None
    if path.endswith(".momentum") and not was:
        return False  # an optimizer that has had none keeps nothing of it
    return _NUMBERS.fullmatch(path) is not None and _is_number(now) and (was is None or _alike(was, now))


def _unweighed(text: Any) -> Any:
    """The expression of a term without the number before it."""
    try:
        expr = parse(text)
    except (ExpressionError, TypeError):
        return None
    return expr.value if isinstance(expr, Scaled) else expr


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alike(was: Any, now: Any) -> bool:
    return _is_number(was) and len(was if isinstance(was, list) else [0]) == len(now if isinstance(now, list) else [0])


def check(before: Mapping[str, Any], after: Node, given: Iterable[str], where: str) -> list[Problem]:
    """What is wrong with overrides of a run that goes on: settings that cannot change, or that players do not see.

    Args:
        before: The run's config.
        after: The same with the overrides put in.
        given: The overrides.
        where: What messages call the place that they are from.
    """
    problems, plain = [], after.plain()
    for path, (was, now) in between(before, plain).items():
        text = next((t for t in given if path.startswith(t.partition("=")[0])), path)
        origin, section = Origin(f"{where}: {text}"), path.partition(".")[0]
        if not may(path, was, now):
            hint = f"only {MAY} can; {ELSEWHERE}"
            if path == "train.steps":
                hint = f"`--steps {now}` trains on to that step"
            problems.append(Problem("cannot be changed in a run", origin, hint=hint))
        elif section in ("optimizer", "schedule"):
            players = {f"players.{k}": v for k, v in plain["players"].items()}
            for phase, stated in plain.get("phases", {}).items():
                players |= {f"phases.{phase}.players.{k}": v for k, v in (stated.get("players") or {}).items() if v}
            own = [key for key, player in players.items() if section in player]
            if own:
                hint = " ".join(f"{key}.{path}={text.partition('=')[2]}" for key in players)
                message = f"{', '.join(own)} would not follow, for it has settings of its own"
                problems.append(Problem(message, origin, hint=f"write {hint}"))
    return problems
