"""A sweep that was checked: its combinations of settings, each with the trainings that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ganzoo import api
from ganzoo.config.compose import COMMAND_LINE
from ganzoo.config.limits import watchable
from ganzoo.errors import Problem, UserError, choices
from ganzoo.evaluation.records import mode_of
from ganzoo.registry import Registry
from ganzoo.run import trainings
from ganzoo.run.trainings import Training
from ganzoo.sweep.axes import SEED, Axis, Combination

Result = TypeVar("Result")


@dataclass(frozen=True)
class Trial:
    """One combination of settings, and its trainings, one a seed."""

    settings: Combination
    config: dict[str, Any]
    trainings: tuple[Training, ...]


@dataclass
class Plan:
    """What is swept over, by what it is judged, and what was checked so far.

    Args:
        model: A model's name or file.
        axes: What is gone through, seeds too.
        out: Where the runs lie.
        registry: Finds the components.
        metric: What the runs are judged by; None if the model has nothing that is meant without saying.
        better: Whether `lower` or `higher` is better; what the metric says of itself if not given.
    """

    model: str
    axes: Sequence[Axis]
    out: Path
    registry: Registry
    metric: str | None = None
    better: str | None = None
    settled: bool = False

    @property
    def swept(self) -> list[Axis]:
        """The axes but that of seeds."""
        return [axis for axis in self.axes if axis.key != SEED]

    @property
    def seeds(self) -> tuple[str, ...]:
        """The seeds that every combination is trained with; none where the model's own is meant."""
        return next((axis.values for axis in self.axes if axis.key == SEED), ())

    @property
    def varying(self) -> list[str]:
        """The settings that differ between combinations."""
        return [axis.key for axis in self.swept if axis.varies]

    def label(self, combination: Combination) -> str:
        """A combination in a message: what differs from others."""
        return " ".join(f"{key}={combination[key]}" for key in self.varying) or self.model

    def check(self, combinations: Iterable[Combination]) -> list[Trial]:
        """The trials of some combinations, after everything that can be checked without training was checked.

        Raises:
            UserError: with the problems of all: first those of names, graph and settings; once these are right, those
                of arguments, shapes and files.
        """
        wanted = {self.label(c): c for c in combinations}
        models = self._each(wanted, self._models)
        return list(self._each(wanted, lambda c: self._trial(c, models[self.label(c)])).values())

    def _each(self, wanted: dict[str, Combination], what: Callable[[Combination], Result]) -> dict[str, Result]:
        """Something for every combination; the problems of all together."""
        found, wrong = {}, []
        for label, combination in wanted.items():
            try:
                found[label] = what(combination)
            except UserError as error:
                wrong.append((combination, error.problems))
        if wrong:
            raise UserError(self._told(wrong, list(wanted.values())))
        return found

    def _models(self, combination: Combination) -> list[api.Model]:
        """The model with one combination, once for each seed."""
        found, problems = [], []
        for seed in self.seeds or (None,):
            try:
                found.append(api.Model(self.model, _overrides(combination, seed), self.registry))
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError(problems)
        return found

    def _trial(self, combination: Combination, models: Sequence[api.Model]) -> Trial:
        models[0].check()
        self._judge(models[0])
        seeded = []
        for model, seed in zip(models, self.seeds or (None,), strict=True):
            number = model.spec.train.seed
            folder = trainings.place(model.spec, number, self.out)
            label = f"{self.label(combination)}, seed {number}"
            steps = trainings.steps_of(model.spec)
            seeded.append(Training(self.model, _overrides(combination, seed), number, steps, folder, label))
        return Trial(combination, models[0].spec.config, tuple(seeded))

    def _judge(self, model: api.Model) -> None:
        """Settle by what runs are judged, from the first model; see that all others have it."""
        spec, known = model.spec, watchable(model.spec)
        if self.metric is None and not self.settled:
            measured = list(spec.metrics.values())
            only = spec.metric_name(measured[0]) if len(measured) == 1 else None
            self.metric = spec.train.keep.best or only
        self.settled = True
        if self.metric is None:
            return
        if self.metric not in known and not self.metric.startswith(tuple(f"{name}." for name in known)):
            message = f"{spec.name} has no term, metric or log entry '{self.metric}'"
            raise UserError(Problem(message, hint=choices(self.metric, dict.fromkeys(known))))
        if self.better is None:
            stated = spec.train.keep.mode if spec.train.keep.best == self.metric else None
            mode = stated or mode_of(self.metric, spec, model.blueprint.parts)
            self.better = "higher" if mode == "max" else "lower"

    def _told(
        self, wrong: Sequence[tuple[Combination, Sequence[Problem]]], every: Sequence[Combination]
    ) -> list[Problem]:
        """Every problem once, with the combinations that have it where its place does not say so already."""
        having: dict[Problem, list[Combination]] = {}
        for combination, problems in wrong:
            for problem in problems:
                having.setdefault(problem, []).append(combination)
        told = []
        for problem, combinations in having.items():
            if len(combinations) < len([c for c in every if _typed(c, problem)]):
                more = f" and {len(combinations) - 1} more" if len(combinations) > 1 else ""
                problem = replace(problem, message=f"with {self.label(combinations[0])}{more}: {problem.message}")
            told.append(problem)
        return told


def _typed(combination: Combination, problem: Problem) -> bool:
    """Whether a combination has what was typed where a problem stands; all have what stands elsewhere."""
    typed = problem.origin.file.removeprefix(f"{COMMAND_LINE}: ") if problem.origin is not None else ""
    key, _, value = typed.partition("=")
    return combination.get(key, value) == value


def _overrides(combination: Combination, seed: str | None) -> tuple[str, ...]:
    stated = combination if seed is None else {**combination, SEED: seed}
    return tuple(f"{key}={value}" for key, value in stated.items())


def all_trainings(trials: Iterable[Trial]) -> list[Training]:
    """The trainings of some trials, each folder once; all combinations with the first seed, then with the next."""
    columns = [trial.trainings for trial in trials]
    most = max((len(column) for column in columns), default=0)
    rows = [column[place] for place in range(most) for column in columns if place < len(column)]
    return list({training.folder: training for training in rows}.values())
