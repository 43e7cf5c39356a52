"""A sweep from its plan to its table: all combinations, some at random, or those that a search asks for."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import Problem, UserError
from ganzoo.parallel import launch
from ganzoo.report import several
from ganzoo.run import trainings
from ganzoo.store.files import write_atomic
from ganzoo.sweep import axes, page, results
from ganzoo.sweep.plan import Plan, Trial, all_trainings

TRIALS = "trials.json"  # in a sweep's folder: what a search has asked for so far


@dataclass(frozen=True)
class Wanted:
    """How a sweep is to be done: the options of the command.

    Args:
        jobs: Trainings at a time; one a GPU, or a core, if not given.
        random: So many combinations at random.
        optuna: So many that Optuna chooses.
        prune_from: The step from which the median rule ends runs; never if not given.
        finished: Whether nothing is trained.
        task: Only this run.
        code: A local plugin.
        say: Told what happens.
    """

    jobs: int | None = None
    random: int | None = None
    optuna: int | None = None
    prune_from: int | None = None
    finished: bool = False
    task: int | None = None
    code: Path | None = None
    say: Callable[[str], None] = print

    def combinations(self, plan: Plan) -> list[axes.Combination]:
        """What is trained, where no search decides."""
        return axes.drawn(plan.swept, self.random) if self.random else axes.grid(plan.swept)


def sweep(plan: Plan, wanted: Wanted) -> tuple[results.Results, bool]:
    """Check everything, train what is not finished, write ``sweep.json``, ``best.yaml`` and ``report.html``; the table,
    and whether a training could not be done.

    Raises:
        UserError: anything is wrong with any combination, before anything is trained.
        KeyboardInterrupt: after all that run have saved.
    """
    trials = plan.check(axes.corners(plan.swept) if wanted.optuna else wanted.combinations(plan))
    if plan.metric is None and (wanted.optuna or wanted.prune_from is not None):
        what = "a search" if wanted.optuna else "pruning"
        raise UserError(Problem(f"{what} needs a number to go by", hint="name a metric or a term with --metric"))
    problems: dict[Path, Problem] = {}
    jobs, devices = places(plan, trials, wanted.jobs)
    stop = results.Laggards(plan, wanted.prune_from) if wanted.prune_from is not None else None

    def train(some: Sequence[Trial], only: int | None = None) -> None:
        todo = all_trainings(some)
        if stop is not None:
            stop.trainings += todo
        if only is not None:
            if only >= len(todo):
                raise UserError(f"there is no run {only}: the sweep has {len(todo)}, from 0")
            todo = todo[only : only + 1]
        problems.update(trainings.run(todo, jobs, wanted.say, wanted.code, devices, stop))

    if wanted.optuna:
        from ganzoo.sweep.search import search

        trials = search(plan, wanted.optuna, plan.out / TRIALS, jobs, None if wanted.finished else train)
    elif not wanted.finished:
        wanted.say(f"{len(trials)} combinations, {len(all_trainings(trials))} runs, {jobs} at a time, in {plan.out}")
        train(trials, wanted.task)
    found = results.collect(plan, trials, problems)
    if wanted.task is None:
        write(found, trials, plan.out)
    return found, bool(problems)


def write(found: results.Results, trials: Sequence[Trial], out: Path) -> None:
    """What a sweep leaves beside its runs."""
    write_atomic(out / "sweep.json", json.dumps(found.plain(), indent=2, default=str) + "\n")
    results.write_best(found, trials, out)
    if several.found_in(out):
        page.write(found, out)


def places(plan: Plan, trials: Iterable[Trial], jobs: int | None) -> tuple[int, list[str]]:
    """How many trainings run at a time, and the GPUs that they are spread over, if there are several."""
    device = next((trial.config.get("train", {}).get("device", "auto") for trial in trials), "auto")
    found = gpus() if device in ("auto", "cuda") else []
    return jobs or len(found) or os.cpu_count() or 1, found if len(found) > 1 else []


def gpus() -> list[str]:
    """The GPUs that may be used, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    return [str(number) for number in range(torch.cuda.device_count())]


def slurm(plan: Plan, wanted: Wanted, stated: Sequence[str]) -> str:
    """A script for ``sbatch``, an array with a task for each run; checked like the sweep itself."""
    count = len(all_trainings(plan.check(wanted.combinations(plan))))
    options = ["--out", str(plan.out)]
    for name, value in (("--random", wanted.random), ("--prune-from", wanted.prune_from), ("--code", wanted.code)):
        options += [name, str(value)] if value is not None else []
    options += ["--metric", plan.metric] if plan.metric else []
    options += ["--better", plan.better] if plan.better else []
    command = launch.command("sweep", *stated, *options)
    at_once = f"%{wanted.jobs}" if wanted.jobs else ""
    return f"""#!/bin/bash
#SBATCH --job-name={shlex.quote(f"sweep-{Path(plan.model).stem}")}
#SBATCH --array=0-{count - 1}{at_once}
#SBATCH --cpus-per-task=2
#SBATCH --gres=gpu:1            # delete this line where there is no GPU
#SBATCH --time=1-00:00:00
#SBATCH --signal=B:TERM@120     # two minutes before the time is over the run saves; submit again to go on
#SBATCH --requeue
# {count} runs. The folder must be one that all nodes see. The table, in the end:
#   {command} --finished
set -eu
cd {shlex.quote(os.getcwd())}
exec {command} --jobs 1 --task "$SLURM_ARRAY_TASK_ID"
"""
