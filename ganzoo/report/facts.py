"""What a run has to say for itself, read from what lies in its folder."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganzoo.config.yaml12 import read_file
from ganzoo.errors import Problem, UserError
from ganzoo.evaluation.records import in_words, named
from ganzoo.store import lock
from ganzoo.store.folder import RunFolder

STATUS = "status.json"  # in a run folder: why training ended, and where

_MAPPINGS = (  # of a complete model, as the pages take them for granted
    *("about", "data", "log", "parts.*", "flow", "train.keep", "locked.better", "locked.fields.*", "locked.parameters"),
    *("players.*.minimize", "phases.*.players.*.minimize"),
)
_MOST = 1e15  # steps, epochs or seconds
Series = dict[str, list[tuple[int, float]]]  # steps and values by name


@dataclass
class Headline:
    """The number by which a run is known: at the last measurement, at the best, and how it was measured."""

    name: str
    step: int
    last: float
    best: tuple[int, float] | None
    protocol: str


@dataclass
class Facts:
    """A run as a page shows it.

    Args:
        folder: Where it lies.
        name: Its model.
        config: Its ``locked.yaml``.
        status: What became of it, ``reason; step N``.
        steps: For how many it was to train, if that is known.
    """

    folder: RunFolder
    name: str
    config: Mapping[str, Any]
    status: str
    steps: int | None

    @property
    def running(self) -> bool:
        return self.status.startswith("running")

    @property
    def failed(self) -> bool:
        return self.status.startswith(("diverged", "collapsed", "failed"))

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The lines of the log that say at which step; what another program wrote is left out."""
        return [record for record in self.folder.records() if _is_line(record)]

    @cached_property
    def step(self) -> int:
        """The step of the last line of the log."""
        return max((int(record.get("step", 0)) for record in self.records), default=0)

    @property
    def about(self) -> Mapping[str, Any]:
        return self.config.get("about") or {}

    @property
    def title(self) -> str:
        return str(self.about.get("title") or self.name)

    @property
    def data(self) -> str:
        """The data component, and what it gives."""
        use = str((self.config.get("data") or {}).get("use") or "no data")
        fields = (self.config.get("locked") or {}).get("fields") or {}
        given = [f"{name} {_shape(stored)}" for name, stored in fields.items()]
        return f"{use}: {', '.join(given)}" if given else use

    @cached_property
    def warnings(self) -> list[tuple[int, str]]:
        return [(int(record["step"]), str(record["warning"])) for record in self.records if "warning" in record]

    @cached_property
    def logged(self) -> Series:
        """Terms, diagnostics and what ``log:`` names."""
        watched = ("diversity", *(self.config.get("log") or {}))
        return self._series(
            lambda name: ("." in name and not name.endswith(".lr")) or name in watched, (r for r in self.records)
        )

    @cached_property
    def metrics(self) -> Series:
        """Every number that was measured while it trained."""
        return self._series(
            lambda name: True, ({"step": r["step"], **r["evaluation"]} for r in self.records if "evaluation" in r)
        )

    def _series(self, wanted: Any, records: Iterator[Mapping[str, Any]]) -> Series:
        found: Series = {}
        for record in records:
            for name, value in record.items():
                if name != "step" and wanted(name) and _is_number(value):
                    found.setdefault(name, []).append((int(record["step"]), float(value)))
        return found

    @cached_property
    def epochs(self) -> dict[int, int]:
        """The epoch of each logged step."""
        return {int(r["step"]): int(r["epoch"]) for r in self.records if "epoch" in r}

    @cached_property
    def seconds(self) -> float:
        """Of training, without pictures and metrics."""
        return max((float(record["seconds"]) for record in self.records if "seconds" in record), default=0.0)

    def better(self, name: str) -> str | None:
        """Whether `lower` or `higher` is better of a number, if the run says so."""
        keep = (self.config.get("train") or {}).get("keep") or {}
        if keep.get("mode") and keep.get("best") and named(keep["best"], {name: 0.0}) is not None:
            return "higher" if keep["mode"] == "max" else "lower"
        metric, _, part = re.sub(r"\[.*?\]", "", name).partition(".")
        stated = ((self.config.get("locked") or {}).get("better") or {}).get(metric)
        return stated.get(part) if isinstance(stated, Mapping) else stated

    def best(self, name: str) -> tuple[int, float] | None:
        """The step and value of a metric at its best."""
        better = self.better(name)
        finite = [point for point in self.metrics.get(name, ()) if math.isfinite(point[1])]
        if better is None or not finite:
            return None
        return min(finite, key=lambda point: -point[1] if better == "higher" else point[1])

    @cached_property
    def headline(self) -> Headline | None:
        """What keeps the best checkpoint, or else the first number of the first metric."""
        if not self.metrics:
            return None
        wanted = ((self.config.get("train") or {}).get("keep") or {}).get("best")
        meant = [name for name in self.metrics if wanted and named(wanted, {name: 0.0}) is not None]
        name = [*meant, *self.metrics][0]
        step, last = self.metrics[name][-1]
        stored = [r for r in _measured(self.folder) if name in r["values"] and r.get("step") == step]
        protocol = in_words(stored[0]["protocol"]) if stored else ""
        return Headline(name, step, last, self.best(name), protocol)

    @cached_property
    def remarks(self) -> list[str]:
        """What metrics said in words at the last step at which any did."""
        stored = _measured(self.folder)
        last = max((record.get("step", 0) for record in stored), default=0)
        return list(dict.fromkeys(str(r["verdict"]) for r in stored if r.get("step") == last and r.get("verdict")))

    @property
    def verdict(self) -> str:
        """The run in a few sentences."""
        reason, _, at = self.status.rpartition("; step ")
        spent = f", {duration(self.seconds)} of training" if self.seconds else ""
        if reason == "finished":
            said = [f"Finished after {int(at or self.step):,} steps{spent}."]
        else:
            said = [f"{reason[:1].upper()}{reason[1:]}, at step {int(at or self.step):,}{spent}."]
        if found := self.headline:
            best = found.best
            more = f", {best[1]:.4g} at its best (step {best[0]:,})" if best and best[0] != found.step else ""
            said.append(f"{found.name} is {found.last:.4g} at step {found.step:,}{more}.")
        said += [f"{remark[:1].upper()}{remark[1:].rstrip('.')}." for remark in self.remarks]
        if self.warnings:
            count = len(self.warnings)
            step, text = self.warnings[-1]
            said.append(f"{count} warning{'s' * (count > 1)}, the last at step {step:,}: {text.rstrip('.')}.")
        elif not self.failed:
            said.append("No warning.")
        return " ".join(said)

    @property
    def parts(self) -> list[tuple[str, str, int | None]]:
        """Every part: its name, component, and number of trainable parameters."""
        counts = (self.config.get("locked") or {}).get("parameters") or {}
        parts = self.config.get("parts") or {}
        counted = {name: count for name, count in counts.items() if isinstance(count, int) and _is_number(count)}
        return [(n, str(p.get("use") if isinstance(p, Mapping) else p), counted.get(n)) for n, p in parts.items()]

    @property
    def equations(self) -> Iterator[tuple[str, str, str, str, str]]:
        """For each term: phase, player with what it trains, term, weight, expression with the rest of its settings."""
        phases = self.config.get("phases") or {"": {}}
        for phase, settings in phases.items():
            players = (settings or {}).get("players") or self.config.get("players") or {}
            for name, player in players.items():
                player = player or {}
                trains = ", ".join(map(str, _listed(player.get("trains")) or [name]))
                who = name if trains == name else f"{name} (trains {trains})"
                for term, stated in (player.get("minimize") or {}).items():
                    held = dict(stated) if isinstance(stated, Mapping) else {"of": stated}
                    weight, of = _factored(held.pop("weight", 1), str(held.pop("of", "")))
                    rest = ", ".join(f"{key} {value}" for key, value in held.items() if (key, value) != ("every", 1))
                    yield phase, who, term, _weight(weight), of + (f"   ({rest})" if rest else "")

    @cached_property
    def environment(self) -> dict[str, Any]:
        return self.folder.read_json("environment.json")

    @property
    def command(self) -> str:
        """As it was started."""
        first, *rest = map(str, _listed(self.environment.get("command")) or [""])
        return shlex.join(["ganzoo" if first == "__main__.py" else first, *rest]) if first else ""


def read(path: str | Path) -> Facts:
    """A run folder, whatever state it is in.

    Raises:
        UserError: it is none.
    """
    folder = RunFolder(path)
    if not is_run(folder.path):
        raise UserError(Problem(f"{path} is no run folder", hint="a run folder holds locked.yaml and metrics.jsonl"))
    problems: list[Problem] = []
    config = read_file(folder.path / "locked.yaml", problems).plain()
    if problems:
        raise UserError(problems)
    for path in _MAPPINGS:
        _check_mappings(config, path, folder.path / "locked.yaml")
    name = str((config.get("locked") or {}).get("model") or folder.path.name)
    phases = config.get("phases")
    train = config.get("train") or {}
    try:
        steps = (
            sum(int(phase["steps"]) for phase in phases.values()) if phases else int(train.get("steps") or 0) or None
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{folder.path / 'locked.yaml'} does not say how many steps there are") from None
    if train.get("budget") is not None:
        steps = None
    facts = Facts(folder, name, config, "", steps)
    facts.status = _status(facts)
    return facts


def _check_mappings(value: Any, path: str, where: Path) -> None:
    """Refuse a model of another form: at `path`, where ``*`` is any key, a mapping has to stand, or nothing."""
    key, _, rest = path.partition(".")
    for name in value if key == "*" else [key]:
        child = value.get(name)
        if child is not None and not isinstance(child, Mapping):
            raise UserError(f"{where}: {name} should be a mapping")
        if rest and child is not None:
            _check_mappings(child, rest, where)


def is_run(path: Path) -> bool:
    """Whether a folder holds a run."""
    return (path / "locked.yaml").is_file() and (path / "config.yaml").is_file()


def _status(facts: Facts) -> str:
    """What the run wrote when it ended; else whether a process still trains it, and how far it came."""
    path = facts.folder.path
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        stored = facts.folder.read_json(STATUS)
        return f"{stored['reason']}; step {int(stored['step'])}"
    try:
        lock.check_free(path)
    except UserError:
        return f"running; step {facts.step}"
    stopped = facts.folder.read_json("checkpoints/index.json").get("stopped")
    if stopped:
        return f"{stopped}; step {facts.step}"
    return f"{'finished' if facts.steps and facts.step >= facts.steps else 'killed'}; step {facts.step}"


def _is_line(record: Mapping[str, Any]) -> bool:
    """Whether a line of the log has the form that the pages take for granted."""
    return (
        isinstance(record.get("step"), int)
        and all(_is_number(record.get(key, 0)) for key in ("step", "epoch", "seconds", "samples_per_second"))
        and all(abs(record.get(key, 0)) < _MOST for key in ("step", "epoch", "seconds"))
        and isinstance(record.get("evaluation", {}), Mapping)
    )


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**300)


def _listed(value: Any) -> list[Any]:
    """A value that should be a list; empty if it is none."""
    return value if isinstance(value, list) else []


def _measured(folder: RunFolder) -> list[dict[str, Any]]:
    """The records of metrics that have the form that the pages take for granted."""
    return [r for r in folder.evaluated() if all(isinstance(r.get(key), Mapping) for key in ("values", "protocol"))]


def _shape(stored: Mapping[str, Any]) -> str:
    shape, classes = _listed(stored.get("shape")), _listed(stored.get("classes"))
    if stored.get("kind") == "label":
        return f"(label of {len(classes)} classes)" if classes else "(label)"
    return f"({stored.get('kind')} {'x'.join(map(str, shape))})".replace(" )", ")")


def _factored(weight: Any, of: str) -> tuple[Any, str]:
    """The number that a term's single call is multiplied by counts as its weight: of ``100 * l1(a, b)`` 100."""
    found = re.fullmatch(r"\s*((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?) \* ([A-Za-z_][\w.]*\((.*)\))\s*", of)
    if found is None or not _is_number(weight):
        return weight, of
    depth = 0
    for character in found[3]:
        depth += (character == "(") - (character == ")")
        if depth < 0:  # the first call ends before the last bracket
            return weight, of
    return weight * float(found[1]), found[2]


def _weight(weight: Any) -> str:
    if isinstance(weight, Mapping):
        return f"{weight.get('use')} " + ", ".join(f"{k} {v}" for k, v in weight.items() if k != "use")
    return f"{weight:g}" if _is_number(weight) else str(weight)


def duration(seconds: float) -> str:
    """``42 s``, ``5 min 14 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
