"""The demo: a page in the browser to play with runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ganzoo import api
from ganzoo.cli.options import Code
from ganzoo.cli.runs import Best, Raw
from ganzoo.errors import Problem, UserError

Runs = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="run folders, checkpoints or zoo:NAME, shown side by side")
]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Of localhost; the first free from 7860.")]
Browser = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
Share = Annotated[bool, typer.Option("--share", help="Let anyone with a link use it, through Gradio's servers.")]


def demo(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="run folders, checkpoints or zoo:NAME, side by side")
    ],
    port: Port = None,
    browser: Browser = False,
    share: Share = False,
    raw: Raw = False,
    best: Best = False,
    code: Code = None,
) -> None:
    """A page to play with runs: seeds, classes, codes, captions, images that are uploaded or drawn.

    It is served to this machine alone, and works without a network.
    """
    opened = [api.open(run, "best" if best else "last", raw, code=code) for run in runs]
    from ganzoo.demo.desk import Desk

    try:
        from ganzoo.demo import page
    except ImportError as error:
        raise UserError(Problem(f"the demo needs Gradio: {error}", hint='pip install "ganzoo[demo]"')) from error
    page.serve([Desk(run, title) for run, title in zip(opened, titles(opened), strict=True)], port, share, browser)


def titles(runs: Sequence[Any]) -> list[str]:
    """What runs are called beside each other: model and step, with the folder where that is not enough."""
    names = [f"{run.name}, step {run.step:,}" for run in runs]
    return [n if names.count(n) == 1 else f"{n}, {run.path}" for n, run in zip(names, runs, strict=True)]
