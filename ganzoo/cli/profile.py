"""``ganzoo profile MODEL``: where a training step's time, arithmetic and memory go, and what holds it back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, ModelName, Overrides, print_json

Steps = Annotated[int, typer.Option("--steps", metavar="N", help="How many steps to time, after a few to warm up.")]
PhaseName = Annotated[str | None, typer.Option("--phase", metavar="NAME", help="Which phase; the first if not given.")]

MOMENTS = ("optimizer", "after", "ema")
BYTES = ("parameters", "gradients", "optimizer", "buffers", "average", "activations")


def profile(
    model: ModelName,
    overrides: Overrides = None,
    steps: Steps = 20,
    phase: PhaseName = None,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Measure a training step: time, FLOPs and memory by part and term, and what holds it back."""
    report = api.Model(model, overrides or (), api.registry(code)).profile(steps, phase)
    if as_json:
        print_json(report)
        return
    step, ceiling = report["step"], report["ceiling"]
    print(f"{report['model']}, phase {report['phase']}: {report['precision']}, batch {report['batch']}")
    print(f"on {report['device']}; means of {report['steps']} steps")
    print(
        f"step      {_seconds(step['seconds'])}; {_seconds(step['watched'])} while watched, of which shares are taken"
    )
    print(f"samples   {report['batch'] / step['seconds']:,.0f} a second")
    rate = step["flops"] / step["seconds"]
    print(f"rate      {_big(rate)}FLOP/s of {_big(ceiling['rate'])}FLOP/s, the ceiling here ({ceiling['by']})")
    for title, rows in _tables(report):
        print()
        _print(title, rows)
    print("\nWhat holds it back")
    for sentence in report["findings"]:
        print(f"* {sentence}")
    for note in report["notes"]:
        print(f"note: {note}")


def _tables(report: dict[str, Any]) -> Iterable[tuple[str, list[list[str]]]]:
    whole, spent = report["step"]["watched"], report["time"]

    def times(item: dict[str, Any], *more: str) -> list[str]:
        share = sum(item[kind] for kind in ("forward", "backward", *more)) / whole
        return [_seconds(item["forward"]), _seconds(item["backward"]), f"{share:.1%}"]

    rows = [["part", "calls", "forward", "backward", "share", "FLOPs", "of ceiling"]]
    for name, part in report["parts"].items():
        flops = _big(part["flops"]) if part["flops"] else "-"
        reached = f"{part['of_ceiling']:.0%}" if part["of_ceiling"] else "-"
        rows.append([name, f"{part['calls']:g}", *times(part), flops, reached])
    rows.append(["between", "", *times(report["between"]), "", ""])
    for kind in (*MOMENTS, "data", "rest"):
        if spent[kind]:
            rows.append([kind, "", _seconds(spent[kind]), "", f"{spent[kind] / whole:.1%}", "", ""])
    yield "Time a step, by part", rows

    rows = [["player", "forward", "backward", "share", *MOMENTS]]
    for name, player in report["players"].items():
        rows.append([name, *times(player, *MOMENTS), *(_seconds(player[kind]) for kind in MOMENTS)])
    yield "By player", rows

    rows = [["term", "every", "forward", "backward", "share"]]
    for term in report["terms"]:
        rows.append([f"{term['player']}.{term['term']}", str(term["every"]), *times(term)])
    for name, player in report["players"].items():
        if player["shared"]:
            rows.append([f"{name}, shared", "", *times({"forward": 0.0, "backward": player["shared"]})])
    yield "By term (a shared value is computed in the term that first asks for it)", rows

    found = report["operations"]
    done = sum(found.values())
    plain = max(report["step"]["seconds"], done)  # they are timed one after the other
    rows = [["operations", "time", "share"]]
    for kind, spent in {**found, "what asks for them": plain - done}.items():
        rows.append([kind, _seconds(spent), f"{spent / plain:.1%}"])
    yield "By kind of operation", rows

    memory = report["memory"]
    rows = [["part", *BYTES]]
    rows += [[name, *(_big(sizes[kind]) + "B" for kind in BYTES)] for name, sizes in memory["parts"].items()]
    rows.append(["other", *[""] * 5, _big(memory["other activations"]) + "B"])
    peak = f"; {_big(memory['allocated'])}B allocated at most" if memory["allocated"] else ""
    yield f"Memory (activations: what autograd keeps when it keeps most{peak})", rows


def _print(title: str, rows: list[list[str]]) -> None:
    """A table for a terminal, or aligned columns."""
    print(title)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table()
        for index, column in enumerate(rows[0]):
            table.add_column(column, justify="right" if index else "left")
        for row in rows[1:]:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:{'>' if i else '<'}{width}}" for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        print("  " + "  ".join(cells).rstrip())


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.2f} ms" if value else "-"


def _big(value: float) -> str:
    """``2.1 G``, for FLOPs and bytes alike: powers of 1000."""
    units = ["P", "T", "G", "M", "k", ""]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop()
    return f"{value:.3g} {units[-1]}"
