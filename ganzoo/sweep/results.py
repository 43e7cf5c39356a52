"""What came of a sweep: a row a combination, with mean and spread over seeds; the best; runs that lag behind."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from ganzoo.config.yaml12 import read_value
from ganzoo.errors import Origin, Problem, UserError
from ganzoo.evaluation.compare import differences
from ganzoo.evaluation.records import deviation, named
from ganzoo.run.trainings import Training
from ganzoo.store.files import dump_yaml, write_atomic
from ganzoo.store.folder import RunFolder
from ganzoo.sweep.axes import SEED
from ganzoo.sweep.plan import Plan, Trial

ACROSS = ("weights", "code", "versions")  # of a protocol: may differ between the runs of a sweep
OTHERS = 4  # runs that must have come as far before one is ended for lagging behind
Series = list[tuple[int, float]]  # steps and values


def series(folder: Path, metric: str) -> Series:
    """A metric, term or log entry of a run over its steps."""
    found = []
    for record in RunFolder(folder).records():
        value = named(metric, record.get("evaluation", record))
        if value is not None:
            found.append((int(record["step"]), value))
    return found


@dataclass
class Outcome:
    """What came of one training: `state` is finished, stopped, pruned, diverged, failed, interrupted or waiting."""

    seed: int
    folder: str
    state: str
    why: str = ""
    step: int | None = None
    last: float | None = None
    best: float | None = None
    seconds: float | None = None


@dataclass
class Row:
    """A combination of settings and what came of it; mean and spread are over the runs that came to their end."""

    settings: dict[str, Any]
    label: str
    runs: list[Outcome]
    mean: float | None = None
    spread: float | None = None
    mean_of_best: float | None = None
    spread_of_best: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every seed came to its end with a number."""
        return all(run.last is not None and run.state in ("finished", "stopped") for run in self.runs)

    @property
    def states(self) -> str:
        """How many seeds came to their end, and what became of the others."""
        ended = sum(run.state in ("finished", "stopped") for run in self.runs)
        others = [run.state for run in self.runs if run.state not in ("finished", "stopped")]
        more = [f"{others.count(state)} {state}" for state in dict.fromkeys(others)]
        return ", ".join([f"{ended} of {len(self.runs)}", *more])


@dataclass
class Results:
    """A table of rows, the best first; `notes` say what a reader must know of it."""

    model: str
    metric: str | None
    better: str
    swept: list[str]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    @property
    def best(self) -> Row | None:
        """The row with the best mean, if any run has a number."""
        return self.rows[0] if self.rows and self.rows[0].mean is not None else None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        best = self.best
        return {**asdict(self), "best": best.settings if best else None}


def stored(path: Path) -> Results:
    """The table that a sweep left in ``sweep.json``.

    Raises:
        UserError: the file is damaged, or another program wrote it.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        plain.pop("best")
        rows = [Row(**{**row, "runs": [Outcome(**run) for run in row["runs"]]}) for row in plain.pop("rows")]
        return Results(**plain, rows=rows)
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(Problem(f"{path} is damaged", hint="`ganzoo sweep … --finished` writes it anew")) from None


def collect(plan: Plan, trials: Sequence[Trial], problems: dict[Path, Problem]) -> Results:
    """The table of some trials: those whose every seed came to its end first, in the order of their means."""
    rows, numbers = [], set()
    for trial in {t.trainings[0].folder: t for t in trials}.values():  # 1e-3 and 0.001 are one model
        runs = [_outcome(training, plan, problems.get(training.folder)) for training in trial.trainings]
        settings = {key: read_value(text, Origin(key)).plain() for key, text in trial.settings.items()}
        row = Row(settings, plan.label(trial.settings), runs)
        ended = [run for run in runs if run.state in ("finished", "stopped")]
        row.mean, row.spread = _over([run.last for run in ended])
        row.mean_of_best, row.spread_of_best = _over([run.best for run in ended])
        rows.append(row)
        if plan.metric and row.mean is None:
            numbers |= {name for run in ended for name in _evaluated(Path(run.folder))}
    sign = -1 if plan.better == "higher" else 1

    def place(row: Row) -> tuple[bool, bool, float]:
        finite = row.mean is not None and math.isfinite(row.mean)
        return not finite, not row.complete, sign * row.mean if finite and row.mean is not None else 0.0

    found = Results(plan.model, plan.metric, plan.better or "lower", plan.varying, sorted(rows, key=place))
    measured = [protocol for row in rows for run in row.runs if (protocol := _protocol(Path(run.folder), plan.metric))]
    if different := [line for other in measured[1:] for line in differences(measured[0], other, ACROSS)]:
        found.notes.append(f"numbers of different protocols cannot be compared: {'; '.join(dict.fromkeys(different))}")
    if plan.metric is None:
        found.notes.append("no metric: name one with --metric, so that runs can be compared")
    elif numbers:
        found.notes.append(f"'{plan.metric}' is no single number; name one with --metric: {', '.join(sorted(numbers))}")
    if found.best and not found.best.complete:
        found.notes.append("no combination came to its end with every seed: the best is of those that did with some")
    return found


def _evaluated(folder: Path) -> set[str]:
    """The names of all numbers that a run was measured by."""
    return {name for record in RunFolder(folder).records() for name in record.get("evaluation", ())}


def _protocol(folder: Path, metric: str | None) -> dict[str, Any] | None:
    """How a run's metric was measured last."""
    stored = [r for r in RunFolder(folder).evaluated() if named(metric, r["values"]) is not None] if metric else []
    return stored[-1]["protocol"] if stored else None


def _over(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation of what there is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None, deviation(known) if len(known) > 1 else None


def _outcome(training: Training, plan: Plan, problem: Problem | None) -> Outcome:
    notes, state, why = training.notes, "waiting", ""
    if problem is not None:
        interrupted = problem.message.endswith("was interrupted")
        state, why = "interrupted" if interrupted else "failed", str(problem)
    elif "failed" in notes:
        state, why = "diverged", notes["failed"]
    elif "pruned" in notes:
        state, why = "pruned", notes["pruned"]
    elif training.index.get("stopped"):
        state, why = "stopped", training.index["stopped"]
    elif training.finished:
        state = "finished"
    elif training.last:
        state, why = "interrupted", f"after step {training.last}"
    found = Outcome(training.seed, str(training.folder), state, why, training.last, seconds=notes.get("seconds"))
    values = series(training.folder, plan.metric) if plan.metric else []
    if values:
        found.last, found.best = values[-1][1], _best(values, plan.better)
    return found


def _best(values: Series, better: str | None) -> float:
    finite = [value for _, value in values if math.isfinite(value)]
    return (max if better == "higher" else min)(finite, default=math.nan)


class Laggards:
    """The median rule: from a step on, at each of its measurements, a run is ended if the best that it has reached is
    worse than the median of what all other runs had reached by then, once four others have come as far.

    Source: Golovin et al., Google Vizier (2017), section 3.2.2, with the best value instead of the mean.

    Args:
        plan: What the runs are judged by.
        start: The step before which nothing is ended.

    `trainings` are the runs of the sweep that are known so far.
    """

    def __init__(self, plan: Plan, start: int):
        self.metric, self.better, self.start = plan.metric or "", plan.better, start
        self.trainings: list[Training] = []
        self.seen: dict[Path, tuple[int, Series]] = {}

    def values(self, training: Training) -> Series:
        """A run's measurements, read anew only where its log has grown."""
        path = RunFolder(training.folder).metrics
        size = path.stat().st_size if path.exists() else 0
        if self.seen.get(training.folder, (0,))[0] != size:
            self.seen[training.folder] = size, series(training.folder, self.metric)
        return self.seen.get(training.folder, (0, []))[1]

    def __call__(self, training: Training) -> str | None:
        """Why a run should end now, if it should."""
        own = self.values(training)
        if not own or own[-1][0] < self.start or own[-1][0] == training.steps:
            return None
        step = own[-1][0]
        others = [self.values(other) for other in self.trainings if other.folder != training.folder]
        reached = [_best([v for v in values if v[0] <= step], self.better) for values in others if _came(values, step)]
        reached = [value for value in reached if math.isfinite(value)]
        if len(reached) < OTHERS:
            return None
        mine, theirs = _best(own, self.better), median(reached)
        worse = mine < theirs if self.better == "higher" else mine > theirs
        if worse or math.isnan(mine):
            return f"at step {step}: {self.metric} {mine:.4g}, the median of {len(reached)} others {theirs:.4g}"
        return None


def _came(values: Series, step: int) -> bool:
    """Whether a run has a measurement of that step or later, so that it is known what it had reached by then."""
    return bool(values) and values[0][0] <= step <= values[-1][0]


def write_best(results: Results, trials: Sequence[Trial], out: Path) -> Path | None:
    """Write the model with the best settings, whole, as ``best.yaml``; where, if there is one."""
    best = results.best
    if best is None:
        return None
    trial = next(t for t in trials if str(t.trainings[0].folder) == best.runs[0].folder)
    spread = f" ± {best.spread:.2g}" if best.spread is not None else ""
    count = len([run for run in best.runs if run.state in ("finished", "stopped")])
    header = (
        f"# {results.model} with {best.label}\n"
        f"# the best of {len(results.rows)} combinations: {results.metric} {best.mean:.4g}{spread}, {count} seeds, "
        "at the last step\n"
    )
    path = out / "best.yaml"
    write_atomic(path, header + dump_yaml(trial.config))
    return path


def table(results: Results) -> list[list[str]]:
    """Cells of a table, with its head."""
    metric = results.metric or "metric"
    rows = [[*results.swept, f"{metric}, last", f"{metric}, best", "seeds"]]
    for row in results.rows:
        settings = [_shown(row.settings[key]) for key in results.swept]
        numbers = [_cell(row.mean, row.spread), _cell(row.mean_of_best, row.spread_of_best)]
        rows.append([*settings, *numbers, row.states])
    return rows


def failures(results: Results) -> list[str]:
    """A line for each run that did not come to its end, and why."""
    return [
        f"{row.label}, {SEED}={run.seed}: {run.state}: {run.why}"
        for row in results.rows
        for run in row.runs
        if run.state in ("diverged", "failed", "interrupted", "pruned")
    ]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else str(value)


def _cell(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")
