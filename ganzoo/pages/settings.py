"""The reference of the model file: every key with its type and default, from the schema that reads it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any, get_type_hints

from ganzoo.config import schema
from ganzoo.config.meanings import MEANINGS
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
        rows.append(f"| `{key}` | {' '.join(x for x in (MEANINGS[key], link) if x)} |")
    return rows


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
        said = _said(key, meanings, nested=dataclasses.is_dataclass(hints[field.name]))
        written = "required" if missing else _shown(default)
        kind = "" if hints[field.name] is Any else describe(hints[field.name])
        rows.append(f"| `{field.name}` | {markdown(kind)} | {written} | {said} |")
    return rows


def _said(key: str, meanings: dict[str, str], nested: bool) -> str:
    """What a key means: by ``configs.md``, which has room for examples, or else in a sentence."""
    bare = key.removeprefix("players.NAME.") if key.startswith("players.NAME.") and key.count(".") == 2 else key
    general = key.replace("players.NAME.minimize.NAME.", "term.").replace("NAME", "*")
    return ("" if nested else meanings.get(bare, "")) or MEANINGS.get(general, "")


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
