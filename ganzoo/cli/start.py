"""``ganzoo new plugin NAME``: a complete plugin project whose tests pass."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.parallel import launch

app = typer.Typer(no_args_is_help=True, help="Write a new project.")


@app.callback()
def new() -> None:
    """Write a new project."""


@app.command("plugin")
def plugin(
    name: Annotated[str, typer.Argument(help="such as acme; the package becomes ganzoo_acme")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where; ganzoo-NAME if not given.")
    ] = None,
) -> None:
    """Write a plugin: a generator, a loss, a model that uses them, and tests."""
    from ganzoo.cli.template import write

    folder = write(name, out)
    place = shlex.quote(str(folder))
    schema = launch.command("schema", "--out", folder / "ganzoo.schema.json")
    print(
        f"wrote {folder}; next:\n  pip install -e {place} --no-deps\n  {launch.command('list', name)}\n  {schema}\n"
        f"  pytest {place}"
    )
