"""Models taken elsewhere: values as files for other programs, weights under their authors' names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, print_json
from ganzoo.cli.runs import Best, Raw, split
from ganzoo.config.yaml12 import read_value
from ganzoo.errors import Origin, UserError

Source = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, a checkpoint file, or a model")]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="psi=0.7; of a model parts.G.init=FILE"),
]
To = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]


def export(
    run: Source,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="a named value, or an expression such as 'D(real)'")],
    settings: Settings = None,
    *,
    out: To,
    format: Annotated[
        str | None, typer.Option("--format", help="onnx, torch or safetensors; by the suffix of --out if not given.")
    ] = None,
    starts: Annotated[
        list[str] | None, typer.Option("--from", metavar="NAME", help="A named value that is an input, such as lr.")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="fp32, fp16 or int8.")] = "fp32",
    dropout: Annotated[
        str | None, typer.Option("--dropout", help="Of networks that drop in evaluation: off, or input.")
    ] = None,
    statistics: Annotated[
        str, typer.Option("--statistics", help="Of networks with batch statistics in evaluation: batch, or running.")
    ] = "batch",
    raw: Raw = False,
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Write what computes a value into a file for other programs: ONNX, torch.export, or weights alone.

    Data and noise are inputs by name, averaged weights and evaluation mode are inside; the file is checked.
    """
    opened = _opened(run, settings, raw, best, code)
    made = opened.export(
        value, out, format, precision=precision, dropout=dropout, statistics=statistics, starts=starts or ()
    )
    if as_json:
        print_json(asdict(made))
    else:
        print("\n".join(made.lines()))


def convert(
    run: Source,
    part: Annotated[str, typer.Argument(metavar="PART", help="the part, such as G")],
    layout: Annotated[str, typer.Argument(metavar="LAYOUT", help="such as pytorch_cyclegan; docs/weights.md has all")],
    settings: Settings = None,
    *,
    out: To,
    raw: Raw = False,
    best: Best = False,
    code: Code = None,
) -> None:
    """Write a part's weights under the names that other authors' programs read."""
    print("\n".join(_opened(run, settings, raw, best, code).convert(part, layout, out)))


def _opened(run: Path, settings: list[str] | None, raw: bool, best: bool, code: Path | None) -> Any:
    """A run, or a model with its settings; with arguments of its parts that may change in sampling, such as psi=0.7."""
    wrong = next((text for text in settings or () if "=" not in text), None)
    if wrong is not None:
        raise UserError(f"'{wrong}' is no setting (write KEY=VALUE)")
    given, overrides = split(settings)
    opened = api.opened(run, overrides, "best" if best else "last", raw, code)
    if overrides and opened.step:
        raise UserError(f"{run} is a run; {overrides[0]} can only be set of a model without one")
    changes: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        paths = opened.sampling_arguments(name)
        if not paths:
            raise UserError(f"no part has an argument '{name}' that may change (inputs are those of the file)")
        changes |= dict.fromkeys(paths, read_value(value, Origin(f"command line: {text}")).plain())
    return opened.altered(changes) if changes else opened
