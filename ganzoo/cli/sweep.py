"""``ganzoo sweep MODEL key=a,b``: one model trained with all combinations of some settings, and the best of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, ModelName, print_json
from ganzoo.config.compose import find
from ganzoo.errors import Problem, UserError

if TYPE_CHECKING:
    from ganzoo.sweep.results import Results

Axes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE,VALUE]...", help="such as optimizer.lr=1e-4,1e-3 train.seed=0..2"),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where runs are, and are found again.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Trainings at once; one a GPU, or a core, if not given.")
]
Random = Annotated[int | None, typer.Option("--random", metavar="N", min=1, help="N combinations at random.")]
Optuna = Annotated[int | None, typer.Option("--optuna", metavar="N", min=1, help="N combinations that Optuna chooses.")]
Metric = Annotated[str | None, typer.Option("--metric", metavar="NAME", help="What runs are judged by.")]
Better = Annotated[Literal["lower", "higher"] | None, typer.Option("--better", help="If the metric does not say.")]
Prune = Annotated[
    int | None,
    typer.Option("--prune-from", metavar="STEP", min=0, help="From here on, end runs worse than the median of others."),
]
Finished = Annotated[bool, typer.Option("--finished", help="Train nothing: tell what is finished.")]
Slurm = Annotated[bool, typer.Option("--slurm", help="Print a SLURM array script instead.")]
Task = Annotated[int | None, typer.Option("--task", metavar="I", min=0, help="Train only the I-th run, from 0.")]


def sweep(
    model: ModelName,
    axes: Axes = None,
    out: Out = None,
    jobs: Jobs = None,
    random: Random = None,
    optuna: Optuna = None,
    metric: Metric = None,
    better: Better = None,
    prune_from: Prune = None,
    finished: Finished = False,
    slurm: Slurm = False,
    task: Task = None,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Train a model with every combination of some settings, a process each, and tell which is the best."""
    from ganzoo.sweep.axes import read

    found = read(axes or ())
    registry = api.registry(code)
    name, _ = find(model, registry)
    place = out or Path("runs") / f"sweep-{name.replace('/', '-')}"
    if random is not None and optuna is not None:
        raise UserError("--random and --optuna exclude each other")
    if optuna is not None and (slurm or task is not None):
        raise UserError(
            Problem("--optuna chooses by what it has seen, so its runs cannot be an array", hint="--random")
        )
    if (place / "config.yaml").exists():
        raise UserError(Problem(f"{place} is a run", hint="give the sweep a folder of its own: --out FOLDER"))

    from ganzoo.sweep import running
    from ganzoo.sweep.plan import Plan

    plan = Plan(model, found, place, registry, metric, better)
    wanted = running.Wanted(jobs, random, optuna, prune_from, finished, task, code, partial(typer.echo, err=True))
    if slurm:
        print(running.slurm(plan, wanted, [model, *(axes or ())]))
        return
    results, broken = running.sweep(plan, wanted)
    _tell(results, place, as_json, task is None)
    if broken:
        raise typer.Exit(1)


def _tell(found: Results, place: Path, as_json: bool, whole: bool) -> None:
    from ganzoo.sweep.results import failures, table

    if as_json:
        print_json(found.plain())
        return
    for line in failures(found):
        typer.echo(line, err=True)
    if not whole:
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    head, *rows = table(found)
    drawn = Table(box=None, pad_edge=False)
    for name in head:
        drawn.add_column(escape(name), overflow="fold")
    for row in rows:
        drawn.add_row(*map(escape, row))
    Console().print(drawn)
    for note in found.notes:
        print(f"note: {note}")
    if found.best is not None:
        print(f"best    {found.best.label}\n  model   {place / 'best.yaml'}")
    if (place / "report.html").exists():
        print(f"  report  {place / 'report.html'}")
