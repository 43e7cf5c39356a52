"""The entry point: commands, and what becomes of errors. Exit codes: 0 ok, 1 training failed, 2 user error."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer

from ganzoo.cli import data, inspect, models, profile, runs, start
from ganzoo.errors import EvaluationError, GanzooError, Problem, UserError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A modular zoo of generative adversarial networks, composed from YAML and extended by plugins.",
)
app.command("list")(inspect.list_)
app.command("show")(inspect.show)
app.command("plugins")(inspect.plugins)
app.command("check")(models.check)
app.command("explain")(models.explain)
app.command("fill")(models.fill)
app.command("doctor")(models.doctor)
app.command("profile")(profile.profile)
app.command("train")(runs.train)
app.command("resume")(runs.resume)
app.command("sample")(runs.sample)
app.command("compute")(runs.compute)
app.add_typer(data.app, name="data")
app.add_typer(start.app, name="new")


def main() -> None:
    """Run a command; an error becomes a message and an exit code, never a traceback (unless GANZOO_DEBUG is set)."""
    try:
        app()
    except UserError as error:
        _report(error.problems)
        _leave(2)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(0)
        where = f"{error.filename}: " if error.filename else ""
        _report([Problem(f"{where}{error.strerror or error}")])
        _leave(2)
    except EvaluationError as error:
        _report([error.problem()])
        _leave(1)
    except GanzooError as error:
        _report([Problem(str(error))])
        _leave(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        _leave(130)


def _leave(code: int) -> None:
    if os.environ.get("GANZOO_DEBUG") and code in (1, 2):
        raise
    sys.exit(code)


def _report(problems: list[Problem]) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"problems": [_plain(problem) for problem in problems]}, indent=2))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if len(problems) > 1:
        print(f"{len(problems)} problems", file=sys.stderr)


def _plain(problem: Problem) -> dict[str, Any]:
    origin = problem.origin
    return {
        "file": origin.file if origin else None,
        "line": origin.line if origin else None,
        "path": problem.path or None,
        "message": problem.message,
        "hint": problem.hint or None,
    }
