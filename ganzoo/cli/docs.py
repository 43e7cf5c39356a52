"""``ganzoo docs``: the documents as a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo import api
from ganzoo.cli.options import Code

Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the site is written.")]


def docs(out: Out = Path("build/site"), code: Code = None) -> None:
    """Build the documents of a checkout as a site, with a page for every component that is installed."""
    from ganzoo.pages import site

    pages = site.build(Path.cwd(), out, api.registry(code))
    print(f"{out / 'index.html'}: {pages} pages")
