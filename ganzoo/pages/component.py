"""The page of a component: what it does, its equation, arguments, example, where it comes from, who uses it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from ganzoo.config.typecheck import describe
from ganzoo.model.calls import bound
from ganzoo.model.factory import EMPTY, ENGINE_FACTS, Argument, arguments
from ganzoo.pages import docstring
from ganzoo.pages.uses import Use, node
from ganzoo.registry import Entry, Registry

KINDS = {
    "generator": "Networks that make samples from noise, labels, texts or images.",
    "discriminator": "Networks that judge samples.",
    "encoder": "Any other network that is trained or used: encoders, classifiers, heads, mappings.",
    "extractor": "Fixed networks by whose features samples are judged.",
    "adversarial": "The two-sided losses: `d(real, fake)` for D, `g(fake, real)` for G.",
    "loss": "Losses of one side: distances, cross-entropies, information.",
    "regularizer": "Penalties, constraints, and what is put on a network when it is built.",
    "prior": "Where noise and codes come from.",
    "op": "Small functions of tensors that equations use.",
    "data": "Data sets, and readers of your own files.",
    "augment": "Random changes to images.",
    "optimizer": "How players step.",
    "schedule": "How a learning rate, or another number, changes while a model trains.",
    "metric": "What samples are measured by.",
    "phases": "Makers of long ladders of phases.",
}
_NAMES = {"generator": "G", "discriminator": "D", "encoder": "E", "extractor": "E", "prior": "Z", "adversarial": "adv"}
_CALLED = ("attach", "after_step", "dry", "forward", "state_dict", "load_state_dict")
_LONG = 12  # more models than this are folded away
_FACT = "Read from the model if not given."
_GIVEN = "Given by ganzoo when the model is built."
SEARCH = "---\nsearch:\n  boost: 4\n---\n"  # a page comes before texts that mention its component


def page(entry: Entry, registry: Registry, use: Use, links: Mapping[str, str]) -> str:
    """A component's page as Markdown, to lie at ``components/KIND/NAME.md``.

    Args:
        entry: The component.
        registry: The components that texts may link to.
        use: The models that use it.
        links: Where a family of models has its place, relative to the page.

    Raises:
        UserError: it cannot be imported.
    """
    factory = entry.load()
    doc = docstring.read(factory)
    found = [f"# {entry.id}", "", _crossed(doc.summary, registry), ""]
    for kind, text in doc.body:
        found += [rf"\[{text}\]" if kind == "tex" else _crossed(text, registry), ""]
    found += [f"**{name}:** {_crossed(said, registry)}\n" for name, said in doc.origin.items()]
    found += _example(entry, factory, use, links)
    found += _arguments(arguments(factory), doc.arguments, registry)
    found += _calls(entry, factory)
    if doc.raises:
        found += ["## Errors", "", *(f"* {_crossed(said, registry)}" for said in doc.raises), ""]
    found += _models(use.models, links)
    found += _source(entry, factory)
    return "\n".join(found)


def index(kind: str, entries: Iterable[Entry], summaries: Mapping[str, str]) -> str:
    """The page of a kind: its components, a line each, to lie at ``components/KIND/index.md``."""
    rows = [f"| [`{entry.id}`]({entry.name}.md) | {summaries[entry.id]} |" for entry in entries]
    return "\n".join(
        [f"# {kind}", "", KINDS.get(kind, ""), "", "| component | what it is |", "| --- | --- |", *rows, ""]
    )


def whole(registry: Registry) -> str:
    """The page of all kinds, to lie at ``components/index.md``."""
    entries = list(registry)
    kinds = [kind for kind in KINDS if any(entry.kind == kind for entry in entries)]
    rows = [
        f"| [`{kind}`]({kind}/index.md) | {sum(entry.kind == kind for entry in entries)} | {KINDS[kind]} |"
        for kind in kinds
    ]
    text = (
        f"Every word that may stand after `use:`: {len(entries)} components. Their pages are made from their code: "
        "signature, docstring, source, and the models that use them. Type a name into the search field above, or "
        "choose a kind. `ganzoo show NAME` prints the same in a terminal."
    )
    return "\n".join(
        ["# Components", "", text, "", "| kind | how many | what it is |", "| --- | ---: | --- |", *rows, ""]
    )


def summary(entry: Entry) -> str:
    """What a component is, in a line of Markdown."""
    return docstring.read(entry.load()).summary


def _crossed(text: str, registry: Registry) -> str:
    """Names of components in backticks become links to their pages."""
    if text.startswith("    "):
        return text
    pieces = text.split("`")
    for at in range(1, len(pieces), 2):
        entries = registry.entries.get(pieces[at])
        code = f"`{pieces[at]}`"
        pieces[at] = f"[{code}](../{entries[0].kind}/{entries[0].name}.md)" if entries else code
    return "".join(pieces)


def _example(entry: Entry, factory: Any, use: Use, links: Mapping[str, str]) -> list[str]:
    yaml, said = use.yaml, f"From {_linked(use.model, links)}:" if use.model else "No model that ships uses it. Write:"
    equation = use.equation
    if not use.model:
        yaml, equation = _written(entry, factory)
    lines = [said, ""]
    if yaml:
        lines += ["```yaml", yaml, "```", ""]
    if equation:
        lines += ["which an equation calls:" if yaml else "An equation calls it, without an entry under `parts:`:", ""]
        lines += ["```yaml", equation, "```", ""]
    return ["## Example", "", *lines]


def _written(entry: Entry, factory: Any) -> tuple[str, str]:
    """An entry of a model file made up from the signature, and the call that an equation would hold."""
    needed = [a.name for a in arguments(factory).values() if a.default is EMPTY and not a.is_fact]
    short = node(entry.id, {})
    lines = [f"use: {short}", *(f"{name}: ???" for name in needed)] if needed else []
    name = _NAMES.get(entry.kind, entry.name)
    made = _made(factory)
    if entry.kind in ("data", "optimizer", "schedule", "phases"):
        path = [entry.kind]
    elif hasattr(made, "attach"):
        path = ["parts", "D", "with", entry.name]
    elif hasattr(made, "after_step"):
        path = ["players", "D", "after", entry.name]
    else:
        path = ["parts", name]
    text = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    if lines:
        text += [textwrap.indent(line, "  " * len(path)) for line in lines]
    else:
        text[-1] += f" {short}"
    calls = _signatures(made, name) if path == ["parts", name] else []
    return "\n".join(text), f"{entry.name}: {calls[0][0]}" if calls else ""


def _arguments(known: Mapping[str, Argument], said: Mapping[str, str], registry: Registry) -> list[str]:
    if not known:
        return ["## Arguments", "", "None.", ""]
    rows = ["| name | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, argument in known.items():
        given = name in ENGINE_FACTS
        kind = "" if given or argument.annotation is EMPTY else describe(argument.annotation)
        default = "" if argument.is_fact else "required"
        if argument.default is not EMPTY:
            default = _code(_default(argument.default))
        meaning = _crossed(" ".join(said.get(name, "").split()), registry)
        if argument.is_fact:
            meaning = _GIVEN if given else f"{meaning} {_FACT}".strip()
        rows.append(f"| `{name}` | {docstring.markdown(kind)} | {default} | {meaning} |")
    return ["## Arguments", "", *rows, ""]


def _default(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return repr(list(value))
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else repr(value)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|") if text else ""


def _made(factory: Any) -> Any:
    """The class of what a factory makes, if that is known."""
    if isinstance(factory, type):
        return factory
    try:
        return get_type_hints(factory).get("return")
    except Exception:  # unresolvable annotations tell nothing
        return None


def _signatures(made: Any, name: str) -> list[tuple[str, str]]:
    """How what was made is called in an equation, with a line on each."""
    own = [kind for kind in getattr(made, "__mro__", ()) if kind.__module__.split(".")[0] not in ("torch", "builtins")]
    found = []
    for method in ("forward", "__call__"):
        held = getattr(made, method, None)
        if inspect.isfunction(held) and any(method in vars(kind) for kind in own):
            found.append((f"{name}({_parameters(held)})", _line(held)))
            break
    names = dict.fromkeys(key for kind in reversed(own) for key in vars(kind))
    for key in names:
        held = getattr(made, key, None)
        if inspect.isfunction(held) and not key.startswith("_") and key not in _CALLED:
            found.append((f"{name}.{key}({_parameters(held)})", _line(held)))
    return found


def _parameters(method: Any) -> str:
    written = []
    for parameter in bound(method).parameters.values():
        star = "*" * ((parameter.kind == parameter.VAR_POSITIONAL) + 2 * (parameter.kind == parameter.VAR_KEYWORD))
        default = "" if parameter.default is EMPTY else f"={_default(parameter.default)}"
        written.append(f"{star}{parameter.name}{default}")
    return ", ".join(written)


def _line(method: Any) -> str:
    return docstring.markdown(inspect.cleandoc(method.__doc__ or "").split("\n\n")[0].replace("\n", " "))


def _calls(entry: Entry, factory: Any) -> list[str]:
    if entry.kind == "data":
        fields = entry.facts.get("fields")
        if callable(fields):
            try:
                fields = fields({})
            except Exception:  # it depends on arguments that are not given here
                fields = None
        return ["## Fields", "", ", ".join(f"`{name}`" for name in fields), ""] if fields else []
    if entry.kind in ("optimizer", "schedule", "phases"):
        return []
    signatures = _signatures(_made(factory), _NAMES.get(entry.kind, entry.name))
    if not signatures:
        return []
    rows = [f"| `{call}` | {said} |" for call, said in signatures]
    return ["## Calls", "", "| in an equation | what it gives |", "| --- | --- |", *rows, ""]


def _models(models: list[str], links: Mapping[str, str]) -> list[str]:
    if not models:
        return []
    listed = ", ".join(_linked(model, links) for model in models)
    if len(models) <= _LONG:
        return ["## Models that use it { data-search-exclude }", "", listed, ""]
    return [
        "## Models that use it { data-search-exclude }",
        "",
        f'??? note "{len(models)} models"',
        "",
        f"    {listed}",
        "",
    ]


def _linked(model: str, links: Mapping[str, str]) -> str:
    link = links.get(model.split("/")[0])
    return f"[`{model}`]({link})" if link else f"`{model}`"


def _source(entry: Entry, factory: Any) -> list[str]:
    """Where it is defined, with its code; of torch's own only the name."""
    module = getattr(factory, "__module__", "") or ""
    if module.split(".")[0] == "torch":
        name = f"{module}.{getattr(factory, '__qualname__', entry.name)}"
        return [
            "## Source",
            "",
            f"`{name}`, documented by PyTorch; registered by the plugin `{entry.plugin.name}`.",
            "",
        ]
    source = entry.source()
    lines = [
        "## Source { data-search-exclude }",
        "",
        f"`{place(source.file)}`, line {source.line}; {entry.plugin}.",
        "",
    ]
    try:
        code = textwrap.dedent(inspect.getsource(factory)).rstrip()
    except (OSError, TypeError):
        return lines
    block = textwrap.indent(f"````python\n{code}\n````", "    ", lambda line: True)
    return [*lines, '??? quote "Code"', "", block, ""]


def place(file: str) -> str:
    """A file below the folder that its package is in: ``ganzoo_mlp/generator.py``."""
    path = Path(file)
    while (path.parent / "__init__.py").exists():
        path = path.parent
    return Path(file).relative_to(path.parent).as_posix() if path.is_absolute() else file
