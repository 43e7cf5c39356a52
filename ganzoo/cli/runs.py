"""Runs: train, resume, sample, compute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo import api, config
from ganzoo.cli import completion
from ganzoo.cli.options import Code, Json, ModelName, Overrides, RunPath, print_json
from ganzoo.config.yaml12 import read_value
from ganzoo.errors import GanzooError, Origin, UserError, listed
from ganzoo.parallel import launch
from ganzoo.registry import Registry

AT_ONCE = 2**27  # numbers in the images of a folder that are held together with what is made of them
Out = Annotated[Path | None, typer.Option("--out", metavar="PATH", help="Where to write.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Train for this many steps.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same noise.")]
Raw = Annotated[bool, typer.Option("--raw", help="The trained weights, even where averages are kept.")]
Best = Annotated[bool, typer.Option("--best", help="The best checkpoint instead of the last.")]
Given = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE]...",
        help="inputs: label=3, text='a cat', real_a=FOLDER, cond=species=Adelie",
        autocompletion=completion.inputs,
    ),
]
ValueName = Annotated[
    str,
    typer.Argument(
        metavar="VALUE",
        help="a named value, or an expression such as 'D(real)'",
        autocompletion=completion.values,
    ),
]


def train(
    model: ModelName,
    overrides: Overrides = None,
    out: Out = None,
    steps: Steps = None,
    quiet: Quiet = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Train a model into a run folder."""
    stated = [*(overrides or ()), *([f"train.steps={steps}"] if steps is not None else [])]
    registry = api.registry(code)
    loaded = api.Model(model, stated, registry)
    warnings = loaded.check()
    for warning in warnings if launch.rank() == 0 else ():
        typer.echo(f"warning: {warning}", err=True)
    _ended(*loaded.run(out, quiet or as_json), registry, as_json)


def resume(
    run: RunPath,
    moved: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="where the data is now; other numbers of training, optimizer.lr=1e-4"
        ),
    ] = None,
    steps: Steps = None,
    quiet: Quiet = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped, unless a number is changed."""
    registry = api.registry(code)
    from ganzoo.run.start import resume

    _ended(*resume(run, registry, steps, quiet or as_json, moved or ()), registry, as_json)


def _ended(folder: Any, reason: str, registry: Registry, as_json: bool) -> None:
    from ganzoo.parallel import distributed

    first = distributed.rank() == 0
    if as_json and first:
        print_json({"run": str(folder.path), "reason": reason})
    elif first and reason == "interrupted":
        print(f"interrupted and saved; go on with: {launch.command('resume', folder.path)}", flush=True)
    elif first:
        pictures = sorted(folder.samples.glob("step_*.png"))
        print(f"{reason}: {folder.path}")
        if pictures:
            print(f"  samples  {pictures[-1]}")
        print(f"  report   {folder.path / 'report.html'}")
        given = _made_from(folder, registry) or "-n 16"
        print(f"  more     {launch.command('sample', folder.path)} {given} --out samples.png")
    distributed.stop()
    if reason == "interrupted":
        raise typer.Exit(130)


def _made_from(folder: Any, registry: Registry) -> str:
    """What samples are made from, beside noise and labels, as the command line has it."""
    from ganzoo.config.static import Graph

    spec = config.load(folder.path / "locked.yaml", {}, registry)
    fields = spec.config["locked"]["fields"]
    example = {"image": "FOLDER", "text": "'…'", "vector": "FILE.npy"}
    kinds = {name: fields[name]["kind"] for name in Graph(spec).needs([spec.sample]) if name in fields}
    drawn = [name for name in kinds if fields[name].get("frequencies")]
    return " ".join(f"{name}={example[kind]}" for name, kind in kinds.items() if kind in example and name not in drawn)


def sample(
    run: RunPath,
    given: Given = None,
    n: Annotated[
        int | None,
        typer.Option("-n", min=1, help="How many, of each class, or rows; 64, or as are given (of images at most 64)."),
    ] = None,
    seed: Seed = 0,
    out: Out = None,
    value: Annotated[str | None, typer.Option("--value", help="Another value than the model's own.")] = None,
    interpolate: Annotated[
        int | None, typer.Option(min=2, metavar="STEPS", help="Rows that go in so many steps from noise to noise.")
    ] = None,
    raw: Raw = False,
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Sample from a run or a checkpoint. --out names a picture, an array (.npy, .pt, .csv), or a folder.

    Images that are given are brought to the size of the data; `compute` keeps theirs. Rows of a table become cells.

    label=all makes 10, or -n, of each class, a row of the picture each. --interpolate makes 8 rows, or -n, or with
    label=all one of each class; all but the noise stays as it is in a row.
    """
    given, settings = split(given)
    opened = api.opened(run, settings, "best" if best else "last", raw, code)
    given, label = _each_class(given, opened)
    inputs = read_inputs(given, opened, resize=True)
    shown = [v.name for v in opened.spec.shown]
    across = opened.spec.show.across if (value or opened.spec.sample) in shown else None
    if label is not None:
        classes = opened.fields[label].classes
        inputs[label], across = opened.in_rows(label, (n or (1 if interpolate else 10)) * len(classes))
        n = len(inputs[label])
    counts = [count for item in inputs.values() if (count := _count(item))]
    n = n or max(counts, default=8 if interpolate else 64)
    inputs = {name: stacked(item, n) for name, item in inputs.items()}
    if interpolate:
        found, across = opened.interpolate(n, interpolate, seed, value, **inputs), interpolate
    else:
        found = opened.sample(n, seed, value, **inputs)
    _write(
        opened,
        found,
        out or Path(f"{opened.name.replace('/', '-')}-samples.{'csv' if _is_table(opened, found) else 'png'}"),
        as_json,
        [f"{i:05d}" for i in range(n * (interpolate or 1))],
        across,
    )
    if label is not None and not as_json:
        print(f"  rows     {', '.join(classes)}")


def _each_class(given: list[str], opened: Any) -> tuple[list[str], str | None]:
    """What is given but ``label=all``, and the label of which every class is asked for.

    Raises:
        UserError: there are several such labels, or one is given twice.
    """
    fields = opened.fields.items()
    labels = [name for name, f in fields if f.kind == "label" and "all" not in map(str.lower, f.classes)]
    every = [name for name in labels if f"{name}=all" in given]
    if len(every) > 1:
        raise UserError(f"{listed(every)}: all classes can be asked for of one label only")
    rest = [text for text in given if text.removesuffix("=all") not in every]
    if twice := [text for text in rest if text.partition("=")[0] in every]:
        raise UserError(f"{every[0]} is given twice: as {every[0]}=all and {twice[0]}")
    return rest, every[0] if every else None


def compute(
    run: RunPath,
    value: ValueName,
    given: Given = None,
    out: Out = None,
    seed: Seed = 0,
    resize: Annotated[bool, typer.Option("--resize", help="Bring images to the size of the data.")] = False,
    raw: Raw = False,
    best: Best = False,
    as_json: Json = False,
    code: Code = None,
) -> None:
    """Compute any named value from given inputs: translate a folder, upscale a photo, encode an image."""
    given, settings = split(given)
    opened = api.opened(run, settings, "best" if best else "last", raw, code)
    inputs = read_inputs(given, opened, resize)
    files = {
        name: item for name, item in inputs.items() if isinstance(item, list) and item and isinstance(item[0], tuple)
    }
    place = out or Path(f"{opened.name.replace('/', '-')}-{re.sub(r'[^A-Za-z0-9_]+', '_', value).strip('_')}")
    import torch

    from ganzoo.contract import first
    from ganzoo.data.pixels import COMMON
    from ganzoo.run.inputs import as_images, has_rows, save

    if not files:
        found = opened.compute(value, seed=seed, **inputs)
        _write(opened, found, place, as_json, [f"{i:05d}" for i in range(len(first(found)))])
        return
    lengths = {name: len(items) for name, items in files.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"the folders hold different numbers of images: {lengths}")
    stems = _unlike([stem for stem, _ in next(iter(files.values()))])
    rest = {name: item for name, item in inputs.items() if name not in files}
    same = all(len({tuple(tensor.shape) for _, tensor in items}) == 1 for items in files.values())
    fits = max(1, AT_ONCE // sum(items[0][1].numel() for items in files.values())) if not place.suffix else len(stems)
    group = fits if same else 1
    rows = [range(i, min(i + group, len(stems))) for i in range(0, len(stems), group)]
    if not same and place.suffix:
        raise UserError(f"the images differ in size, so they cannot all go into {place}; give a folder with --out")
    written: list[Path] = []
    values: list[Any] = []  # of what is no image, for all rows
    shown = not place.suffix or place.suffix.lower() in COMMON
    for some in rows:
        tensors = {name: [items[i][1] for i in some] for name, items in files.items()}
        batch = {name: torch.cat(each) if len(each) > 1 else each[0] for name, each in tensors.items()}
        for name, item in rest.items():  # of what has a row for each image, those of these images
            own = has_rows(item) and len(item) == len(stems)
            batch[name] = item[some.start : some.stop] if own else item
        try:
            picture = None
            if shown and len(some) == 1:
                picture = opened.picture(value, seed=seed, **batch)
                shown = picture is not None  # a value is made in pieces of every image, or of none
            found = None if picture else opened.compute(value, n=len(some), seed=seed, **batch)
        except GanzooError as error:
            size = "x".join(map(str, next(iter(batch.values())).shape[2:]))
            hint = "" if resize else "; --resize brings images to the size of the data"
            done = f"; {len(written)} before it are in {place}" if written else ""
            raise UserError(f"{stems[some[0]]}, {size}: {error}{hint}{done}") from error
        if picture:
            written.append(save(picture, place if place.suffix else place / f"{stems[some[0]]}.png"))
        elif place.suffix or as_images(first(found)):
            written += _save(opened, found, place, [stems[i] for i in some])
        else:
            values.append(first(found))
    if values and len({value.shape[1:] for value in values}) == 1:
        written += _save(opened, torch.cat(values), place, [])
    else:
        for stem, value in zip(stems, values, strict=False):  # of images of several sizes, one after the other
            written += _save(opened, value, place / f"{stem}.npy", [])
    _say(written, as_json)


def split(given: list[str] | None) -> tuple[list[str], list[str]]:
    """Inputs, ``label=3``, and settings of a model that is not trained, ``parts.G.init=FILE``."""
    settings = [text for text in given or () if "." in text.partition("=")[0]]
    return [text for text in given or () if text not in settings], settings


def _unlike(stems: list[str]) -> list[str]:
    """File stems, numbered where two are the same (``a.png`` and ``a.jpg``)."""
    seen: dict[str, int] = {}
    found = []
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
        found.append(stem if seen[stem] == 1 else f"{stem}_{seen[stem]}")
    return found


def read_inputs(given: list[str] | None, opened: Any, resize: bool) -> dict[str, Any]:
    """What the command line gives, by name: tensors, labels, captions, lists of image files, arguments of parts."""
    from ganzoo.run.inputs import parse

    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"'{text}' is no input (write name=value, such as label=3)")
        opened.check_input(name)
        if opened.sampling_arguments(name):
            found[name] = read_value(value, Origin(f"command line: {text}")).plain()
        else:
            found[name] = parse(name, value, opened.field(name), resize, name in opened.spec.flow)
    return found


def _count(item: Any) -> int:
    """How many samples an input asks for; 0 of one label or caption alone, of which many are wanted."""
    if isinstance(item, list):
        return min(len(item), 64) if isinstance(item[0], tuple) else len(item) * (len(item) > 1)
    return len(item) if hasattr(item, "shape") else 0


def stacked(item: Any, n: int) -> Any:
    """Images given for sampling: as many rows as are wanted, repeating what there is."""
    if isinstance(item, list) and item and isinstance(item[0], tuple):
        import torch

        rows = torch.cat([tensor for _, tensor in item])
        return rows[torch.arange(n) % len(rows)]
    if isinstance(item, list):
        return [item[i % len(item)] for i in range(n)]
    return item


def _write(opened: Any, found: Any, out: Path, as_json: bool, names: list[str], across: int | None = None) -> None:
    _say(_save(opened, found, out, names, across), as_json)


def _save(opened: Any, found: Any, out: Path, names: list[str], across: int | None = None) -> list[Path]:
    from ganzoo.run.inputs import write

    return write(found, out, opened.fields, names, across)


def _is_table(opened: Any, found: Any) -> bool:
    from ganzoo.run.inputs import table_of

    return table_of(found, opened.fields) is not None


def _say(written: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"files": [str(path) for path in written]})
    elif len(written) == 1:
        print(written[0])
    else:
        print(f"{len(written)} files in {written[0].parent}")
