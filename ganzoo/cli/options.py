"""Arguments and options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import completion

ModelName = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="paper/variant, paper, or a YAML file", autocompletion=completion.models),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="such as train.batch=128", autocompletion=completion.overrides),
]
RunPath = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="a run folder, a checkpoint file, a published model, zoo:NAME or hf:USER/NAME",
        autocompletion=completion.runs,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Code = Annotated[Path | None, typer.Option("--code", metavar="FILE", help="A local plugin: a file with register(zoo).")]


def print_json(content: Any) -> None:
    """Plain data for a machine."""
    print(json.dumps(content, indent=2, default=str))
