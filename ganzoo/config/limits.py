"""The checks of settings that need no graph: numbers in range, metrics that are metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ganzoo.config.expression import Call, called, root
from ganzoo.config.schema import LOGGED
from ganzoo.config.spec import Spec
from ganzoo.errors import Origin, Problem, choices

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def seconds(time: str | float) -> float:
    """``90``, ``90s``, ``1.5m`` or ``2h`` in seconds.

    Raises:
        ValueError: it is no time.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(time))
    if found is None or found[2] not in UNITS or float(found[1]) <= 0:
        raise ValueError(f"'{time}' is no time")
    return float(found[1]) * UNITS[found[2]]


def settings(spec: Spec, problems: list[Problem]) -> None:
    """Numbers that must be large enough, batches that must divide."""

    def at_least(path: str, number: float | None, least: int = 1) -> None:
        if number is not None and number < least:
            problems.append(Problem(f"{number} should be at least {least}", spec.origins.get(path), path))

    train = spec.train
    for key in ("batch", "accumulate", "log_every", "sample_every", "checkpoint_every", "steps"):
        at_least(f"train.{key}", getattr(train, key))
    kind = train.device.partition(":")[0]
    if kind not in DEVICES:
        hint = choices(kind, DEVICES) or "auto, cpu, cuda or cuda:1"
        problems.append(
            Problem(f"there is no device '{train.device}'", spec.origins.get("train.device"), "train.device", hint)
        )
    for key in ("budget", "timeout"):
        path = f"train.{key}"
        try:
            seconds(getattr(train, key) or 1)
        except ValueError as error:
            problems.append(Problem(str(error), spec.origins.get(path), path, "write 60s, 1.5m or 2h"))
    if train.budget is not None:
        path = "train.budget"
        if "phases" in spec.config:
            message = "a model with phases has no budget"
            problems.append(Problem(message, spec.origins.get(path), path, "give each phase its steps"))
    at_least("train.seed", train.seed, 0)
    at_least("train.keep.last", train.keep.last)
    at_least("train.keep.every", train.keep.every)
    at_least("show.n", spec.show.n)
    at_least("show.across", 1 if spec.show.across is None else spec.show.across)
    at_least("evaluate.n", spec.evaluate.n)
    at_least("evaluate.every", spec.evaluate.every)
    for phase in spec.phases.values():
        if "phases" in spec.config:  # without them the only phase has the steps of `train:`
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


def logged(spec: Spec, problems: list[Problem]) -> None:
    """What ``log:`` watches: names that nothing else is logged under, and no metrics."""
    measured = {name for value in spec.metrics.values() for name in (value.name, spec.metric_name(value))}
    for value in spec.log.values():
        if value.name in LOGGED or value.name in measured:
            whose = "a metric of this model" if value.name in measured else "logged of every run"
            message = f"'{value.name}' is {whose} already"
            problems.append(Problem(message, value.origin, value.path, "choose another name"))
        for name in called(value.expr):
            if name in spec.parts and spec.parts[name].kind == "metric":
                message = f"`{value.text}` calls the metric {name}, which needs more samples than a batch holds"
                problems.append(Problem(message, value.origin, value.path, "write it under evaluate:"))


def metrics(spec: Spec, problems: list[Problem]) -> None:
    """What ``evaluate:`` computes."""
    declared = [name for name, part in spec.parts.items() if part.kind == "metric"]
    for value in spec.metrics.values():
        target = root(value.expr.func) if isinstance(value.expr, Call) else None
        if target is not None and target not in spec.parts:
            continue  # unknown, or could not be read
        if target is None or spec.parts[target].kind != "metric":
            example = declared[0] if declared else "metric"
            hint = f"write `{value.name}: {example}(fake)`" + ("" if declared else " with a metric under parts:")
            problems.append(Problem(f"`{value.text}` does not call a metric", value.origin, value.path, hint))


def watched(spec: Spec, problems: list[Problem]) -> None:
    """The names that something goes by: the best checkpoint, the end of the run, schedules that have a ``watch``."""
    if any(player.broken for phase in spec.phases.values() for player in phase.players.values()):
        return
    measured, known = _measured(spec), watchable(spec)
    for name, origin, path in watching(spec):
        if name not in known and not name.startswith(tuple(f"{metric}." for metric in measured)):
            message = f"there is no term, metric or log entry '{name}'"
            problems.append(Problem(message, origin, path, choices(name, dict.fromkeys(known))))


def _measured(spec: Spec) -> list[str]:
    return [name for value in spec.metrics.values() for name in (spec.metric_name(value), value.name)]


def watchable(spec: Spec) -> list[str]:
    """Every name that something can go by: terms, what ``log:`` watches, metrics (``metric.number`` too)."""
    players = [player for phase in spec.phases.values() for player in phase.players.values()]
    return [*(f"{player.name}.{term}" for player in players for term in player.terms), *spec.log, *_measured(spec)]


def watching(spec: Spec) -> Iterator[tuple[str, Origin | None, str]]:
    """Every name that something goes by, with where it is written."""
    if spec.train.keep.best is not None:
        yield spec.train.keep.best, spec.origins.get("train.keep.best"), "train.keep.best"
    if spec.stop is not None:
        yield spec.stop.watch, spec.origins.get("stop.watch"), "stop.watch"
    seen = set()
    for component in spec.components():
        if component.kind == "schedule" and isinstance(name := component.args.get("watch"), str):
            if component.path not in seen:
                yield name, component.at("watch"), f"{component.path}.watch"
            seen.add(component.path)
