"""``ganzoo report RUN``: the page of a run, of several side by side, or of a folder of runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.errors import Problem, UserError

Paths = Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders, or a folder of runs")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The page; report.html if not given.")]
Watch = Annotated[bool, typer.Option("--watch", help="Write it anew while runs train; the page reloads itself.")]
LOOK = 2  # seconds between two looks at the runs


def report(paths: Paths, out: Out = None, watch: Watch = False) -> None:
    """Write a page that shows a run, several side by side, or a folder of runs; one file that opens anywhere."""
    from ganzoo.report.facts import is_run

    for path in paths:
        if not path.exists():
            raise UserError(f"there is no {path}")
        if len(paths) > 1 and not is_run(path):
            raise UserError(Problem(f"{path} is no run", hint="give several runs, or one folder of runs"))
    several = not is_run(paths[0])
    if watch and several:
        raise UserError("--watch follows runs, not a folder of runs: name them")
    print(_written(paths, out))
    if watch:
        _follow(paths, out)


def _written(paths: list[Path], out: Path | None) -> Path:
    from ganzoo.report import one, several
    from ganzoo.report.facts import is_run, read

    if (paths[0] / "sweep.json").is_file():
        from ganzoo.sweep import page, results

        return page.write(results.stored(paths[0] / "sweep.json"), paths[0], out)
    if not is_run(paths[0]):
        return several.index(paths[0], out)
    runs = [read(path) for path in dict.fromkeys(paths)]
    return one.write(runs[0], out) if len(runs) == 1 else several.beside(runs, out or Path("report.html"))


def _follow(paths: list[Path], out: Path | None) -> None:
    """Write the page whenever a run has something new, until all have ended."""
    from ganzoo.report.facts import read

    seen = None
    while True:
        running = [path for path in paths if read(path).running]
        now = [_state(path) for path in paths]
        if now != seen:
            _written(paths, out)
            seen = now
        if not running:
            return
        time.sleep(LOOK)


def _state(path: Path) -> list[tuple[str, int]]:
    """What changes while a run trains: its log and its pictures."""
    files = [path / "metrics.jsonl", path / "status.json", *(path / "samples").glob("step_*.png")]
    return [(file.name, file.stat().st_mtime_ns) for file in files if file.exists()]
