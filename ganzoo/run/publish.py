"""Publishing a run: its weights in a folder that can be shipped, with what was measured, licences, and a card."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

import ganzoo
from ganzoo.config.static import Graph
from ganzoo.errors import Problem, UserError, listed
from ganzoo.parallel import launch
from ganzoo.run import card, provenance
from ganzoo.run.warm import averaged
from ganzoo.store import checkpoint, hub, published
from ganzoo.store.files import atomic, cannot_write, write_atomic
from ganzoo.store.folder import RunFolder
from ganzoo.store.published import Published

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.run.opened import Run

LARGEST = (640, 640)  # pixels of the card's picture


@dataclass
class Ready:
    """A run that may be published: what is written of it, and what is left out."""

    run: Run
    header: dict[str, Any]
    tensors: dict[str, Tensor]
    left_out: list[str]


def prepare(run: Run, licence: str | None = None, unfinished: bool = False, precision: str = "fp16") -> Ready:
    """Check that a run may be published, and choose what is: the parts that samples, pictures and metrics need.

    A model that was published is taken too, to be written in less precision; what it says of its training stays.

    Args:
        run: The run or the published model, opened.
        licence: Of the data, if its component does not state one.
        unfinished: Whether one that was not trained to its end is taken too.
        precision: Of matrices and kernels: ``fp16``, ``fp32``, or ``int8``.

    Raises:
        UserError: it was not trained to its end, nobody says under which licence its data is, that licence allows no
            work made from it, a part cannot be written, or a published model has less precision already.
    """
    header, state = run.checkpoint.header, run.checkpoint.state
    if published.is_one(run.path):
        return _again(run, licence, precision)
    steps = sum(phase.steps for phase in run.spec.phases.values())
    if "session" not in header:
        raise UserError(f"{run.path} is no run or checkpoint of one, so there is nothing to publish")
    if not (unfinished or finished(run, steps)):
        hint = f"`{launch.command('resume', run.path)}` goes on; or say that it may be unfinished"
        raise UserError(Problem(f"{run.path} was trained for {run.step} of {steps} steps", hint=hint))
    data = licensed(run, licence)
    graph, seen = Graph(run.spec), [*run.spec.shown, *run.spec.metrics.values()]
    needed = {*graph.needs([run.spec.sample]), *(name for value in seen for name in graph.of(value))}
    averages = averaged(state)
    kept = {name: averages.get(name, part) for name, part in state["parts"].items() if part and name in needed}
    left_out = [name for name, part in state["parts"].items() if part and name not in needed]
    about = {
        "name": run.name,
        "ganzoo": ganzoo.__version__,
        "step": run.step,
        "steps": steps,
        "weights": {
            "parts": sorted(kept),
            "averaged": sorted(kept.keys() & averages.keys()),
            "left_out": sorted(left_out),
            "precision": precision,
        },
        "data": data,
        "trained": {
            "seconds": round(header["session"]["seconds"], 1),
            **{key: header["environment"].get(key) for key in ("device", "threads", "processes")},
            "torch": header["environment"]["packages"]["torch"],
        },
        "config": portable(run.config),
    }
    return Ready(run, about, published.stored(kept, precision), left_out)


def _again(run: Run, licence: str | None, precision: str) -> Ready:
    """A published model, its weights in another precision, which is not greater than what they have."""
    header, state = run.checkpoint.header, run.checkpoint.state
    weights = header["weights"]
    tensors = published.stored(state["parts"], precision)
    order, has = ("fp32", "fp16", "int8"), weights.get("precision")
    if has in order and order.index(precision) < order.index(has):
        hint = f"--precision {has} (precision=…), or publish its run"
        raise UserError(Problem(f"{run.path} is in {has}, which {precision} cannot improve", hint=hint))
    data = licensed(run, licence) if licence else header["data"]
    kept = {key: value for key, value in weights.items() if key not in ("sha256", "bytes")}
    about = {key: value for key, value in header.items() if key != "format"}
    return Ready(run, about | {"weights": kept | {"precision": precision}, "data": data}, tensors, weights["left_out"])


def finished(run: Run, steps: int) -> bool:
    """Whether a run, or the run of a checkpoint, has come to its end."""
    folder = RunFolder(run.checkpoint.path.resolve().parent.parent)
    index = checkpoint.read_index(folder)
    newest = int((index.get("last") or "step_0.pt").removeprefix("step_").removesuffix(".pt"))
    return max(run.step, newest) >= steps or bool(index.get("stopped"))


def licensed(run: Run, told: str | None) -> dict[str, Any]:
    """The data of a run, its licence and credit.

    Raises:
        UserError: nobody states a licence, or it forbids works made from the data.
    """
    data = run.spec.data
    facts = data.entry.facts if data is not None else {"licence": "CC0-1.0"}
    licence, name = told or facts.get("licence"), data.entry.id if data is not None else "no data"
    if licence is None:
        hint = "if you may, say so by its name: --licence CC-BY-4.0 (licence=…)"
        raise UserError(Problem(f"{run.path}: nobody says under which licence {name} is", hint=hint))
    if re.search(r"\bND\b", licence):
        raise UserError(f"{run.path}: {name} is under {licence}, which allows no works made from it")
    return {"use": name, "licence": licence, "credit": facts.get("credit", ""), "told": told is not None}


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """A locked config without the places of files on the machine that trained it."""

    def short(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: short(item) for key, item in value.items()}
        if isinstance(value, list):
            return [short(item) for item in value]
        return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value

    return short(copy.deepcopy(config))


def write(
    ready: Ready,
    folder: str | Path,
    metrics: Sequence[str] | None = (),
    n: int | None = None,
    replace: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Published:
    """Write what was prepared, measure the weights that were written, and write the card; all or nothing.

    Args:
        ready: What :func:`prepare` returned.
        folder: The folder to make.
        metrics: Beside the model's own, which numbers to compute, for which its data is read; None for none at all.
        n: How many samples, if not as many as the model says.
        replace: Whether a model of the same name, published there before, is replaced.
        say: Told what is measured.

    Raises:
        UserError: the folder is taken or cannot be written, or something cannot be measured.
    """
    folder, run = Path(folder), ready.run
    check_free(folder, run.name, replace)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    alone = not folder.parent.exists()
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        made = published.write(temporary, ready.header, ready.tensors)
        wrote = {published.CONFIG, published.WEIGHTS, published.CARD}
        wanted = [*run.spec.metrics, *metrics] if metrics is not None else []
        if wanted:
            say(f"measuring {', '.join(wanted)} of {run.name}")
            _measure(made, run, wanted, n)
            wrote.add(published.RECORDS)
        if _newest_picture(run, temporary / published.PICTURE):
            wrote.add(published.PICTURE)
        if source := provenance.kept_source(run.path):
            shutil.copytree(source.parent, temporary / source.parent.name)
        write_atomic(temporary / published.CARD, card.text(made, run.spec))
        if gone := wrote - {path.name for path in temporary.iterdir()}:
            raise UserError(f"{temporary} was changed while it was written: {listed(sorted(gone))} is gone")
        _put_in_place(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if alone:
            with suppress(OSError):  # of a folder that holds something
                folder.parent.rmdir()
    return Published.at(folder)


def _measure(made: Published, run: Run, wanted: Sequence[str], n: int | None) -> None:
    """Measure the weights that were written, and write the records beside them.

    Raises:
        UserError: something cannot be measured.
    """
    try:
        records = type(run)(made.path, run.registry, device=str(run.device)).evaluate(wanted, n=n)
    except UserError as error:
        hint = "--no-evaluate (metrics=None) publishes without numbers"
        raise UserError(Problem(p.message, p.origin, p.path, p.hint or hint) for p in error.problems) from None
    of = provenance.subject(run.name, run.config, run.step) | {"weights": made.header["weights"]["sha256"]}
    lines = (json.dumps({**of, **asdict(record)}) + "\n" for record in records)
    write_atomic(made.path / published.RECORDS, "".join(lines))


def _newest_picture(run: Run, out: Path) -> bool:
    """Write a run's newest sample picture, or a published model's own, made smaller; False where there is none."""
    pictures = sorted(RunFolder(run.checkpoint.path.resolve().parent.parent).samples.glob("step_*.png"))
    if published.is_one(run.path) and (run.path / published.PICTURE).is_file():
        pictures = [run.path / published.PICTURE]
    if not pictures:
        return False
    with Image.open(pictures[-1]) as opened, atomic(out) as file:
        picture: Image.Image = opened
        picture.thumbnail(LARGEST)
        if picture.mode == "RGB":
            picture = picture.quantize(256)  # a third of the bytes, where they are photographs
        picture.save(file, format="PNG", optimize=True)
    return True


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a folder that is complete; an older one there goes once the new one stands."""
    if not folder.exists():
        temporary.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old)


def check_free(folder: Path, name: str, replace: bool) -> None:
    """Refuse a folder that holds anything else than an older copy of the model that is to be replaced.

    Raises:
        UserError: it does.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not published.is_one(folder):
        raise UserError(Problem(f"{folder} is not empty", hint="give another folder"))
    there = Published.at(folder).name
    if there != name or not replace:
        hint = "--replace (replace=True) writes over it" if there == name else "give another folder"
        raise UserError(Problem(f"{folder} already holds {there}", hint=hint))


def publish(
    runs: Iterable[Run],
    out: Path,
    metrics: Sequence[str] | None = (),
    n: int | None = None,
    replace: bool = False,
    say: Callable[[str], None] = print,
    **how: Any,
) -> list[Published]:
    """Several runs, each into ``OUT/<paper>/<variant>``; nothing is written unless all may be published.

    Raises:
        UserError: what is wrong with any of them.
    """
    ready, problems = [], []
    for run in runs:
        try:
            ready.append(prepare(run, **how))
            check_free(out / run.name, run.name, replace)
        except UserError as error:
            problems += error.problems
    names = [item.run.name for item in ready]
    if twice := {name for name in names if names.count(name) > 1}:
        problems.append(Problem(f"several runs are of {listed(sorted(twice))}"))
    if problems:
        raise UserError(problems)
    found = []
    for item in ready:
        found.append(write(item, out / item.run.name, metrics, n, replace, say))
        say(summary(found[-1]))
    return found


def push(run: Run, name: str, private: bool = False, metrics: Sequence[str] | None = (), **how: Any) -> str:
    """Upload a run, published first if it is not yet; see :meth:`ganzoo.run.opened.Run.push_to_hub`."""
    message = f"{run.name}, step {run.step}"
    if published.is_one(run.path):
        return hub.push(run.path, name, private, message)
    hub.check(name)
    with tempfile.TemporaryDirectory() as folder:
        made = write(prepare(run, **how), Path(folder) / "model", metrics)
        return hub.push(made.path, name, private, message)


def summary(made: Published) -> str:
    """Where a model was published, what of it, and what was measured."""
    weights = made.header["weights"]
    lines = [f"{made.path}: {', '.join(weights['parts'])} in {weights['precision']}, {made.bytes / 1e6:.2f} MB"]
    if weights["left_out"]:
        lines.append(f"  left out, as nothing shown, sampled or measured needs it: {listed(weights['left_out'])}")
    lines.append(f"  data under {made.header['data']['licence']}")
    lines += [f"  {name}  {value:.6g}" for name, value in made.values.items()]
    return "\n".join(lines)
