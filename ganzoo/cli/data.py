"""``ganzoo data pack``: data in a layout that training reads fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, print_json
from ganzoo.parallel import launch

app = typer.Typer(no_args_is_help=True, help="Prepare data.")


@app.callback()
def data() -> None:
    """Prepare data."""


@app.command("pack")
def pack(
    source: Annotated[str, typer.Argument(metavar="FOLDER", help="a folder of images, or a model, for its data")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="how to read the folder: size=64 channels=3 fit=pad holdout=0.1"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write; must not exist.")] = ...,  # type: ignore[assignment]
    layout: Annotated[str, typer.Option("--format", metavar="FORMAT", help="memmap or shards.")] = "memmap",
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Write a folder of images, decoded once, as a memory map or as shards for sets larger than memory."""
    reader, index = api.pack(source, out, layout, settings or (), api.registry(code))
    if as_json:
        print_json({"folder": str(out), "use": reader, **index})
        return
    counts = ", ".join(f"{name} {split['count']}" for name, split in index["splits"].items())
    print(f"packed {out}: {counts}")
    data = f"data={{use: {reader}, root: {json.dumps(str(out), ensure_ascii=False)}}}"
    print(f"  train on it with: {launch.command('train', 'MODEL', data)}")
