"""Publishing: runs as folders that can be shipped, and as models on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo import api
from ganzoo.cli.evaluate import listed
from ganzoo.cli.options import Code, Json, RunPath, print_json

Licence = Annotated[
    str | None, typer.Option("--licence", metavar="NAME", help="Of the data, if it states none: CC-BY-4.0.")
]
Unfinished = Annotated[bool, typer.Option("--unfinished", help="Also a run that was not trained to its end.")]
NoEvaluate = Annotated[bool, typer.Option("--no-evaluate", help="Without measuring, which reads the data.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metrics", metavar="NAME", help="Beside the model's own, separated by commas.")
]
Precision = Annotated[str, typer.Option("--precision", metavar="fp16|fp32|int8", help="Of matrices and kernels.")]
Best = Annotated[bool, typer.Option("--best", help="The best checkpoint instead of the last.")]


def publish(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, checkpoints or published models")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Each goes into FOLDER/<paper>/<variant>.")],
    licence: Licence = None,
    unfinished: Unfinished = False,
    metrics: Metrics = None,
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="How many samples to measure.")] = None,
    no_evaluate: NoEvaluate = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the same models published before.")] = False,
    precision: Precision = "fp16",
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Write runs as folders to ship: the weights that are needed, their measured numbers, licence, and a card."""
    found = api.publish(
        runs,
        out,
        "best" if best else "last",
        code,
        metrics=None if no_evaluate else listed(metrics),
        n=n,
        replace=replace,
        licence=licence,
        unfinished=unfinished,
        precision=precision,
        **({"say": lambda line: None} if as_json else {}),
    )
    if as_json:
        print_json([{"name": made.name, "folder": str(made.path), "values": made.values} for made in found])


def push(
    run: RunPath,
    name: Annotated[str, typer.Argument(metavar="USER/NAME", help="the repository, made if there is none")],
    private: Annotated[bool, typer.Option("--private", help="A new repository is private.")] = False,
    licence: Licence = None,
    unfinished: Unfinished = False,
    metrics: Metrics = None,
    no_evaluate: NoEvaluate = False,
    precision: Precision = "fp16",
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Upload a run or a published model to the Hugging Face Hub; `hf:USER/NAME` then opens it anywhere."""
    opened = api.open(run, "best" if best else "last", code=code)
    numbers = None if no_evaluate else listed(metrics)
    place = opened.push_to_hub(
        name, private, metrics=numbers, licence=licence, unfinished=unfinished, precision=precision
    )
    if as_json:
        print_json({"url": place})
    else:
        print(place)
