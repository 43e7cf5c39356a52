"""Projection: what a model would make an image of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo import api
from ganzoo.cli.options import Code, Json, RunPath, print_json
from ganzoo.cli.runs import Best, Given, Out, Raw, Seed, read_inputs, stacked
from ganzoo.errors import UserError


def project(
    run: RunPath,
    given: Given = None,
    value: Annotated[str | None, typer.Option("--value", help="The value to find, such as w or z.")] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of descent.")] = 300,
    by: Annotated[str | None, typer.Option("--by", metavar="PART", help="An extractor to compare by too.")] = None,
    seed: Seed = 0,
    out: Out = None,
    raw: Raw = False,
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Find what a model would make an image of: image=FILE or image=FOLDER, brought to the size of its samples.

    Writes into a folder the values found, the images that are made of them, and both beside each other.
    """
    opened = api.open(run, "best" if best else "last", raw, code=code)
    pairs = [text.partition("=") for text in given or ()]
    files = next((text for name, _, text in pairs if name == "image"), None)
    field = opened.field(opened.spec.sample)
    if files is None or field is None:
        raise UserError("give image=FILE" if field is not None else f"{opened.spec.sample} is no image")
    import torch

    from ganzoo.run.inputs import parse, write
    from ganzoo.run.project import vector

    value = value or vector(opened)
    found = parse("image", files, field, resize=True)
    targets, names = (
        (torch.cat([t for _, t in found]), [s for s, _ in found]) if isinstance(found, list) else (found, [])
    )
    n = len(targets)
    inputs = read_inputs(["=".join((name, text)) for name, _, text in pairs if name != "image"], opened, resize=True)
    rest = {name: opened.input(name, stacked(item, n), n) for name, item in inputs.items()}
    made = opened.project(targets, value, steps=steps, seed=seed, by=by, given=rest)
    place = out or Path(f"{opened.name.replace('/', '-')}-projected")
    fields = opened.fields
    write(made.points, place / f"{value}.npy", fields, [])
    write(made.images, place / "images", fields, names)
    both = torch.stack([targets, made.images], 1).flatten(0, 1)
    write(both, place / "beside.png", fields, [], across=8)
    errors = [round(error, 5) for error in made.errors.tolist()]
    if as_json:
        print_json({"folder": str(place), "value": value, "errors": errors})
        return
    print(f"squared error {', '.join(map(str, errors[:8]))}{', …' if n > 8 else ''}")
    print(f"  beside  {place / 'beside.png'}")
    print(f"  again   ganzoo compute {run} {opened.spec.sample} {value}={place / f'{value}.npy'} --seed {seed}")
