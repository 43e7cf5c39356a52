"""Measuring runs: evaluate one, compare several."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo import api
from ganzoo.cli import completion
from ganzoo.cli.options import Code, Json, RunPath, print_json
from ganzoo.evaluation.records import in_words
from ganzoo.parallel import launch
from ganzoo.store.names import resolve

Metrics = Annotated[
    list[str] | None,
    typer.Option("--metrics", metavar="NAME", help="One or more, separated by commas; else the model's."),
]
Against = Annotated[
    str | None,
    typer.Option("--against", metavar="[DATA:]SPLIT", help="train or held_out: of the run's data, a folder, a set."),
]


def evaluate(
    run: RunPath,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="data.root=FOLDER, evaluate.…, parts.METRIC.…")
    ] = None,
    metrics: Metrics = None,
    against: Against = None,
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="How many samples.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the samples' noise.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The best checkpoint instead of the last.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The trained weights, even where averages are kept.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Append the records to this file.")] = None,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Measure a run by metrics; each number is kept with its protocol in RUN/evaluations.jsonl."""
    starts = [text for text in overrides or () if re.match(r"parts\.\w+\.(init|match)=", text)]
    model = [text for text in overrides or () if not text.startswith("evaluate.")] if starts else []
    opened = api.opened(run, model, "best" if best else "last", raw, code)
    rest = [text for text in overrides or () if text not in starts]
    records = opened.evaluate(listed(metrics), against, n=n, seed=seed, overrides=rest)
    from ganzoo.parallel import distributed

    if distributed.rank() == 0:
        opened.keep(records, out)
        _say(records, opened.step, as_json)
    distributed.stop()


def _say(records: list[Any], step: int, as_json: bool) -> None:
    if as_json:
        print_json([asdict(record) for record in records])
        return
    for record in records:
        for name, value in record.values.items():
            print(f"{name}  {value:.6g}")
        print(f"  {in_words(record.protocol)}, step {step}")
        if record.verdict:
            print(f"  {record.verdict}")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="run folders or published models", autocompletion=completion.runs),
    ],
    metrics: Metrics = None,
    best: Annotated[bool, typer.Option("--best", help="Each at its best checkpoint instead of its last.")] = False,
    across: Annotated[
        list[str] | None, typer.Option("--across", metavar="KEY", help="A part of the protocol that may differ.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw the curves over steps.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Runs side by side, mean and spread over seeds; numbers of different protocols are refused."""
    from ganzoo.evaluation.compare import compare, curves
    from ganzoo.store.folder import RunFolder

    runs = [resolve(path, api.registry()) for path in runs]
    without = [path for path in runs if RunFolder(path).metrics.exists() and not RunFolder(path).evaluated()]
    if len(without) < len(runs):
        for path in without:
            print(
                f"left out: {path} has no metric records (`{launch.command('evaluate', path)}` makes some)",
                file=sys.stderr,
            )
        runs = [path for path in runs if path not in without]
    rows = compare(runs, listed(metrics), best, listed(across))
    names = list(rows[0].values)
    if picture is not None:
        curves(runs, rows[0].protocols, picture, listed(across))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("model", "step", "runs", *map(escape, names), box=None, pad_edge=False)
    for row in rows:
        cells = [_cell(*row.summary()[name]) if name in row.values else "" for name in names]
        table.add_row(escape(row.model), "best" if row.step is None else f"{row.step:,}", str(len(row.runs)), *cells)
    Console().print(table)
    for name in names:
        print(f"{name}: {in_words(rows[0].protocols[name])}")
    if picture is not None:
        print(picture)


def listed(texts: list[str] | None) -> list[str]:
    """Names given one by one or with commas between them."""
    return [name.strip() for text in texts or () for name in text.split(",") if name.strip()]


def _cell(mean: float, spread: float | None) -> str:
    return f"{mean:.4g}" + (f" ± {spread:.2g}" if spread is not None else "")
