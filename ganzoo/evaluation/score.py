"""Scoring a run after training: by metrics that its model names, or others, against any real data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Protocol

from ganzoo import config
from ganzoo.config.expression import Call, root
from ganzoo.config.spec import Spec
from ganzoo.config.static import Graph
from ganzoo.data.fields import Field
from ganzoo.data.reference import SPLITS
from ganzoo.errors import Problem, UserError, listed
from ganzoo.evaluation.evaluate import evaluate, reads
from ganzoo.evaluation.records import Record
from ganzoo.model import build, factory
from ganzoo.model.blueprint import Blueprint, reading
from ganzoo.model.calls import forward_of
from ganzoo.model.inference import Inference
from ganzoo.registry import Entry, Registry
from ganzoo.store.checkpoint import Checkpoint


class Trained(Protocol):
    """What scoring needs of an opened run: its config and fields, and its weights in the parts of a blueprint."""

    name: str
    spec: Spec
    config: dict[str, Any]
    fields: dict[str, Field]
    registry: Registry
    checkpoint: Checkpoint

    def load(self, blueprint: Blueprint, names: Collection[str]) -> dict[str, Any]: ...

    def inference_of(self, blueprint: Blueprint, parts: dict[str, Any]) -> Inference: ...


NAMES = {"test": "held_out"} | {split: split for split in SPLITS}


def score(
    run: Trained,
    metrics: Iterable[str] = (),
    against: str | None = None,
    n: int | None = None,
    seed: int | None = None,
    overrides: Iterable[str] = (),
) -> list[Record]:
    """Records of the run's samples; see :meth:`ganzoo.run.opened.Run.evaluate`."""
    wanted, overrides = list(metrics), list(overrides)
    stated = {text.partition("=")[0] for text in overrides}
    measure: dict[str, Any] = {}
    for name in wanted:
        if name not in run.spec.metrics and f"evaluate.values.{_key(name)}" not in stated:
            measure |= _written(name, run)
    if n is not None:
        measure["evaluate.n"] = n
    if seed is not None:
        measure["evaluate.seed"] = seed
    if against is not None:
        measure |= _against(against, run)
    spec = config.from_plain(run.name, run.config, str(run.checkpoint.path), run.registry, overrides, measure)
    wanted_keys = {_key(name) for name in wanted}
    spec.metrics = {name: value for name, value in spec.metrics.items() if name in wanted_keys or not wanted_keys}
    if not spec.metrics:
        known = listed(e.name for e in run.registry if e.kind == "metric")
        raise UserError(Problem(f"{run.name} names no metrics", hint=f"ask for some: --metrics NAME, of {known}"))
    blueprint = build.draw_up(spec, run.fields, measuring=True)
    if against is not None:
        _take_reference(blueprint, wanted_keys)
    with reading(spec.against or spec.data):
        _same_fields(spec, blueprint)
        graph = Graph(spec)
        needed = {name for value in spec.metrics.values() for name in graph.of(value)}
        return evaluate(run.inference_of(blueprint, run.load(blueprint, needed)))


def _written(name: str, run: Trained) -> dict[str, Any]:
    """Overrides that add a metric component to a model: its arguments go by their names.

    Raises:
        UserError: there is no such metric, or it asks for something that does not say which value is meant.
    """
    spec, registry = run.spec, run.registry
    own = ", ".join(spec.metrics)
    try:
        entry = registry.find(name if "." in name else f"metric.{name}", ("metric",))
    except UserError as error:
        more = f"; the model itself has {own}" if own else ""
        raise UserError(Problem(f"{p.message}{more}", hint=p.hint) for p in error.problems) from None
    part = _free(entry.name, spec)
    images = [field for field, f in run.fields.items() if f.kind == "image"]
    inputs = {name for name in Graph(spec).needs([spec.sample]) if name in run.fields}
    targets = [name for name in images if name not in inputs] or images  # what a sample should be, or be like
    like = {"like": targets[0]} if len(images) > 1 and len(targets) == 1 else {}
    takes = factory.arguments(entry.load())
    use: dict[str, Any] = {"use": entry.id, **(like if "in_range" in takes else {})}
    if "real" in takes and "real" not in images and len(targets) == 1:
        use["real"] = targets[0]
    found: dict[str, Any] = {f"parts.{part}": use}
    parameters = (forward_of(entry.load()) or {}).values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    written = []
    for key in wanted:
        if key == "extractor":
            expression, extractor = _extractor(run)
            found |= {path: {**extractor[path], **like} for path in extractor}
        else:
            expression = _argument(key, f"{entry.name}({', '.join(wanted)})", entry, run, targets)
        written.append(expression)
    found[f"evaluate.values.{_key(name)}"] = f"{part}({', '.join(written)})"
    return found


def _argument(key: str, call: str, entry: Entry, run: Trained, targets: list[str]) -> str:
    """What stands for one parameter of a metric: the samples, the images that they should be, or a data field.

    Raises:
        UserError: nothing is there for it, or several things are.
    """
    sample, fields = run.spec.sample, run.fields
    needed = Graph(run.spec).needs([sample])
    if key == "fake":
        return sample
    if key == "real":
        if all(fields[name].kind == "label" for name in needed if name in fields):
            message = f"{entry.id} compares each sample with the image that it should be, and {sample} has none"
            raise UserError(Problem(message, hint="it is for models that make an image from another"))
        if len(targets) != 1:
            hint = f"say which: evaluate.values.NAME='NAME({sample}, …)' parts.NAME={entry.id}"
            raise UserError(Problem(f"{entry.id} needs one image of {', '.join(targets)}", hint=hint))
        return targets[0]
    if key in fields:
        if fields[key].kind == "label" and key not in needed:
            hint = "it is for models that are asked for a class"
            raise UserError(Problem(f"{entry.id} needs {key}, which {sample} does not depend on", hint=hint))
        return key
    same = [field for field, f in fields.items() if f.kind == key]
    if len(same) != 1:
        example = f"evaluate.values.{entry.name}='{call}' parts.{entry.name}={entry.id}"
        hint = "" if key == "label" else f"write {example}, with what these are here"
        raise UserError(Problem(f"{entry.id} needs {key}, and nothing of that name is there", hint=hint))
    return same[0]


def _key(metric: str) -> str:
    """Under which name a metric asked for stands: ``metric_fid`` for ``metric.fid``."""
    return metric.replace(".", "_")


def _take_reference(blueprint: Blueprint, named: Collection[str]) -> None:
    """Leave out what is not measured against a reference, but knows only the model's own data, or none.

    Raises:
        UserError: it was asked for by name, or nothing is left.
    """
    metrics = blueprint.spec.metrics
    for name, value in list(metrics.items()):
        assert isinstance(value.expr, Call)
        part = blueprint.spec.parts[root(value.expr.func) or ""]
        if "reference" in blueprint.args[part.path]:
            continue
        if name not in named and len(metrics) > 1:
            del metrics[name]
            continue
        inputs = reads(blueprint, value, repeatable=False)
        if inputs or "data" in blueprint.args[part.path]:
            what = ", ".join(sorted(inputs)) or "the rows"
            message = f"{value.text} reads {what} of the model's own data, not of --against"
            raise UserError(Problem(message, hint="say where other data is: data.root=FOLDER"))
        hint = "leave it out, or name others: --metrics NAME"
        raise UserError(Problem(f"{value.text} measures against no data, so --against says nothing to it", hint=hint))


def _extractor(run: Trained) -> tuple[str, dict[str, Any]]:
    """The name of the extractor that the model is measured with; or, with the override that adds it, the default one.

    Raises:
        UserError: there are several, or none for what the model samples.
    """
    graph = Graph(run.spec)
    taught = {name for phase in run.spec.phases.values() for p in phase.players.values() for name in graph.of_player(p)}
    used = dict.fromkeys(name for value in run.spec.metrics.values() for name in graph.of(value) if name not in taught)
    own = [name for name in used if name in run.spec.parts and run.spec.parts[name].kind == "extractor"]
    if len(own) > 1:
        hint = f"write the whole call: evaluate.values.NAME='NAME(…, {own[0]})' parts.NAME=metric.NAME"
        raise UserError(Problem(f"the model is measured with several extractors, {', '.join(own)}", hint=hint))
    if own:
        return own[0], {}
    shapes = [field.shape for field in run.fields.values() if field.kind == "image"]
    entry = next((e for shape in shapes if (e := run.registry.default_extractor(shape)) is not None), None)
    if entry is None:
        size = "x".join(map(str, shapes[0])) if shapes else "what is no image"
        hint = "say which: parts.E=extractor.NAME, see `ganzoo list extractor`"
        raise UserError(Problem(f"there is no extractor by default for {size}", hint=hint))
    name = _free(entry.name, run.spec)
    return name, {f"parts.{name}": {"use": entry.id}}


def _free(name: str, spec: Spec) -> str:
    taken = {*spec.parts, *spec.flow, *(spec.fields or ())}
    return name if name not in taken else _free(f"{name}_", spec)


def _against(text: str, run: Trained) -> dict[str, Any]:
    """Overrides that choose the reference: ``SPLIT``, ``DATA``, or ``DATA:SPLIT``, DATA a component or a folder.

    Raises:
        UserError: it is none of these.
    """
    place, _, split = text.rpartition(":")
    if split not in NAMES:
        place, split = text, "train"
    found: dict[str, Any] = {"evaluate.split": NAMES[split]}
    if not place:
        return found
    image = next((field for field in run.fields.values() if field.kind == "image"), None)
    if Path(place).expanduser().is_dir():
        entry, args = run.registry.offering("reads", "folder"), {"root": str(Path(place).expanduser())}
    else:
        try:
            entry, args = run.registry.find(place if "." in place else f"data.{place}", ("data",)), {}
        except UserError as error:
            hints = [p.hint for p in error.problems if p.hint]
            message = f"'{place}' is no folder, no data component, and no split ({', '.join(SPLITS)})"
            raise UserError(Problem(message, hint="; ".join(hints))) from None
    if image is not None:
        like: dict[str, Any] = {
            "range": list(image.range or (-1, 1)),
            "size": list(image.shape[1:]),
            "channels": image.shape[0],
        }
        known = factory.arguments(entry.load())
        args |= {k: v for k, v in like.items() if k in known and (k == "range" or "root" in args)}
    return found | {"evaluate.against": {"use": entry.id, **args}}


def _same_fields(spec: Spec, blueprint: Blueprint) -> None:
    """Refuse a reference whose samples are not like those of the model."""
    if spec.against is None or blueprint.reference is None:
        return
    for name, field in blueprint.reference.fields.items():
        own = blueprint.fields.get(name)
        if own is not None and field.kind == "image" and (own.shape, own.range) != (field.shape, field.range):
            found = [f"{'x'.join(map(str, f.shape))} in {list(f.range or ())}" for f in (field, own)]
            message = f"{spec.against.entry.id} has {name} {found[0]}, but the run has {found[1]}"
            raise UserError(Problem(message, spec.against.origin, hint="give evaluate.against.size=… or .range=…"))
        read = any(name in Graph(spec).of(value) for value in spec.metrics.values())
        if own is not None and field.kind == "label" and read and own.classes != field.classes:
            classes = f"{_some(field)}, not {_some(own)}"
            message = f"{spec.against.entry.id} has other classes of {name} than the run: {classes}"
            raise UserError(Problem(message, spec.against.origin, hint="a class is known by its place among them"))
    if not set(blueprint.reference.fields) & set(blueprint.fields):
        hint = f"it has {listed(blueprint.reference.fields)}"
        raise UserError(
            Problem(f"{spec.against.entry.id} has none of the run's fields", spec.against.origin, hint=hint)
        )


def _some(field: Field) -> str:
    """A few of the classes of a label."""
    return ", ".join(field.classes[:4]) + (", …" if len(field.classes) > 4 else "") or "no names"
