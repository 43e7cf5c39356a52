"""``ganzoo schema``: what editors need to complete and check model files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.api import registry as load_registry
from ganzoo.cli.options import Code
from ganzoo.errors import UserError

LINE = "# yaml-language-server: $schema="


def schema(
    models: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.yaml]...", help="model files that get the line naming it")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it.")] = None,
    code: Code = None,
) -> None:
    """Write the JSON Schema of model files with every installed component, for editors.

    Model files that are named get a second line, `# yaml-language-server: $schema=…`, by which editors find it.
    """
    if models and out is None:
        raise UserError("model files name the schema's file: give it with --out FILE")
    missing = [str(path) for path in models or () if not path.is_file()]
    if missing:
        raise UserError(f"there is no file {', '.join(missing)}")
    registry = load_registry(code)
    from ganzoo.model import json_schema
    from ganzoo.store.files import write_atomic

    made = json_schema.text(registry)
    if out is None:
        print(made, end="")
        return
    write_atomic(out, made)
    for path in models or ():
        write_atomic(path, with_line(path.read_text(encoding="utf-8"), Path(os.path.relpath(out, path.parent))))
    for failure in registry.failures:
        typer.echo(f"warning: {failure}", err=True)
    print(out)


def with_line(text: str, place: Path) -> str:
    """A model file with the line that names its schema: below its title, or first if it has none."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(LINE)]
    at = 1 if lines and lines[0].startswith("#") else 0
    return "".join([*lines[:at], f"{LINE}{place.as_posix()}\n", *lines[at:]])
