"""``ganzoo reproduce NAME``: what papers claim, trained again and laid beside what they report."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, print_json
from ganzoo.errors import Problem, UserError
from ganzoo.reproduction import claims, tables
from ganzoo.run import trainings
from ganzoo.store.files import write_atomic

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="a claim, group/name, or a group")]
Seeds = Annotated[str | None, typer.Option("--seeds", metavar="N,N", help="Instead of the claim's own, such as 0,1,2.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where runs are, and are found again.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Trainings at once; as many as cores if not given.")]
Finished = Annotated[bool, typer.Option("--finished", help="Train nothing: tell what is finished.")]
Record = Annotated[bool, typer.Option("--record", help="Write what was found into the checkout's ledger.")]
List = Annotated[bool, typer.Option("--list", help="List the claims.")]
Zoo = Annotated[Path | None, typer.Option("--zoo", metavar="FILE", help="Make the page of all models.")]
Page = Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Make a page's tables from the ledger.")]


def reproduce(
    name: Name = None,
    seeds: Seeds = None,
    out: Out = Path("runs/reproduce"),
    jobs: Jobs = None,
    finished: Finished = False,
    record: Record = False,
    list_: List = False,
    page: Page = None,
    zoo: Zoo = None,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Train what papers claim, each seed in a process with one thread, and show paper, last and best side by side."""
    registry = api.registry(code)
    known = claims.every(registry)
    if page is not None:
        rewrite(page, known, registry)
    elif zoo is not None:
        write_atomic(zoo, whole_zoo(zoo.parent, known, registry))
    elif list_ or name is None:
        _list(claims.chosen(name, known) if name else list(known.values()), as_json)
    else:
        lines = _lines(claims.chosen(name, known), _numbers(seeds), out, 0 if finished else jobs, code, registry)
        _tell(claims.chosen(name, known), lines, record, as_json)


def rewrite(page: Path, known: dict[str, claims.Claim], registry: Any) -> None:
    """The page's tables, from what the ledgers hold."""
    tables.write_page(page, known.values(), *held(known, registry))


def whole_zoo(folder: Path, known: dict[str, claims.Claim], registry: Any) -> str:
    """The page of all models, for a folder."""
    from ganzoo.reproduction import zoo

    return zoo.page(folder, registry, known.values(), *held(known, registry))


def held(known: dict[str, claims.Claim], registry: Any) -> tuple[tables.Found, list[str]]:
    """What the ledgers hold, and the claims whose models have other settings by now."""
    from ganzoo.reproduction import reproduce

    found: dict[str, dict[int, dict[str, Any]]] = {}
    for ledger in {claim.ledger for claim in known.values()}:
        found |= reproduce.current(reproduce.read_ledger(ledger))
    measured = {name: next(iter(lines.values()))["settings"] for name, lines in found.items() if name in known}
    return found, [name for name, was in measured.items() if trainings.settings(known[name].spec(registry)) != was]


def _list(found: list[claims.Claim], as_json: bool) -> None:
    if as_json:
        rows = [{"name": c.name, "title": c.said.title, "paper": c.said.paper, "needs": c.said.needs} for c in found]
        print_json(rows)
        return
    for claim in found:
        print(f"{claim.name:<28} {claim.said.needs:<5} {claim.said.title}, {claim.said.paper}, {claim.said.where}")


def _numbers(seeds: str | None) -> list[int]:
    try:
        return [int(seed) for seed in seeds.split(",")] if seeds else []
    except ValueError:
        raise UserError(Problem(f"--seeds {seeds}: these are no whole numbers", hint="write --seeds 0,1,2")) from None


def _lines(
    wanted: list[claims.Claim], seeds: list[int], out: Path, jobs: int | None, code: Path | None, registry: Any
) -> list[dict[str, Any]]:
    """What each seed gave, after training what is not finished (nothing, if no jobs may run)."""
    from ganzoo.reproduction import reproduce

    here = [c for c in wanted if c.said.needs == "cpu"]
    if len(here) < len(wanted) and reproduce.has_cuda():
        here, jobs = wanted, 1 if jobs is None else jobs
    for claim in wanted:
        if claim not in here:
            message = f"{claim.name} needs cuda, and there is none here: start the same command where there is"
            typer.echo(message, err=True)
    specs = {claim.name: claim.spec(registry) for claim in here}
    tasks = [(c, reproduce.task(c, specs[c.name], seed, out)) for c in here for seed in seeds or c.said.seeds]
    if jobs != 0:
        say = partial(typer.echo, err=True)
        reproduce.run([task for _, task in tasks], jobs or os.cpu_count() or 1, say, code)
    return [line for claim, task in tasks if (line := reproduce.line(claim, specs[claim.name], task)) is not None]


def _tell(wanted: list[claims.Claim], lines: list[dict[str, Any]], record: bool, as_json: bool) -> None:
    from ganzoo.reproduction import reproduce

    for ledger in sorted({claim.ledger for claim in wanted}) if record else ():
        mine = [line for line in lines if any(c.name == line["claim"] and c.ledger == ledger for c in wanted)]
        typer.echo(f"{ledger}: {reproduce.record(ledger, mine)} new lines", err=True)
    if as_json:
        print_json(lines)
        return
    found = reproduce.current(lines)
    for group in claims.groups(wanted).values():
        print("\n" + tables.section(group, found))
