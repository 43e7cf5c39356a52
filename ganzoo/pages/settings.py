"""The reference of the model file: every key with its type and default, from the schema that reads it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any, get_type_hints

from ganzoo.config import schema
from ganzoo.config.spec import Part
from ganzoo.config.typecheck import describe
from ganzoo.pages.docstring import markdown

_TOP = """# Every key of a model file

Made from the schema by which a model file is read. What is not on this page is refused, with its line and the key that
is meant. [Reading and writing a model](configs.md) explains them with examples; the arguments of a component stand on
[its own page](components/index.md).
"""
WHERE = {
    "train": schema.Train,
    "train.keep": schema.Keep,
    "players.NAME": schema.PlayerSettings,
    "players.NAME.minimize.NAME": schema.TermSettings,
    "players.NAME.ema": schema.Ema,
    "phases.NAME": schema.PhaseSettings,
    "show": schema.Show,
    "evaluate": schema.Evaluate,
    "stop": schema.Stop,
    "about": schema.About,
}
_SHORT = {
    "train.keep": "`keep: 3` is short for `keep: {last: 3}`.",
    "players.NAME.minimize.NAME": "`name: expression` is short for `name: {of: expression}`.",
    "players.NAME.ema": "`ema: 0.999` is short for `ema: {decay: 0.999}`.",
    "show": "`show: [fake]` is short for `show: {values: [fake]}`.",
}
_SAID = {
    "train.steps": "how many steps, where no phases say it",
    "train.batch": "rows of a batch, of all processes together",
    "train.seed": "what everything random depends on",
    "train.device": "`auto`, `cpu`, `cuda`, `cuda:1`, …",
    "train.log_every": "steps from one log to the next",
    "train.sample_every": "steps from one sample picture to the next",
    "train.checkpoint_every": "steps from one checkpoint to the next",
    "train.keep": "which checkpoints stay",
    "train.keep.last": "how many of the newest",
    "train.keep.every": "one every so many steps",
    "train.keep.best": "the best by a term (`G.adversarial`), a metric (`modes.hit`) or an entry of `log:`",
    "train.keep.mode": "whether less or more is better; if not given, `max` for metrics of which more is better",
    "players.NAME.schedule": "merged over the model's own",
    "players.NAME.minimize.NAME.of": "the expression",
    "players.NAME.minimize.NAME.weight": "a number, or a schedule",
    "players.NAME.minimize.NAME.every": "computed at every k-th step only, and then multiplied by k",
    "players.NAME.ema.decay": "how much of the average stays at each step",
    "players.NAME.ema.start": "the step from which on it averages",
    "phases.NAME.steps": "how many steps",
    "phases.NAME.players": "who plays, with keys that are merged over the player's own; all, if none is named",
    "show.values": "the columns: names or expressions",
    "show.score": "an expression with a number for each row, written below it",
    "show.n": "how many rows are drawn",
    "show.across": "images in a row of a grid",
    "show.rows": "a label that is the same along each row",
    "evaluate.every": "steps from one evaluation to the next",
    "evaluate.n": "how many samples",
    "evaluate.seed": "what their noise depends on",
    "evaluate.split": "the rows of the data that they are measured against",
    "evaluate.against": "another data component to measure against",
    "evaluate.values": "the metrics: `name: metric(fake, real)`",
    "stop.watch": "a name that is logged or evaluated",
    "stop.above": "the run ends when it is above",
    "stop.below": "the run ends when it is below",
    "stop.patience": "the run ends after so many values without a better one",
    "stop.mode": "whether less or more is better",
    "about.title": "the model in a line",
    "about.paper": "`arXiv:NNNN.NNNNN`, or an address",
    "about.code": "the authors' code, or what was followed",
    "about.reproduces": "the table or figure of the paper",
    "about.expected": "what the paper reports there",
    "about.budget": "how long training takes",
    "about.scaled": "what is smaller than in the paper",
    "about.differs": "what is not as in the paper",
    "about.parameters": "the numbers of parameters of parts, which a test holds",
    "about.small": "overrides with which tests step the model in seconds",
}
PART_KEYS = ("use", "with", "like", "init", "match", "eval_bn", "eval_dropout", "shard")


def page(explained: str) -> str:
    """The reference as Markdown, to lie beside ``configs.md``.

    Args:
        explained: The text of ``configs.md``, whose tables and comments say in words what keys mean.
    """
    meanings = _meanings(explained)
    found = [_TOP, "## Top level", "", *_top(meanings), "", "## parts.NAME", "", *_part(meanings), ""]
    for path, cls in WHERE.items():
        doc = inspect.getdoc(cls) or ""
        own = "" if doc.startswith(f"{cls.__name__}(") else markdown(doc)  # what a dataclass says by itself
        texts = [text for text in (own, _SHORT.get(path, "")) if text]
        found += [f"## {path}", "", *(f"{text}\n" for text in texts), *_table(cls, path, meanings), ""]
    return "\n".join(found)


def _top(meanings: dict[str, str]) -> list[str]:
    rows = ["| key | holds |", "| --- | --- |"]
    for key in schema.TOP:
        below = [path for path in WHERE if path.split(".")[0] == key]
        link = ", ".join(f"[{path}](#{_anchor(path)})" for path in (["parts.NAME"] if key == "parts" else below))
        rows.append(f"| `{key}` | {' '.join(x for x in (_KEYS.get(key, meanings.get(key, '')), link) if x)} |")
    return rows


_KEYS = {
    "about": "What the file says of itself.",
    "extends": "The model that this one is merged over, or a list of them.",
    "requires": "Distributions that must be installed: `[ganzoo-acme>=0.2]`.",
    "data": "One component of the kind `data`, whose fields are names for expressions.",
    "parts": "Components under names.",
    "flow": "Named values: `name: expression`.",
    "players": "Who trains what, in the order in which they play.",
    "phases": "Stretches of steps in which given players play; without it there is one.",
    "share": "Values that are computed once a step.",
    "update": "`alternating`, or `simultaneous`: the gradients of all players before any of them steps.",
    "show": "What sample pictures hold.",
    "sample": "The value that `ganzoo sample` makes; `fake` if not given.",
    "log": "Values to watch: `name: expression`, one number each.",
    "evaluate": "Metrics, and when they are computed.",
    "stop": "What ends a run early.",
    "optimizer": "The optimizer of all players.",
    "schedule": "A schedule of the learning rate, or of each of several numbers by name.",
    "train": "Steps, batch, seed, precision, what is logged and kept.",
    "plugins": "Options of loggers: `{tensorboard: false}`.",
    "locked": "What `ganzoo` wrote into `locked.yaml` of a run; not for writing by hand.",
}


def _part(meanings: dict[str, str]) -> list[str]:
    defaults = {field.name: field.default for field in dataclasses.fields(Part)}
    rows = ["| key | default | meaning |", "| --- | --- | --- |"]
    for key in PART_KEYS:
        default = defaults.get(key)
        said = "The component: `kind.name`, or `distribution:kind.name`." if key == "use" else meanings.get(key, "")
        written = "required" if key == "use" else _shown(default) if key in defaults else "null"
        rows.append(f"| `{key}` | {written} | {said} |")
    return [
        *rows,
        "",
        "Every other key is an argument of the component. `NAME: kind.name` is short for `NAME: {use: kind.name}`.",
    ]


def _table(cls: type, path: str, meanings: dict[str, str]) -> list[str]:
    hints = get_type_hints(cls, include_extras=True)
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for field in dataclasses.fields(cls):
        missing = field.default is dataclasses.MISSING
        default: Any = field.default
        if missing and field.default_factory is not dataclasses.MISSING:
            made = field.default_factory()
            missing, default = False, dataclasses.asdict(made) if dataclasses.is_dataclass(made) else made  # type: ignore[arg-type]
        key = f"{path}.{field.name}"
        said = _SAID.get(key) or meanings.get(key) or (meanings.get(field.name, "") if path == "players.NAME" else "")
        written = "required" if missing else _shown(default)
        kind = "" if hints[field.name] is Any else describe(hints[field.name])
        rows.append(f"| `{field.name}` | {markdown(kind)} | {written} | {said} |")
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{key}: {_shown(item).strip('`')}" for key, item in value.items()) + "}`"
    return f"`{value}`" if value != "" else '`""`'


def _meanings(text: str) -> dict[str, str]:
    """What tables (`| key | meaning |`) and comments of the block of `train:` say of a key."""
    found: dict[str, str] = {}
    for keys, meaning in re.findall(r"^\| (`[^|]*?`) \| (.*?) \|(?: .* \|)?$", text, flags=re.MULTILINE):
        for key in re.findall(r"`(\w+)`", keys):
            found.setdefault(key, meaning)
    block = re.search(r"```yaml\ntrain:\n(.*?)```", text, flags=re.DOTALL)
    key = ""
    for line in block[1].splitlines() if block else ():
        new = re.match(r"  (\w+): [^#]*?(?:\s+# (.*))?$", line)
        if new:
            key = f"train.{new[1]}"
            found[key] = markdown(new[2] or "")
        elif key and line.strip().startswith("#"):
            found[key] += " " + markdown(line.strip(" #"))
    return found


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
