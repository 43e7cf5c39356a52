"""Models before training: check, explain, fill, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, ModelName, Overrides, print_json
from ganzoo.config import compose
from ganzoo.errors import Problem, UserError
from ganzoo.registry import Registry

Strict = Annotated[bool, typer.Option("--strict", help="Warnings are errors.")]


def check(
    model: ModelName, overrides: Overrides = None, strict: Strict = False, as_json: Json = False, code: Code = None
) -> None:
    """Check a model completely, without data and without computing."""
    loaded = api.Model(model, overrides or (), api.registry(code))
    warnings = loaded.check()
    if strict and warnings:
        raise UserError(map(Problem, warnings))
    if as_json:
        print_json({"model": loaded.name, "ok": True, "warnings": warnings})
        return
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    for name, place in loaded.blueprint.args.get("data", {}).items():
        if isinstance(place, Path) and not set("*?[") & set(place.name) and not place.expanduser().exists():
            typer.echo(f"note: data.{name}: there is no {place} here; checked without the data", err=True)
    print(f"{loaded.name}: ok")


def described(model: str, overrides: Sequence[str], registry: Registry) -> api.Model:
    """A model to look at: where it asks for data of the user's own, a word stands for that."""
    try:
        return api.Model(model, overrides, registry)
    except UserError as error:
        lacks = [problem.path for problem in error.problems if problem.message == compose.LACKING]
        if len(lacks) < len(error.problems) or not all(path.startswith("data.") for path in lacks):
            raise
        typer.echo(f"note: {' and '.join(lacks)} not given; described without the data", err=True)
        words = [f"{path}={path.rpartition('.')[2].upper()}" for path in lacks]
        return api.Model(model, [*overrides, *words], registry)


def explain(
    model: ModelName,
    overrides: Overrides = None,
    diagram: Annotated[bool, typer.Option("--diagram", help="Print a Mermaid chart.")] = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Say who trains what, values in order, terms with weights, shapes and parameter counts."""
    loaded = described(model, overrides or (), api.registry(code))
    from ganzoo.model import explain

    if diagram:
        print(explain.diagram(loaded.spec), end="")
    elif as_json:
        print_json(explain.explain(loaded.blueprint))
    else:
        print(explain.text(loaded.blueprint))


def fill(model: ModelName, overrides: Overrides = None, as_json: Json = False, code: Code = None) -> None:
    """Print the model with every default and fact written out."""
    locked = described(model, overrides or (), api.registry(code)).locked()
    from ganzoo.store.files import dump_yaml

    if as_json:
        print_json(locked)
    else:
        print(dump_yaml(locked), end="")


def doctor(model: ModelName, overrides: Overrides = None, as_json: Json = False, code: Code = None) -> None:
    """Examine a model's data: sizes, modes, classes, and the usual accidents."""
    findings = api.Model(model, overrides or (), api.registry(code)).doctor()
    if as_json:
        print_json([vars(finding) for finding in findings])
        return
    for finding in findings:
        print(finding)
    if any(getattr(finding, "severity", "") == "error" for finding in findings):
        raise typer.Exit(2)
