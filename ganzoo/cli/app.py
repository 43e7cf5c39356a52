"""The entry point: commands, and what becomes of errors.

Exit codes: 0 ok, 1 training failed, 2 user error, 130 interrupted.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from dataclasses import replace
from typing import Any

import typer

from ganzoo.cli import (
    data,
    demo,
    docs,
    evaluate,
    export,
    inspect,
    models,
    profile,
    project,
    publish,
    report,
    reproduce,
    runs,
    schema,
    start,
    sweep,
)
from ganzoo.errors import EvaluationError, GanzooError, Lost, Problem, UserError
from ganzoo.parallel import launch

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="A modular zoo of generative adversarial networks, composed from YAML and extended by plugins.",
)
app.command("list")(inspect.list_)
app.command("show")(inspect.show)
app.command("plugins")(inspect.plugins)
app.command("schema")(schema.schema)
app.command("check")(models.check)
app.command("explain")(models.explain)
app.command("fill")(models.fill)
app.command("doctor")(models.doctor)
app.command("profile")(profile.profile)
app.command("train")(runs.train)
app.command("resume")(runs.resume)
app.command("sample")(runs.sample)
app.command("compute")(runs.compute)
app.command("export")(export.export)
app.command("convert")(export.convert)
app.command("demo")(demo.demo)
app.command("project")(project.project)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(evaluate.compare)
app.command("report")(report.report)
app.command("reproduce")(reproduce.reproduce)
app.command("sweep")(sweep.sweep)
app.command("publish")(publish.publish)
app.command("push")(publish.push)
app.command("docs")(docs.docs)
app.add_typer(data.app, name="data")
app.add_typer(start.app, name="new")


def main() -> None:
    """Run a command; an error becomes a message and an exit code, never a traceback (unless GANZOO_DEBUG is set)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a class or a folder may have letters that the locale has not
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except UserError as error:
        _fail(error.problems, 2)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(0)
        where = f"{error.filename}: " if error.filename else ""
        _fail([Problem(f"{where}{error.strerror or error}")], 2)
    except EvaluationError as error:
        _fail([error.problem()], 1)
    except Lost as error:
        if _speaks(cause=False):
            _report([Problem(str(error))])
        _leave(1)
    except GanzooError as error:
        _fail([Problem(str(error))], 1)
    except KeyboardInterrupt:
        if launch.rank() == 0:
            print("interrupted", file=sys.stderr)
        _leave(130)
    except Exception:
        if launch.world() == 1:
            raise
        if _speaks():
            traceback.print_exc()
        _leave(1)


def _fail(problems: list[Problem], code: int) -> None:
    if _speaks():
        several = launch.rank() > 0  # the first process speaks for all
        _report([replace(p, message=f"{launch.named()}: {p.message}") for p in problems] if several else problems)
    _leave(code)


def _speaks(cause: bool = True) -> bool:
    """Whether this process is the one that reports its error: of several, only one does."""
    if launch.world() == 1:
        return True
    from ganzoo.parallel import distributed

    return distributed.speaks(cause)


def _leave(code: int) -> None:
    if os.environ.get("GANZOO_DEBUG") and code in (1, 2):
        raise
    if launch.world() > 1:  # nothing may wait for a message that will never come
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
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
