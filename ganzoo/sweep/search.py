"""Combinations that Optuna chooses by what those before came to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import Problem, UserError
from ganzoo.store.files import write_atomic
from ganzoo.sweep import results
from ganzoo.sweep.axes import Axis, Combination
from ganzoo.sweep.plan import Plan, Trial

if TYPE_CHECKING:
    import optuna


def search(plan: Plan, n: int, path: Path, jobs: int, train: Callable[[Sequence[Trial]], None] | None) -> list[Trial]:
    """Up to `n` trials, those that an earlier call asked for first; with none of `train` only these.

    What was asked for is written down before it is trained, so that a search that was killed goes on with it.

    Args:
        plan: What is swept over.
        n: How many combinations.
        path: Where those asked for are kept.
        jobs: Trainings at a time; as many combinations are asked for at once as keep them busy.
        train: Trains some trials.

    Raises:
        UserError: Optuna is not installed.
    """
    combinations = [c for c in _kept(path) if _fits(c, plan.swept)][:n]
    trials = plan.check(combinations)
    if train is None:
        return trials
    train(trials)
    at_once = max(1, jobs // max(len(plan.seeds), 1))
    while len(trials) < n:
        study = _study(plan, trials)
        asked = [_asked(study, plan.swept) for _ in range(min(at_once, n - len(trials)))]
        combinations += asked
        write_atomic(path, json.dumps(combinations, indent=2) + "\n")
        more = plan.check(asked)
        train(more)
        trials += more
    return trials


def _kept(path: Path) -> list[Combination]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _fits(combination: Combination, axes: Sequence[Axis]) -> bool:
    """Whether a combination is of these axes; a search over others begins anew."""
    if list(combination) != [axis.key for axis in axes]:
        return False
    return all(
        axis.span.low <= float(text) <= axis.span.high if axis.span is not None else text in axis.values
        for axis, text in zip(axes, combination.values(), strict=True)
    )


def _study(plan: Plan, trials: Sequence[Trial]) -> optuna.Study:
    """A study that knows what all trials so far came to; one that failed or lags behind is known as such."""
    try:
        import optuna
    except ImportError:
        raise UserError(
            Problem("--optuna needs Optuna", hint="pip install 'ganzoo[optuna]', or use --random")
        ) from None
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=len(trials), constant_liar=True, n_startup_trials=8)
    study = optuna.create_study(sampler=sampler, direction="maximize" if plan.better == "higher" else "minimize")
    distributions = {axis.key: _distribution(axis) for axis in plan.swept if axis.varies}
    rows = {row.runs[0].folder: row for row in results.collect(plan, trials, {}).rows}
    for trial in trials:
        row = rows[str(trial.trainings[0].folder)]
        value = row.mean if row.mean is not None and math.isfinite(row.mean) else None
        state = TrialState.COMPLETE if value is not None else TrialState.FAIL
        params = {axis.key: _number(axis, trial.settings[axis.key]) for axis in plan.swept if axis.varies}
        study.add_trial(optuna.trial.create_trial(state=state, value=value, params=params, distributions=distributions))
    return study


def _asked(study: optuna.Study, axes: Sequence[Axis]) -> Combination:
    distributions = {axis.key: _distribution(axis) for axis in axes if axis.varies}
    chosen = study.ask(distributions).params
    return {axis.key: _text(axis, chosen[axis.key]) if axis.varies else axis.values[0] for axis in axes}


def _distribution(axis: Axis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.span is None:
        return CategoricalDistribution(axis.values)
    if axis.span.whole:
        return IntDistribution(int(axis.span.low), int(axis.span.high), log=axis.span.log)
    return FloatDistribution(axis.span.low, axis.span.high, log=axis.span.log)


def _number(axis: Axis, text: str) -> Any:
    """A value as Optuna has it."""
    if axis.span is None:
        return text
    return int(text) if axis.span.whole else float(text)


def _text(axis: Axis, value: Any) -> str:
    return value if axis.span is None else axis.span.text(value)
