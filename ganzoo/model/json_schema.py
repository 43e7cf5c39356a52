"""The JSON Schema of model files: every setting, and every registered component with its arguments.

It is made for editors: what it refuses the checks refuse too, though they know more, such as which names exist. Model
files are checked by it as they are written, before what they extend is merged in; so nothing is required of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from ganzoo.config import json_types, schema
from ganzoo.config.json_types import EXPRESSION, REFERENCE, Schema
from ganzoo.config.limits import DEVICES
from ganzoo.config.read import PART_KINDS, PART_SETTINGS, PUT_KINDS
from ganzoo.errors import UserError
from ganzoo.model import docs
from ganzoo.model.factory import EMPTY, ENGINE_FACTS, Argument, arguments
from ganzoo.registry import KINDS, Entry, Registry

DRAFT = "http://json-schema.org/draft-07/schema#"
FREE: Schema = {"type": "string", "pattern": REFERENCE, "patternErrorMessage": "should be a mapping"}
NAMES: Schema = {"type": "array", "items": {"type": "string"}}
_NAME = r"^[A-Za-z_]\w*$"

_SAID = {
    "about": "What this file says of itself; it does not hold for files that extend it.",
    "about.small": "Overrides under which tests can step the model in seconds.",
    "about.parameters": "The trainable parameters of parts, which are asserted.",
    "extends": "The model, path, or list of them, over which this file is merged.",
    "requires": "Distributions that must be installed, such as `ganzoo-acme>=0.2`.",
    "data": "Where the data comes from; its fields are names for expressions.",
    "parts": "Components of this model, under names that expressions use.",
    "flow": "What each named value is: `name: expression`, computed at most once a turn.",
    "players": "Who trains what, in this order, and which terms each minimises.",
    "phases": "Stretches of training in which given players play, each with its steps.",
    "share": "Values that are computed once a step for all players.",
    "update": "simultaneous: take the gradients of all players before any of them steps.",
    "show": "What sample pictures hold: expressions, or values with a score, a number and rows.",
    "sample": "The named value that `ganzoo sample` makes.",
    "log": "Further values to watch, `name: expression`, one number each.",
    "evaluate": "Metrics, `values: {name: metric(fake)}`, and how they are measured.",
    "stop": "What ends a run before its last step.",
    "optimizer": "The optimizer of every player; a player's own is merged over it.",
    "schedule": "A factor on the learning rate, or on several hyperparameters by name.",
    "train": "How long, how much at once, where, and what is kept.",
    "plugins": "Options of plugins that follow the run, such as loggers; false leaves one out.",
    "locked": "Written by a run: versions, and what its data is.",
    "train.steps": "Steps to train; a model with phases gives each its own.",
    "train.batch": "Samples a step.",
    "train.seed": "The seed of weights, noise and the order of the data.",
    "train.budget": "A time such as 60s, 1.5m or 2h; the first 50 steps tell how many steps fit.",
    "train.precision": "fp32, bf16 (autocast; losses and penalties stay in fp32), or whichever measures faster.",
    "train.compile": "torch.compile, for networks that no penalty differentiates twice.",
    "train.graphs": "Forward and backward passes as CUDA graphs; auto: of small models, where they can be captured.",
    "train.rewrite": "Compute upsampling with a convolution, thin layers and others cheaper; the same up to rounding.",
    "train.accumulate": "Cut each batch into this many parts.",
    "train.sync_batch_norm": "Batch statistics over all processes.",
    "train.device": "auto, cpu, cuda, cuda:1, mps or xpu.",
    "train.timeout": "With several processes: one that is not heard of for so long counts as lost.",
    "train.log_every": "Log the means of all terms each so many steps.",
    "train.sample_every": "Make a sample picture each so many steps.",
    "train.checkpoint_every": "Write a checkpoint each so many steps.",
    "train.on_collapse": "stop: end the run as soon as something begins to look wrong.",
    "train.keep": "Which checkpoints stay.",
    "train.keep.last": "The newest so many.",
    "train.keep.every": "One each so many steps.",
    "train.keep.best": "The best by a term, an entry of log: or a metric, such as fid.",
    "train.keep.mode": "Whether less or more is better; metrics know.",
    "players.*.trains": "The parts it trains; the part of its own name if not given.",
    "players.*.minimize": "Its terms: `name: expression`, or `name: {of: expression, weight: 5, every: 16}`.",
    "players.*.optimizer": "Its own settings, merged over the model's optimizer.",
    "players.*.schedule": "Its own settings, merged over the model's schedule.",
    "players.*.repeat": "Turns a step, each with a new batch and new noise.",
    "players.*.every": "Plays at every k-th step only.",
    "players.*.batch": "A batch size of its own.",
    "players.*.after": "Constraints after each of its steps.",
    "players.*.ema": "The decay of an average of its parts, which samples use.",
    "players.*.ema.decay": "How much of the average stays at each step.",
    "players.*.ema.start": "The step from which on it averages.",
    "players.*.clip": "The largest norm of its gradient.",
    "term.of": "What is minimised.",
    "term.weight": "A factor, or a schedule of one.",
    "term.every": "Computed at every k-th step only, and multiplied by k.",
    "phases.*.steps": "How long the phase is.",
    "phases.*.players": "Who plays: all, if none is named; keys are merged over the player of that name.",
    "show.values": "One column a value, or a grid of one value.",
    "show.score": "One number a sample, written below it.",
    "show.n": "How many samples.",
    "show.across": "Images in a row.",
    "show.rows": "A label that is the same along each row.",
    "evaluate.every": "Measure each so many steps.",
    "evaluate.n": "On how many samples.",
    "evaluate.seed": "Of the samples' noise, whatever the run's own is.",
    "evaluate.split": "Which split of the data they are measured against.",
    "evaluate.against": "Other data that they are measured against.",
    "evaluate.values": "What is measured: `name: metric(fake)`.",
    "stop.watch": "A term, an entry of log: or a metric.",
    "stop.above": "End when it is above this.",
    "stop.below": "End when it is below this.",
    "stop.patience": "End after so many values in a row, none better than the best before them.",
    "stop.mode": "Whether less or more is better.",
    "part.with": "What is put on the part when it is built, in order.",
    "part.like": "The data field that its output resembles.",
    "part.init": "What to start from: RUN, RUN:part, a file of published weights, FILE or FILE:key.",
    "part.match": "How `init: FILE` is read: the name of a layout, or `shapes`.",
    "part.eval_bn": "Statistics of batch norms in sampling: running, those of the batch, or of 16 batches made afresh.",
    "part.eval_dropout": "Keep dropping when sampling.",
    "lr_scale": "Factors on the learning rate of single parts: `{Q: 5}`.",
    "on": "The parts that it acts on; all that the player trains if not given.",
}
_AT_LEAST = {
    **dict.fromkeys(("steps", "batch", "accumulate", "log_every", "sample_every", "checkpoint_every"), 1),
    **dict.fromkeys(("last", "every", "n", "across", "repeat", "patience"), 1),
    "seed": 0,
    "start": 0,
}


def model_schema(registry: Registry) -> Schema:
    """The JSON Schema (draft-07) of model files with every component of the registry."""
    entries = list(registry)
    definitions: dict[str, Schema] = {"expression": EXPRESSION, "term": _term(), "player": _player()}
    definitions |= {key: made for beside in _BESIDE.values() for key, made in beside.items()}
    components = {entry.id: _arguments(entry) for entry in reversed(entries)}
    for place, kinds in _PLACES.items():
        definitions[f"use {place}"] = _use([e for e in entries if e.kind in kinds], kinds)
        definitions[place] = _component(place, kinds)
        definitions[f"part of {place}"] = _part_of(kinds, components)
    definitions |= {f"any {kind}": _any(kind, entries) for kind in KINDS}
    definitions |= dict(sorted(components.items()))
    return {
        "$schema": DRAFT,
        "title": "ganzoo model",
        "description": "A model: data, parts, equations, and players who minimise terms (docs/configs.md).",
        "type": "object",
        "properties": _top(registry),
        "additionalProperties": False,
        "definitions": definitions,
    }


def text(registry: Registry) -> str:
    """The schema as a file holds it: a line for each definition."""
    made = model_schema(registry)
    lines = [f'"{key}": {_line(value)},' for key, value in made.items() if key != "definitions"]
    named = [f"{json.dumps(key)}: {_line(value)}" for key, value in made["definitions"].items()]
    return "\n".join(["{", *lines, '"definitions": {', ",\n".join(named), "}", "}", ""])


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- settings ----------------------------------------------------------------------------------------------------------


def _top(registry: Registry) -> dict[str, Schema]:
    show = {"values": _expressions(), "score": _ref("expression")}
    evaluate = {"against": _ref("data"), "values": _entries(_ref("expression"))}
    keep = _either(json_types.of(int), _settings(schema.Keep, "train.keep"))
    train = {"keep": keep, "device": _device(), "steps": json_types.of(int | None) | {"minimum": 1}}
    stated = {plugin.name: registry.options(plugin.name) for plugin in registry.plugins}
    plugins = {name: _options(known) for name, known in stated.items() if known is not None}
    phase = _settings(schema.PhaseSettings, "phases.*", {"players": _entries(_ref("player"))})
    found = {
        "extends": _either({"type": "string"}, NAMES),
        "about": _settings(schema.About, "about", {"budget": {"type": ["string", "number"]}}),
        "requires": _either({"type": "string"}, NAMES),
        "data": _ref("data"),
        "parts": _entries(_ref("part")),
        "flow": _entries(_ref("expression")),
        "players": _entries(_ref("player")),
        "phases": _phases(phase),
        "share": _either({"type": "string"}, NAMES),
        "update": {"enum": ["alternating", "simultaneous"], "default": "alternating"},
        "show": _either(_expressions(), _settings(schema.Show, "show", show), {"type": "null"}),
        "sample": {"type": "string", "default": "fake"},
        "log": _entries(_ref("expression")),
        "evaluate": _settings(schema.Evaluate, "evaluate", evaluate),
        "stop": _either({"type": "null"}, _settings(schema.Stop, "stop")),
        "optimizer": _ref("optimizer"),
        "schedule": _schedules(),
        "train": _settings(schema.Train, "train", train),
        "plugins": {"type": "object", "properties": plugins},
        "locked": {"type": "object"},
    }
    assert set(found) == set(schema.TOP)
    return {key: _said(schema_, key) for key, schema_ in found.items()}


def _options(known: Sequence[str]) -> Schema:
    """What a model may write of a plugin."""
    mapping = {"properties": {key: {} for key in known}, "additionalProperties": False}
    return {"type": ["boolean", "object", "null"], **mapping, "description": "true, or options; false leaves it out."}


def _settings(cls: type, path: str, given: dict[str, Schema] | None = None) -> Schema:
    """A mapping that is read as a dataclass; `given` are the schemas of what is no plain setting."""
    hints, found = get_type_hints(cls, include_extras=True), {}
    for item in fields(cls):
        made = dict((given or {}).get(item.name) or json_types.of(hints[item.name]))
        if given is None or item.name not in given:
            if item.name in _AT_LEAST and "type" in made:
                made["minimum"] = _AT_LEAST[item.name]
            if item.default is not MISSING:
                made["default"] = item.default
        found[item.name] = _said(made, f"{path}.{item.name}")
    return {"type": "object", "properties": found, "additionalProperties": False}


def _said(made: Schema, path: str) -> Schema:
    text = _SAID.get(path, "")
    if "$ref" in made:  # beside which nothing else counts
        return {"allOf": [made], "description": text} if text else made
    return {**made, "description": text} if text else made


def _device() -> Schema:
    return {
        "type": "string",
        "pattern": rf"^(?:{'|'.join(DEVICES)})(?::\d+)?$|{REFERENCE}",
        "default": "auto",
        "errorMessage": "should be auto, cpu, cuda, cuda:1, mps or xpu",
    }


def _term() -> Schema:
    weight = _either(json_types.of(float), _ref("schedule"))
    settings = _settings(schema.TermSettings, "term", {"of": _ref("expression"), "weight": weight})
    return _by_type(_ref("expression"), settings | {"type": ["object", "null"]})


def _player() -> Schema:
    ema = _settings(
        schema.Ema, "players.*.ema", {"decay": json_types.of(float) | {"minimum": 0, "exclusiveMaximum": 1}}
    )
    given = {
        "trains": _either({"type": "string"}, NAMES),
        "minimize": _entries(_ref("term")),
        "optimizer": _ref("optimizer"),
        "schedule": _schedules(),
        "after": _entries(_ref("constraint")),
        "ema": _either(json_types.of(float | None) | {"minimum": 0, "exclusiveMaximum": 1}, ema),
        "clip": json_types.of(float | None) | {"exclusiveMinimum": 0},
    }
    return _settings(schema.PlayerSettings, "players.*", given) | {"type": ["object", "null"]}


def _phases(phase: Schema) -> Schema:
    """Phases by name; or a component that writes them out, beside whose arguments are changes of phases."""
    argument = {"if": {"type": "object"}, "then": phase}  # or of the ladder that a base file has
    by_name = {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": argument}
    ladder = {"type": "object", "properties": {"use": _ref("use phases")}}
    return {"if": {"type": "object", "required": ["use"]}, "then": ladder, "else": by_name}


def _schedules() -> Schema:
    """One schedule, several by the names of hyperparameters, or some arguments of those that a base file has."""
    several = {"type": "object", "additionalProperties": {"if": {"type": "object"}, "then": _ref("schedule")}}
    return {"if": {"type": "object", "not": {"required": ["use"]}}, "then": several, "else": _ref("schedule")}


# -- components --------------------------------------------------------------------------------------------------------

_PLACES: dict[str, Sequence[str]] = {
    "data": ("data",),
    "part": PART_KINDS,
    "put": PUT_KINDS,
    "constraint": ("regularizer",),
    "optimizer": ("optimizer",),
    "schedule": ("schedule",),
    "phases": ("phases",),
}


def _use(entries: Iterable[Entry], kinds: Sequence[str]) -> Schema:
    """The names of components, with what each is."""
    known = {entry.id: entry.source().summary for entry in entries}
    others = rf"^[\w.-]+:(?:{'|'.join(kinds)})\.\w+"  # DISTRIBUTION:kind.name
    what = f"should name a component, such as {' or '.join(f'{k}.NAME' for k in kinds[:3])} (`ganzoo list` shows all)"
    said = {"type": "string", "errorMessage": what}
    named = {"enum": list(known), "markdownEnumDescriptions": list(known.values()), **said}
    return {"anyOf": [named, {"pattern": f"{others}|{REFERENCE}", **said}]}


def _component(place: str, kinds: Sequence[str]) -> Schema:
    """A component where it stands: its name alone, or a mapping with arguments, which go by what `use` names.

    A mapping without `use` is merged over what a base file has there; its keys are those of any component.
    """
    named = [{"if": _using(rf"{kind}\."), "then": _ref(f"any {kind}")} for kind in kinds]
    loose = {"if": {"required": ["use"]}, "else": _ref(f"part of {place}")}
    use = {"use": _ref(f"use {place}")}
    return _by_type(_ref(f"use {place}"), {"type": ["object", "null"], "properties": use, "allOf": [*named, loose]})


def _any(kind: str, entries: Iterable[Entry]) -> Schema:
    """The arguments of the component of this kind that is named."""
    known = dict.fromkeys(entry.id for entry in entries if entry.kind == kind)
    return {"allOf": [{"if": _using(f"{re.escape(key)}$"), "then": _ref(key)} for key in known]}


def _using(pattern: str) -> Schema:
    use = {"type": "string", "pattern": rf"^(?:[\w.-]+:)?{pattern}"}
    return {"type": "object", "properties": {"use": use}, "required": ["use"]}


def _part_of(kinds: Sequence[str], arguments_of: dict[str, Schema]) -> Schema:
    """Some arguments of a component that is not named: those that any of these kinds has.

    They are patterns, which editors do not offer: there would be hundreds.
    """
    alike = [made.get("properties", {}) for key, made in arguments_of.items() if key.partition(".")[0] in kinds]
    found: dict[str, list[Schema]] = {}
    for properties in alike:
        for key, made in properties.items():
            bare = {k: v for k, v in made.items() if k not in ("description", "default", "errorMessage")}
            if bare not in found.setdefault(key, []):
                found[key].append(bare)
    checked = {rf"^{key}$": _either(*made) for key, made in sorted(found.items()) if {} not in made}
    return {"propertyNames": {"enum": sorted(found)}, "patternProperties": checked}


def _arguments(entry: Entry) -> Schema:
    """One component's arguments, as the mapping that holds them."""
    try:
        factory = entry.load()
        known = arguments(factory)
    except (UserError, ValueError, TypeError):  # such as of a plugin whose extra is not installed
        return {"title": entry.id, "description": entry.source().summary}
    told = docs.arguments(factory)
    properties = {"use": {"type": "string"}}
    for argument in known.values():
        if argument.name not in ENGINE_FACTS or argument.name == "steps":
            properties[argument.name] = _argument(argument, told.get(argument.name, ""))
    return {
        "title": entry.id,
        "description": docs.text(factory),
        "type": "object",
        "properties": {**properties, **{key: _ref(key) for key in _BESIDE.get(entry.kind, ())}},
        **({} if entry.kind == "phases" else {"additionalProperties": False}),
    }


def _argument(argument: Argument, told: str) -> Schema:
    made = dict(json_types.of(argument.annotation)) if argument.annotation is not EMPTY else {}
    note = " (Read from the model if not given.)" if argument.is_fact else ""
    if told or note:
        made["description"] = f"{told}{note}".strip()
    if argument.default is not EMPTY:
        with suppress(ValueError):  # of a default that cannot be written, such as a function
            made["default"] = json_types.plain(argument.default)
    return made


def _beside() -> dict[str, dict[str, Schema]]:
    """What stands beside the arguments of components, by the kinds that have it."""
    settings = {key: _said(json_types.of(hint), f"part.{key}") for key, hint in PART_SETTINGS.items()}
    part = {"with": _said(_entries(_ref("put")), "part.with"), **settings}
    found = {kind: dict(part) for kind in PART_KINDS}
    found["regularizer"]["on"] = _said(NAMES, "on")
    found["optimizer"] = {"lr_scale": _said(json_types.of(dict[str, float]), "lr_scale")}
    return found


# -- pieces ------------------------------------------------------------------------------------------------------------


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name.replace(' ', '%20')}"}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _by_type(text: Schema, mapping: Schema) -> Schema:
    """A text, or else a mapping, or nothing.

    Editors look for what to offer in `anyOf`, and say what is wrong better by `if`; the former refuses nothing.
    """
    return {"if": {"type": ["object", "null"]}, "then": mapping, "else": text, "anyOf": [text, {}]}


def _entries(value: Schema) -> Schema:
    """A mapping whose keys the user names; `null` deletes what a base file has."""
    return {
        "if": {"type": "string"},
        "then": FREE,
        "else": {
            "type": ["object", "null"],
            "propertyNames": {"pattern": _NAME},
            "additionalProperties": value,
            "errorMessage": "write `name: …` lines",
        },
    }


def _expressions() -> Schema:
    return _either(_ref("expression"), {"type": "array", "items": _ref("expression")}, {"type": "null"})


_BESIDE = _beside()
